"""Options of the command, and every mistake that can be made with them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from runs import SIZE, SYSTEMS, VIDEOS, arguments, records

from eval.command import parser
from eval.interpolation import main
from mardini.synthetic import make_clip

ROOT = Path(__file__).parent.parent


def save_predictions(folder: Path, cut: Callable[[str, np.ndarray], np.ndarray]) -> None:
    folder.mkdir()
    for seed, name in enumerate(VIDEOS):
        np.save(folder / f"{name}_00000.npy", cut(name, make_clip(seed, frames=9, size=SIZE)))


def test_perfect_predictions_score_best(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_predictions(tmp_path / "truth", lambda name, clip: clip[1:8])
    output = run(
        "--systems",
        "blend",
        "--predictions",
        str(tmp_path / "truth"),
        "--predictions",
        f"again={tmp_path / 'truth'}",
    )
    made = records(output)
    assert set(made) == {"blend", "truth", "again"}
    assert made["truth"]["metrics"]["ssim_vidim_all"]["value"] == pytest.approx(1)
    assert made["truth"]["metrics"]["psnr_clip"]["value"] == 100
    assert "100.00*" in capsys.readouterr().out


def wrong_size(name: str, clip: np.ndarray) -> np.ndarray:
    return clip[:, :40] if name == "bee" else clip


def wrong_length(name: str, clip: np.ndarray) -> np.ndarray:
    return clip[:8] if name == "cat" else clip


@pytest.mark.parametrize(
    ("cut", "change", "message"),
    [
        (wrong_size, None, "bee/00000 is 40x48, not 48x48"),
        (wrong_length, None, "cat/00000 has 8 frames"),
        (lambda name, clip: clip, "ape_00000.npy", "1 of 4 clips are missing"),
        (lambda name, clip: clip, "+fox_00000.npy", "1 entries"),
    ],
    ids=["size", "length", "missing", "surplus"],
)
def test_wrong_predictions_are_refused_before_anything_is_scored(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str], cut, change: str | None, message: str
) -> None:
    folder = tmp_path / "mine"
    save_predictions(folder, cut)
    if change and change.startswith("+"):
        shutil.copy(folder / "ape_00000.npy", folder / change[1:])
    elif change:
        (folder / change).unlink()
    output = run("--predictions", str(folder), status=2)
    assert message in capsys.readouterr().err
    assert not list(output.rglob("*.npz"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--dataset", "davsi"], "unknown dataset 'davsi': did you mean 'davis'?"),
        (["--systems", "flwo"], "unknown system 'flwo': did you mean 'flow'?"),
        (["--metrics", "pnsr"], "unknown metric 'pnsr': did you mean 'psnr'?"),
        (["--features", "randon"], "did you mean 'random'?"),
        (["--limit", "0"], "--limit 0: give at least 1"),
        (["--batch-size", "0"], "--batch-size 0: give at least 1"),
        (["--seed", "-1"], "--seed -1: give 0 or more"),
        (["--steps", "4"], "--steps is for system 'mardini'"),
        (["--guidance", "0"], "--guidance is for system 'mardini'"),
        (["--guidance", "nan"], "--guidance nan: give 0 or more"),
        (
            ["--skip-guidance", "-1"],
            "--skip-guidance -1: give 0 (none) or more, or two such numbers, as 5,0",
        ),
        (["--detail", "2"], "--detail 2.0: give 0 (none) to 1"),
        (["--detail", "0"], "--detail is for system 'mardini'"),
        (["--sharpness", "-1"], "--sharpness -1.0: give 0 (none) to 1"),
        (["--sharpness", "1"], "--sharpness is for system 'mardini'"),
        (["--skip-guidance", "1"], "--skip-guidance is for system 'mardini'"),
        (["--checkpoint", "x"], "--checkpoint is for system 'mardini'"),
        (["--predictions", "flow=x"], "'flow' is a built-in system"),
        (["--metrics", "fid", "--features", "random", "--limit", "1"], "fid_random needs at least 2 clips"),
    ],
)
def test_mistakes_end_in_one_sentence(
    run, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    output = run(*more, status=2)
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ") and error.count("\n") == 1
    assert not output.exists()


def test_fvd_is_refused_on_short_clips(run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--frames", "8", "--metrics", "fvd", "--features", "random", status=2)
    assert "needs clips of at least 9 frames, these have 8" in capsys.readouterr().err


def test_output_that_cannot_be_written_is_told(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    run(status=2)
    assert "cannot write" in capsys.readouterr().err


def test_missing_weights_of_the_default_set_leave_a_column_empty(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARDINI_OFFLINE", "1")
    command = [*arguments(videos, tmp_path / "out")]
    place = command.index("--metrics")
    del command[place : place + 2]
    assert main(command) == 0
    printed = capsys.readouterr().out
    header = next(line for line in printed.splitlines() if "psnr_clip" in line)
    assert "fid" in header and "fvd" in header and "lpips_alex" in header
    assert printed.count("n/a") >= 5 * len(SYSTEMS)
    assert "pt_inception-2015-12-05-6726825d.pth is missing" in printed
    assert main([*command, "--metrics", "fid,fvd"]) == 2
    assert capsys.readouterr().err.count("is missing") == 2


def test_options_are_frozen() -> None:
    """A small set: think twice before adding one, and say so in the change log."""
    options = {flag for action in parser("prog", "", given=True)._actions for flag in action.option_strings}
    what = {
        "--dataset",
        "--data-root",
        "--systems",
        "--metrics",
        "--features",
        "--weights-dir",
        "--predictions",
    }
    how = {
        "--checkpoint",
        "--steps",
        "--guidance",
        "--skip-guidance",
        "--detail",
        "--sharpness",
        "--given",
        "--frames",
        "--size",
        "--limit",
        "--seed",
        "--batch-size",
    }
    assert options == what | how | {"--device"} | {
        "-h",
        "--help",
        "--against",
        "--shard",
        "--output",
        "--force",
    }
    defaults = vars(parser("prog", "", given=True).parse_args([]))
    assert {name: value for name, value in defaults.items() if value not in (None, [])} == {
        "dataset": "synthetic",
        "seed": 0,
        "batch_size": 4,
        "device": "cpu",
        "output": Path("results"),
        "force": False,
    }


@pytest.mark.parametrize("module", ["eval", "eval.interpolation"])
def test_help_is_instant(module: str) -> None:
    seconds, shown = [], None
    for _ in range(3):
        began = time.perf_counter()
        shown = subprocess.run(
            [sys.executable, "-m", module, "--help"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        seconds.append(time.perf_counter() - began)
    assert shown and "python -m eval.interpolation" in shown.stdout
    assert min(seconds) < 0.5 * 3  # slack for a machine that is busy
