"""Every number of ours in the README comes out of a committed record."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import metric_speed
from benchmarks.records import read_all
from eval.__main__ import show_table
from eval.systems.diffusion import PROMPT
from eval.systems.rivals import RIVALS, TAKES
from mardini import generate, synthetic
from mardini.image import read_image
from mardini.video import read_video

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results" / "interpolation"

VIDIM_TABLE_1 = {  # DAVIS-7, middle frame: PSNR, SSIM, as reported in arXiv:2404.01203
    "amt": ("20.12", "0.4853"),
    "rife": ("19.54", "0.4546"),
    "film": ("19.75", "0.4718"),
    "ldmvfi": ("19.07", "0.4175"),
    "vidm": ("18.73", "0.4221"),
}


def records(group: str) -> dict[str, dict]:
    found = [json.loads(path.read_text()) for path in sorted(RESULTS.glob(f"{group}/*/record.json"))]
    return {record["variant"]: record for record in found}


def test_the_printed_tables_are_those_of_the_committed_records(capsys: pytest.CaptureFixture[str]) -> None:
    block = re.search(r"```text\n(Middle frame: .*?)\n```", README, re.DOTALL)
    assert block
    names = ("repeat", "blend", "flow", "minterpolate", "mardini")
    assert show_table([RESULTS / "synthetic-7-v1" / name / "record.json" for name in names]) == 0
    printed = capsys.readouterr().out
    assert block.group(1) in printed[: printed.index("random weights: ")]


def test_the_calibration_table_is_that_of_the_committed_records() -> None:
    found = records("vidim-7-v1-*")
    assert found.keys() == VIDIM_TABLE_1.keys()
    for method, (psnr, ssim) in VIDIM_TABLE_1.items():
        metrics = found[method]["metrics"]
        ours = f"{metrics['psnr_mid']['value']:.2f}", f"{metrics['ssim_vidim_mid']['value']:.4f}"
        std = f"{metrics['ssim_std_mid']['value']:.4f}"
        cells = [ours[0], psnr, ours[1], ssim, std]
        row = re.search(rf"^\| {method} \|(.*)\|$", README, re.MULTILINE)
        assert row and [cell.strip() for cell in row.group(1).split("|")] == cells, method
        assert found[method]["dataset"]["clips"] == 60


def test_the_speeds_are_those_of_the_committed_records() -> None:
    (folder,) = (ROOT / "benchmarks/results/metric-speed").iterdir()
    assert f"```text\n{metric_speed.summary(read_all(folder))}\n```" in README


def test_the_table_of_rivals_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `([\w.-]+)` \|(.*)\|$", README, re.MULTILINE)
    shown = {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}
    for name, rival in RIVALS.items():
        what, size = rival.line.rsplit("; ", 1)
        assert shown[name] == [what, TAKES[rival.takes], rival.clips, size, rival.licence]
    assert PROMPT in README.replace("\n", " ")


@pytest.mark.slow
def test_every_picture_of_a_task_comes_out_of_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of the README, word for word, draw the committed pictures (rounding apart)."""
    monkeypatch.chdir(tmp_path)
    for example in re.findall(r"^python -m mardini\.synthetic (.*)$", README, re.MULTILINE):
        assert synthetic.main(example.split()) == 0
    commands = re.findall(r"^python -m mardini\.generate (.* --out (\S+)\.png)$", README, re.MULTILINE)
    assert [name for _, name in commands] == [
        "interpolate", "animate", "expand", "fill", "slow-motion", "rollout", "detail", "soft"
    ]  # fmt: skip
    for command, name in commands:
        assert generate.main([*command.split(), "--device", "cpu"]) == 0
        made, kept = read_image(tmp_path / f"{name}.png"), read_image(ROOT / f"docs/tasks/{name}.png")
        assert made.shape == kept.shape
        assert np.abs(made.astype(float) - kept).mean() < 0.5, name
        assert f"](docs/tasks/{name}.png)" in README
    ((command, name),) = re.findall(
        r"^python -m mardini\.generate (.* --out (\S+\.gif))$", README, re.MULTILINE
    )
    assert generate.main([*command.split(), "--device", "cpu"]) == 0
    moving, kept = read_video(tmp_path / name), read_video(ROOT / "docs/tasks" / name)
    assert moving.shape == kept.shape
    assert np.abs(moving.astype(float) - kept).mean() < 4  # of 256 colours, chosen clip by clip
    assert f"](docs/tasks/{name})" in README
