"""The report's page, used in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_results import CLIPS, SYSTEMS, group_of

from reports.frames import Frames
from reports.page.build import as_json, data_of

ROOT = Path(__file__).parent.parent

BROWSER, DRIVER = (
    next(filter(None, map(shutil.which, names)), None)
    for names in (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
)


# -- the page -----------------------------------------------------------------------------------------------------


def test_the_page_stands_alone(report: Path) -> None:
    text = (report / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)[^"']*""", text.split("<script", 1)[0])
    assert "{{" not in text and "default-src 'none'" in text
    assert as_json({"a": "</script>"}) == '{"a":"<\\/script>"}'
    assert (report / "report.html").stat().st_size < 2e6
    told = data_of(report / "report.html")
    wanted = {origin for t in told["tables"] for b in t["blocks"] for r in b["rows"] for c in r["cells"]
              for origin in c.get("origin", ())}  # fmt: skip
    assert wanted and {origin.partition("#")[0] for origin in wanted} == set(told["records"])


def test_text_stands_out_from_what_is_behind_it() -> None:
    """WCAG 2's contrast of 4.5, in light and dark colours."""
    style = (ROOT / "reports" / "page" / "style.css").read_text()

    def light(code: str) -> float:
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    blocks = re.findall(r":root[^{]*\{(.*?)\}", style, re.DOTALL)
    themes = [dict(re.findall(r"--(\w+): (#\w{6});", block)) for block in blocks]
    themes = [theme for theme in themes if theme]
    assert len(themes) == 3 and themes[1] == themes[2]
    for theme in themes:
        for text in ("ink", "soft", "accent", "focus"):
            for behind in ("page", "card", "band"):
                a, b = sorted((light(theme[text]), light(theme[behind])))
                assert (b + 0.05) / (a + 0.05) >= 4.5, (text, behind)


class Browser:
    """A headless Chromium with the page in it."""

    def __init__(self, page: Path, profile: Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = str(BROWSER)
        for flag in (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--force-prefers-reduced-motion",
            f"--user-data-dir={profile}",
        ):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.size(1600)
        self.driver.get(page.as_uri())
        self.requests: list[str] = []

    def size(self, width: int) -> None:
        shape = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)

    def run(self, script: str, *words: Any) -> Any:
        return self.driver.execute_script(script, *words)

    def click(self, selector: str) -> None:
        self.run("document.querySelector(arguments[0]).click()", selector)

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        return self.run(script, selector)

    def set(self, selector: str, value: str) -> None:
        script = """const e = document.querySelector(arguments[0]); e.value = arguments[1];
        e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true}))"""
        self.run(script, selector, value)

    def pixel(self, clip: str, system: str) -> list[int]:
        """Mean colour of a canvas, once what was asked for is drawn: its label says what it shows."""
        script = """const done = arguments[2];
        const c = document.querySelector(`[data-clip="${arguments[0]}"] [data-system="${arguments[1]}"] canvas`);
        const place = document.getElementById("place").textContent;
        const difference = document.getElementById("difference").ariaPressed === "true";
        c.scrollIntoView();
        function look() {
          const label = c.ariaLabel ?? "";
          if (!`${label},`.includes(`, ${place},`) || label.startsWith("difference") !== difference)
            return setTimeout(look, 20);
          const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, sum = [0, 0, 0];
          for (let i = 0; i < d.length; i++) if (i % 4 < 3) sum[i % 4] += d[i];
          done(sum.map((s) => s / (d.length / 4)));
        }
        look()"""
        return self.driver.execute_async_script(script, clip, system)

    def key(self, key: str) -> None:
        script = """document.getElementById("clips").dispatchEvent(
        new KeyboardEvent("keydown", {key: arguments[0], bubbles: true, cancelable: true}))"""
        self.run(script, key)


@pytest.fixture(scope="module")
def browser(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if BROWSER is None or DRIVER is None:
        pytest.skip("no Chromium and chromedriver here: install the packages chromium and chromium-driver")
    pytest.importorskip("selenium", reason="selenium is not installed: pip install selenium")
    made = Browser(report / "report.html", tmp_path_factory.mktemp("profile"))
    yield made
    made.driver.quit()


def mean_colour(frames: Mapping[str, np.ndarray], clip: str, frame: int) -> Any:
    return pytest.approx(frames[clip][frame].mean(axis=(0, 1)), abs=2.5)  # WebP is not lossless


def test_tables_sort_best_first_then_worst_first_then_as_they_were(browser: Browser) -> None:
    block = "#interpolation-synthetic-interpolation-v1 .block:nth-of-type(1)"
    heading, labels = f"{block} thead th[aria-sort] button", f"{block} tbody th"
    before = browser.texts(labels)
    browser.click(heading)
    best = browser.texts(labels)
    assert best == ["flow", "mardini", "mardini-guidance0", "blend"] != before
    assert browser.run(f"return document.querySelector('{block} th[aria-sort]').ariaSort") == "descending"
    browser.click(heading)
    assert browser.texts(labels) == best[::-1]
    browser.click(heading)
    assert browser.texts(labels) == before


def test_missing_values_stay_last(browser: Browser) -> None:
    block = "#table-5 .block.reported"
    browser.click(f"{block} thead th[aria-sort] button")
    shown = browser.texts(f"{block} tbody tr > :nth-child(4)")
    assert shown[0] == "0.46" and set(shown[-4:]) == {"–"} and "–" not in shown[:-4]


def test_every_number_says_where_it_is_from(browser: Browser) -> None:
    browser.click("#interpolation-synthetic-interpolation-v1 .cell")
    assert browser.run("return document.getElementById('provenance').open")
    told = " ".join(browser.texts("#provenance-body"))
    for part in (
        "record.json#",
        "0123456789ab",
        "numpy: 2.0",
        "percentile bootstrap",
        "synthetic-interpolation/v1",
    ):
        assert part in told
    assert json.loads(browser.texts("#provenance-body pre")[0])["seed"] == 3
    browser.click("#provenance .close")
    browser.click("#figure-10-middle figcaption button")
    assert "clip_sha256" in browser.texts("#provenance-body pre")[0]
    browser.click("#provenance .close")
    assert not browser.run("return document.getElementById('provenance').open")


def test_figures_are_enlarged(browser: Browser) -> None:
    browser.click("#training-nano button")
    assert browser.run("return document.getElementById('zoom').open")
    width = "return document.getElementById('zoom-image').getBoundingClientRect().width"
    before = browser.run(width)
    browser.click("#larger")
    assert browser.run(width) == pytest.approx(1.5 * before, rel=0.05)
    browser.click("#fit")
    assert browser.run(width) == pytest.approx(before, rel=0.05)
    browser.click("#zoom .close")
    images = "return [...document.images].filter((i) => i.loading === 'lazy').length"
    assert browser.run(images) == len(browser.texts("#figure-list figure")) > 5


def test_clips_are_scrubbed_and_show_the_frames_of_every_system(browser: Browser, results: Path) -> None:
    frames = Frames(group_of(results))
    for step in (0, 4, 8):
        browser.set("#frame", str(step))
        for system in ("truth", "blend", "mardini"):
            known = frames.truth if system == "truth" else frames.made(system)
            assert browser.pixel("synth/00001", system) == mean_colour(known, "synth/00001", step)
    given = "#clip-list [data-clip='synth/00001'] .given"
    assert len(browser.texts(given)) == 1 + len(SYSTEMS)
    assert browser.texts("#place") == ["frame 8, given"]
    browser.key("ArrowLeft")
    assert browser.texts("#place") == ["frame 7"]
    row = next(r for r in group_of(results).rows("blend") if r["clip"] == "synth/00001")
    browser.pixel("synth/00001", "blend")
    scores = browser.texts("[data-clip='synth/00001'] [data-system='blend'] .scores span")
    assert scores[3:6] == ["PSNR", f"{row['scores']['psnr_all']:.2f}", f"{row['frames']['psnr'][6]:.2f}"]


def test_differences_to_the_truth(browser: Browser) -> None:
    browser.set("#frame", "4")
    browser.key("d")
    assert browser.run("return document.getElementById('difference').ariaPressed") == "true"
    bad, good = (sum(browser.pixel("synth/00000", name)) for name in ("blend", "flow"))
    assert bad > 1.5 * good > 0
    browser.set("#frame", "0")
    assert max(browser.pixel("synth/00000", "blend")) == 0  # a given frame is the truth
    browser.click("#difference")
    assert browser.run("return document.getElementById('difference').ariaPressed") == "false"


def test_clips_are_found_and_ordered_by_their_worst(browser: Browser) -> None:
    def shown() -> list[str]:
        script = "return [...document.querySelectorAll('#clip-list .clip')].map((e) => e.dataset.clip)"
        return browser.run(script)

    assert shown() == [f"synth/{number:05d}" for number in range(CLIPS)]
    browser.set("#find", "zoom")
    assert shown() == ["synth/00002"]
    browser.set("#find", "")
    browser.set("#order", "worst")
    browser.set("#count", "2")
    assert shown() == ["synth/00003", "synth/00002"]
    assert browser.texts("#shown")[0].startswith("2 of 4 clips")
    browser.set("#order", "name")
    browser.set("#count", "0")
    browser.set("#set", "1")
    assert len(browser.texts("#clip-list .clip")) == CLIPS
    browser.set("#frame", "3")
    assert browser.texts("#place") == ["frame 3, given"]
    browser.set("#set", "0")


def test_all_systems_play_in_step(browser: Browser) -> None:
    browser.set("#frame", "0")
    browser.set("#speed", "24")
    browser.key(" ")
    assert browser.texts("#play") == ["Pause"]
    seen = set()
    until = time.monotonic() + 30
    while len(seen) < 4 and time.monotonic() < until:
        seen.add(browser.texts("#place")[0])
        time.sleep(0.05)
    browser.click("#play")
    assert len(seen) >= 4 and browser.texts("#play") == ["Play"]
    place = browser.texts("#place")
    time.sleep(0.2)
    assert browser.texts("#place") == place
    for system in ("truth", *SYSTEMS):
        browser.pixel("synth/00000", system)
    frame = place[0].split(",")[0].split()[-1]
    script = (
        "return [...document.querySelectorAll('[data-clip=\"synth/00000\"] canvas')].map((c) => c.ariaLabel)"
    )
    labels = browser.run(script)
    assert len(labels) == 1 + len(SYSTEMS) and all(f", frame {frame}" in label for label in labels)


@pytest.mark.parametrize("width", [390, 1600])
def test_nothing_is_wider_than_the_screen(browser: Browser, width: int) -> None:
    browser.size(width)
    wide = browser.run("return [document.documentElement.scrollWidth, innerWidth, document.body.scrollWidth]")
    assert wide[0] <= width and wide[2] <= width and wide[1] == width
    script = """return [...document.querySelectorAll("main *")].filter((e) => e.getClientRects().length
    && !e.closest(".scroll") && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML)"""
    beyond = browser.run(script)
    assert beyond == []
    browser.size(1600)


def test_colours_can_be_chosen(browser: Browser) -> None:
    colour = "return getComputedStyle(document.body).backgroundColor"
    browser.click("#theme")
    light = browser.run(colour)
    browser.click("#theme")
    assert browser.run(colour) != light == "rgb(255, 255, 255)"
    browser.click("#theme")


def test_controls_have_names(browser: Browser) -> None:
    script = """const named = (e) => e.ariaLabel || e.textContent.trim() || e.labels?.length;
    const all = document.querySelectorAll("button, input, select, [role=img], [role=region]");
    return [...all].filter((e) => !named(e)).map((e) => e.outerHTML)"""
    assert browser.run(script) == []
    assert (
        browser.run("return [...document.images].filter((i) => !i.alt && i.id !== 'zoom-image').length") == 0
    )


def test_the_page_asks_for_nothing_and_complains_of_nothing(browser: Browser) -> None:
    """Last: of all that was done above."""
    asked = []
    for entry in browser.driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if (
            message["method"] == "Network.requestWillBeSent"
            and "report.html" in message["params"]["documentURL"]
        ):
            asked.append(message["params"]["request"]["url"])
    outside = [url for url in asked if not url.startswith(("data:", "file:", "blob:"))]
    assert asked and outside == [] and sum(url.startswith("file:") for url in asked) == 1
    told = [entry["message"] for entry in browser.driver.get_log("browser")]
    assert [message for message in told if "getImageData" not in message] == []  # that was these tests' doing
