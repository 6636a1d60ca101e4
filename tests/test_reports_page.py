"""Frames in the report: only generated ones, only those of the records; and the page, used in a real browser."""

from __future__ import annotations

import ast
import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from eval.interpolation import main as evaluate
from reports.build import build, differing
from reports.figures import planning, sharpness, strips
from reports.frames import Frames, pixels_of
from reports.page.build import as_json, data, data_of, embedded
from reports.page.clips import sets
from reports.records import Group, ReportError, read_groups, sha256_of
from reports.report import Report
from reports.style import styled

ROOT = Path(__file__).parent.parent
SIDE, FRAMES, CLIPS = 32, 9, 4
SYSTEMS = {"blend": 20, "flow": 8, "mardini": 12, "mardini-guidance0": 16}
"""Amplitude of each system's error, in levels; times the number of the clip, so that the last clip is the worst."""
BROWSER, DRIVER = (
    next(filter(None, map(shutil.which, names)), None)
    for names in (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
)


def true_clip(number: int) -> np.ndarray:
    """A smooth pattern that moves: ``uint8`` (9, 32, 32, 3)."""
    time_, y, x = np.meshgrid(np.arange(FRAMES), np.arange(SIDE), np.arange(SIDE), indexing="ij")
    waves = [np.sin((x + (number + 1) * time_) / 4 + c) + np.cos(y / (3 + c)) for c in range(3)]
    return np.round(127 + 45 * np.stack(waves, axis=-1)).astype(np.uint8)


def made_clip(truth: np.ndarray, number: int, system: str, given: tuple[int, ...]) -> np.ndarray:
    """The true clip with errors in the frames that were not given."""
    random = np.random.default_rng([number, len(system)])
    error = random.normal(0, SYSTEMS[system] * (1 + number), truth.shape)
    clip = np.clip(truth + error, 0, 255).astype(np.uint8)
    clip[list(given)] = truth[list(given)]
    return clip


def save(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, frames=frames)


def make_group(
    results: Path, task: str = "interpolation", given: tuple[int, ...] = (0, 8), dataset: str = "synthetic"
) -> None:
    """Records, per-clip rows and frames of four systems on four clips, as the toolkit writes them."""
    generated = [frame for frame in range(FRAMES) if frame not in given]
    clips = {f"synth/{number:05d}": true_clip(number) for number in range(CLIPS)}
    folder = results / task / f"{dataset}-{task}-v1"
    for clip, frames in clips.items():
        save(folder / "_reference" / "predictions" / f"{clip}.npz", frames)
    pixels = sha256_of(part for clip, frames in clips.items() for part in (clip, pixels_of(frames)))
    for system in SYSTEMS:
        rows = []
        for number, (clip, truth) in enumerate(clips.items()):
            frames = made_clip(truth, number, system, given)
            save(folder / system / "predictions" / f"{clip}.npz", frames)
            errors = np.mean((frames.astype(float) - truth)[generated] ** 2, axis=(1, 2, 3))
            psnr = (10 * np.log10(255**2 / errors)).tolist()
            ssim = [value / 60 for value in psnr]
            scores = {"psnr_all": float(np.mean(psnr)), "psnr_clip": float(np.mean(psnr))}
            scores |= {"ssim_vidim_all": float(np.mean(ssim))}
            if task == "interpolation":
                scores["ssim_vidim_mid"] = ssim[generated.index(4)]
            rows.append(
                {
                    "clip": clip,
                    "source": clip,
                    "tags": ["rotation", "zoom"][: number % 3],
                    "prediction": pixels_of(frames),
                    "scores": scores,
                    "frames": {"psnr": psnr, "ssim_vidim": ssim},
                }
            )
        entries = {
            name: {
                "value": float(np.mean([row["scores"][name] for row in rows])),
                "low": None,
                "high": None,
                "n": CLIPS,
                "interval": "percentile bootstrap over sources",
                "higher_is_better": True,
                "decimals": 2 if name.startswith("psnr") else 4,
                "metric": {"name": name.split("_")[0], "version": "1", "variant": {}, "weights": {}},
            }
            for name in rows[0]["scores"]
        }
        data = {"name": dataset, "pixels_sha256": pixels, "clips": CLIPS, "sources": CLIPS, "limit": None}
        record = {
            "task": task,
            "variant": system,
            "described": {"system": system},
            "protocol": f"{dataset}-{task}/v1",
            "frames": {"clip": FRAMES, "given": list(given), "generated": generated, "middle": 4},
            "dataset": {**data, "fps": 24.0},
            "seed": 3,
            "predictions_sha256": sha256_of(
                part for row in rows for part in (row["clip"], row["prediction"])
            ),
            "metrics": entries,
            "environment": {"commit": "0123456789ab", "packages": {"numpy": "2.0"}},
        }
        record["frames"] |= {"size": [SIDE, SIDE], "middle": 4 if task == "interpolation" else None}
        (folder / system / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / system / "record.json").write_text(json.dumps(record))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    make_group(folder)
    make_group(folder, "expansion", (0, 1, 2, 3))
    return folder


@pytest.fixture(scope="module")
def report(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    build([results], out, tell=lambda sentence: None)
    return out


def group_of(results: Path, task: str = "interpolation") -> Group:
    (group,) = (group for group in read_groups([results]) if group.task == task)
    return group


PICTURES = {"figure-5-planning", "figure-7-views", "figure-8-expansion", "figure-10-middle"}


# -- whose frames -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["davis", "vidim", "ucf101", "folder"])
def test_no_frame_of_another_data_set_is_ever_shown(dataset: str, tmp_path: Path) -> None:
    make_group(tmp_path / "results", dataset=dataset)
    (group,) = read_groups([tmp_path / "results"])
    with pytest.raises(ReportError, match="are never part of a report"):
        Frames(group)
    made = Report.of([tmp_path / "results"], tmp_path / "out")
    assert [figure.name for figure in made.shown if figure.frames is not None] == []
    assert {figure.name for figure in made.missing} >= PICTURES | {"figure-9-sharpness"}
    assert sets(made.groups) == [] and data(made)["sheets"] == []


def test_no_frame_of_another_data_set_is_ever_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.catalogue.losses", lambda results: [])  # they take most of the time
    make_group(tmp_path / "results", dataset="davis")
    build([tmp_path / "results"], tmp_path / "out", tell=lambda sentence: None)
    page = tmp_path / "out" / "report.html"
    assert embedded(page, "sheets") == {} and "image/webp" not in page.read_text()
    assert not PICTURES & {path.stem for path in (tmp_path / "out" / "figures").iterdir()}


def test_a_group_is_shown_only_if_every_record_says_so(tmp_path: Path) -> None:
    make_group(tmp_path)
    (path,) = tmp_path.rglob("flow/record.json")
    path.write_text(path.read_text().replace('"name": "synthetic"', '"name": "davis"'))
    (group,) = read_groups([tmp_path])
    with pytest.raises(ReportError, match="are never part of a report"):
        Frames(group)


def test_one_module_alone_opens_stored_frames() -> None:
    readers = {"load", "imread", "fromfile", "memmap", "read_clip", "VideoCapture"}
    for path in sorted((ROOT / "reports").rglob("*.py")):
        called = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not called & readers or path.name == "frames.py", path


def test_frames_with_another_hash_than_the_records_are_not_shown(tmp_path: Path) -> None:
    make_group(tmp_path)
    (group,) = read_groups([tmp_path])
    assert len(Frames(group).truth) == len(Frames(group).made("flow")) == CLIPS
    (path,) = tmp_path.rglob("flow/predictions/synth/00001.npz")
    save(path, true_clip(7))
    assert sorted(Frames(group).made("flow")) == ["synth/00000", "synth/00002", "synth/00003"]
    (path,) = tmp_path.rglob("_reference/predictions/synth/00001.npz")
    save(path, true_clip(7))
    assert Frames(group).truth == {}


def test_what_the_toolkit_writes_is_what_the_report_reads(tmp_path: Path) -> None:
    """Hashes, places of files and names in records are the toolkit's own."""
    words = ["--systems", "repeat,blend", "--metrics", "psnr,ssim", "--limit", "2", "--output", str(tmp_path)]
    assert evaluate(words) == 0
    (group,) = read_groups([tmp_path])
    frames = Frames(group)
    assert list(frames.truth) == list(frames.made("blend")) == ["synth/00000", "synth/00001"]
    assert frames.truth["synth/00000"].shape == (9, 128, 128, 3)
    assert np.array_equal(frames.made("repeat")["synth/00001"][1], frames.truth["synth/00001"][0])


# -- pictures -----------------------------------------------------------------------------------------------------


def test_a_strip_shows_the_frames_that_its_rows_name(results: Path) -> None:
    group = group_of(results)
    frames, rows = Frames(group), planning.rows(group)
    with styled() as pyplot:
        _, ax = pyplot.subplots(figsize=strips.size(rows))
        strips.draw(rows, [ax], frames)
        images = [image.get_array() for image in ax.images]
    clip = rows[0]["clip"]
    shown = [row for row in rows if row["show"] != "nothing"]
    assert len(images) == len(shown) + 1  # and the scale
    for row, image in zip(shown, images, strict=False):
        source = frames.truth if row["system"] == "truth" else frames.made(row["system"])
        picture, truth = source[clip][row["frame"]], frames.truth[clip][row["frame"]]
        if row["show"] == "difference":
            assert np.allclose(image, np.abs(picture.astype(float) - truth).mean(-1), atol=1e-4)
        else:
            assert np.array_equal(image, picture)
    assert {row["frame"] for row in rows if row["given"]} == {0, 8}
    for row in rows:
        if "psnr" in row:
            known = {r["clip"]: r for r in group.rows(row["system"])}[clip]
            assert row["psnr"] == pytest.approx(known["frames"]["psnr"][row["frame"] - 1], abs=1e-4)
            assert known["prediction"].startswith(row["clip_sha256"])


def test_every_picture_is_drawn(report: Path) -> None:
    for name in PICTURES:
        for suffix in ("pdf", "png", "csv"):
            assert (report / "figures" / f"{name}.{suffix}").stat().st_size > 100
        pdf = (report / "figures" / f"{name}.pdf").read_bytes()
        assert b"CreationDate" not in pdf and b"/Type3" not in pdf


def test_pictures_are_kept_where_frames_are_not_and_dropped_when_records_change(
    results: Path, report: Path, tmp_path: Path
) -> None:
    bare, out = tmp_path / "results", tmp_path / "out"
    shutil.copytree(results, bare, ignore=shutil.ignore_patterns("*.npz"))
    shutil.copytree(report, out)
    before = {path.name: path.read_bytes() for path in (out / "figures").iterdir()}
    assert differing([bare], out) == []
    build([bare], out, tell=lambda sentence: None)
    assert {path.name: path.read_bytes() for path in (out / "figures").iterdir()} == before
    assert embedded(out / "report.html", "sheets") == embedded(report / "report.html", "sheets") != {}
    assert differing([results], out) == []

    (folder,) = bare.glob("interpolation/*/mardini")
    rows = [json.loads(line) for line in (folder / "clips.jsonl").read_text().splitlines()]
    for row in rows:
        row["prediction"] = "f" * 64
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    record = json.loads((folder / "record.json").read_text())
    record["predictions_sha256"] = sha256_of(part for row in rows for part in (row["clip"], "f" * 64))
    (folder / "record.json").write_text(json.dumps(record))
    assert {"figures/figure-5-planning.png", "report.html"} <= set(differing([bare], out))
    now = Report.of([bare], out)
    assert {figure.name for figure in now.missing} >= PICTURES - {"figure-8-expansion"}
    assert "figure-8-expansion" in {figure.name for figure in now.shown}
    lost = set(data_of(out / "report.html")["sheets"]) - set(data(now)["sheets"])
    assert len(lost) == CLIPS  # those of one system; the others play on


def test_the_sharper_frame_that_scores_worse_is_found() -> None:
    """Of a cross-fade, noise of the truth's sharpness less a little, and the truth displaced: the last."""
    truth = true_clip(1)
    made = {
        "blend": (np.roll(truth, 3, axis=2).astype(float) / 2 + np.roll(truth, -3, axis=2) / 2).astype(
            np.uint8
        ),
        "flow": np.roll(truth, 2, axis=2),
        "mardini": np.clip(truth + np.random.default_rng(0).normal(0, 30, truth.shape), 0, 255).astype(
            np.uint8
        ),
    }
    ssim = {"blend": 0.7, "flow": 0.6, "mardini": 0.1}
    row = {"clip": "a", "prediction": "0" * 64, "frames": {"psnr": [9.0] * 7}}
    rows_of: dict[str, Any] = {
        name: [{**row, "scores": {"ssim_vidim_mid": value}}] for name, value in ssim.items()
    }
    first = {"frames": {"middle": 4, "generated": list(range(1, 8))}}
    group: Any = SimpleNamespace(
        first=first, records=dict.fromkeys(made, first), complete=True, rows=rows_of.__getitem__
    )
    frames: Any = SimpleNamespace(truth={"a": truth}, made=lambda name: {"a": made[name]})
    rows = sharpness.rows(group, frames)
    assert [row["system"] for row in rows] == ["truth", "blend", "flow"]
    assert rows[1]["sharpness"] < rows[2]["sharpness"] == pytest.approx(rows[0]["sharpness"], rel=0.1)
    for name in ("flow", "mardini"):  # now the sharper frames score better
        rows_of[name][0]["scores"]["ssim_vidim_mid"] = 0.8
    assert sharpness.rows(group, frames) == []


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
        """Mean colour of a canvas, once what was asked for is drawn."""
        script = """const done = arguments[2];
        const c = document.querySelector(`[data-clip="${arguments[0]}"] [data-system="${arguments[1]}"] canvas`);
        c.scrollIntoView();
        setTimeout(() => {
          const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, sum = [0, 0, 0];
          for (let i = 0; i < d.length; i++) if (i % 4 < 3) sum[i % 4] += d[i];
          done(sum.map((s) => s / (d.length / 4)));
        }, 150)"""
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
    until = time.monotonic() + 5
    while len(seen) < 4 and time.monotonic() < until:
        seen.add(browser.texts("#place")[0])
        time.sleep(0.05)
    browser.click("#play")
    assert len(seen) >= 4 and browser.texts("#play") == ["Play"]
    place = browser.texts("#place")
    time.sleep(0.2)
    assert browser.texts("#place") == place
    browser.pixel("synth/00000", "truth")
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
