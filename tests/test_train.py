"""Training: the chain of stages on a tiny model, exact resumption, options, mistakes."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_training import OFTEN, SMALL, curve, train, weights, with_stages

from mardini import checkpoint, trainer
from mardini.config import preset
from mardini.image import read_image
from mardini.model import MarDini
from mardini.run_state import latest
from mardini.stages import STAGES
from mardini.train import main
from mardini.vae import LatentCodec

ROOT = Path(__file__).parent.parent


def test_a_chain_runs_each_stage_from_those_before(trained: Path) -> None:
    assert sorted(path.name for path in (trained / "logs").iterdir())[::5] == [
        "1-codec.jsonl",
        "6-joint-model.jsonl",
    ]
    last, codec = checkpoint.load(trained / "tiny" / "joint-model" / "checkpoint")
    first, first_codec = checkpoint.load(trained / "tiny" / "initial-planner" / "checkpoint")
    assert last.config.generator.attention == "spatio-temporal"
    assert (first.config.frames, last.config.frames) == (3, 5)
    assert all((a == b).all() for a, b in zip(codec.parameters(), first_codec.parameters(), strict=True))
    assert any(
        (a != b).any() for a, b in zip(last.planner.parameters(), first.planner.parameters(), strict=True)
    )


def test_joint_training_starts_from_both_branches(trained: Path) -> None:
    home = trained / "tiny"
    model, _ = trainer.initial(STAGES["joint-model"], preset("tiny"), home, None)
    for part, name in (("planner", "initial-planner"), ("generator", "initial-generator-9")):
        earlier, _ = checkpoint.load(home / name / "checkpoint")
        expected = getattr(earlier, part).state_dict()
        got = getattr(model, part).state_dict()
        assert all(torch.equal(expected[key], got[key]) for key in expected)


def test_the_log_starts_before_training(trained: Path) -> None:
    rows = curve(trained, "initial-planner")
    assert [row["step"] for row in rows] == [0, 2, 4, 6]
    assert "loss" not in rows[0] and rows[-1]["held_out"] < rows[0]["held_out"]
    assert rows[-1]["clips"] == 24


def test_looking_at_held_out_clips_changes_nothing_that_is_learnt(trained: Path, tmp_path: Path) -> None:
    """They are seen with averaged weights, which must leave no trace in the trained ones."""
    often, once = (with_stages(trained, tmp_path / every, "codec") for every in ("1", "6"))
    for out in (often, once):
        assert train(out, "initial-planner", "--log-every", out.name, "--precision", "bf16") == 0
    assert curve(often, "initial-planner")[-1]["held_out"] == curve(once, "initial-planner")[-1]["held_out"]
    assert weights(often, "initial-planner") == weights(once, "initial-planner")


def test_a_finished_chain_is_not_done_again(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = curve(trained, "initial-planner")
    assert train(trained, "initial-planner") == 0
    assert "done before" in capsys.readouterr().out and curve(trained, "initial-planner") == before


def test_temporal_stages_swap_attention_and_keep_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = preset("tiny")
    model = MarDini(config)
    checkpoint.save(tmp_path / "joint-task-17" / "checkpoint", model, LatentCodec(config.codec))
    swapped, _ = trainer.initial(STAGES["joint-task-17-t"], config, tmp_path, None)
    assert swapped.config.generator.attention == "temporal"
    expected, got = model.state_dict(), swapped.state_dict()
    assert all(torch.equal(expected[key], got[key]) for key in expected)


def command(out: Path, stage: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "mardini.train", "--stage", stage, "--out", str(out), *SMALL, *OFTEN, *more]


def test_a_killed_run_ends_as_an_undisturbed_one(trained: Path, tmp_path: Path) -> None:
    out = with_stages(trained, tmp_path / "runs", "codec")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command(out, "initial-planner"), cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    log = out / "tiny" / "initial-planner" / "log.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.is_file() and '"step": 4' in log.read_text()):
        assert process.poll() is None, "ended before it was killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (log.parent / "checkpoint").exists()
    torch.set_num_threads(1)
    assert train(out, "initial-planner") == 0
    assert curve(out, "initial-planner") == curve(trained, "initial-planner")
    assert weights(out, "initial-planner") == weights(trained, "initial-planner")


@pytest.mark.parametrize("stop_at", [1, 4])
def test_an_interrupted_run_ends_as_an_undisturbed_one(
    stop_at: int, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = with_stages(trained, tmp_path / "runs", "codec", "initial-planner", "initial-generator-9")
    average, calls = trainer.RunState.update_average, []

    def interrupted(self: trainer.RunState, step: int) -> None:
        calls.append(step)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        average(self, step)

    monkeypatch.setattr(trainer.RunState, "update_average", interrupted)
    more = ["--log-every", "3"]  # a line of the log spans two saved states
    assert train(out, "joint-model", *more) == 130
    monkeypatch.setattr(trainer.RunState, "update_average", average)
    assert train(out, "joint-model", *more) == 0
    steps = {row["step"]: row for row in curve(out, "joint-model")}
    undisturbed = {row["step"]: row for row in curve(trained, "joint-model")}
    assert list(steps) == [0, 3, 6]
    assert all(steps[step]["held_out"] == undisturbed[step]["held_out"] for step in (0, 6))
    first_three = (undisturbed[2]["loss"] * 2, undisturbed[4]["loss"] * 2, undisturbed[6]["loss"] * 2)
    assert steps[3]["loss"] * 3 + steps[6]["loss"] * 3 == pytest.approx(sum(first_three), rel=1e-12)
    assert weights(out, "joint-model") == weights(trained, "joint-model")


def test_half_a_state_and_half_a_line_are_not_read(trained: Path, tmp_path: Path) -> None:
    out = with_stages(trained, tmp_path / "runs", "codec")
    assert train(out, "initial-planner") == 0
    folder = out / "tiny" / "initial-planner"
    (folder / "state" / "99").mkdir()  # begun, no .metadata yet
    with (folder / "log.jsonl").open("a") as log:
        log.write('{"step": 7')
    assert trainer.latest(folder / "state") == 6
    (folder / "checkpoint" / checkpoint.CONFIG).unlink()  # as if killed before the last file
    assert train(out, "initial-planner") == 0
    assert curve(out, "initial-planner") == curve(trained, "initial-planner")


def test_parts_checkpointing_and_strips(trained: Path, tmp_path: Path) -> None:
    """The same curve, up to rounding, however a batch is computed; and strips with the given frames on both rows."""
    out = with_stages(trained, tmp_path / "runs", "codec", "initial-planner", "initial-generator-9")
    more = ["--accumulate", "2", "--activation-checkpointing", "--sample-every", "3"]
    assert train(out, "joint-model", *more) == 0
    for row, expected in zip(curve(out, "joint-model"), curve(trained, "joint-model"), strict=True):
        assert row == pytest.approx(expected, rel=1e-4)
    strips = sorted((out / "tiny" / "joint-model" / "samples").iterdir())
    assert [strip.name for strip in strips] == ["step-000003.png", "step-000006.png"]
    strip = read_image(strips[1])
    assert strip.shape == (2 * 40 + 8, 5 * 40 + 8, 3)
    above, below = strip[8:40], strip[48:80]
    assert (above[:, 8:40] == below[:, 8:40]).all() and (above[:, -40:-8] == below[:, -40:-8]).all()
    assert np.abs(above.astype(int) - below)[:, 48:-48].mean() > 1


def test_checkpoints_on_the_way_are_kept_and_change_nothing(trained: Path, tmp_path: Path) -> None:
    with_stages(trained, tmp_path, "codec")
    assert train(tmp_path, "initial-planner", "--keep-every", "3") == 0
    assert weights(tmp_path, "initial-planner") == weights(trained, "initial-planner")
    kept = tmp_path / "tiny" / "initial-planner" / "kept"
    assert sorted(path.name for path in kept.iterdir()) == ["step-000003", "step-000006"]
    half, last = ((kept / name / checkpoint.WEIGHTS).read_bytes() for name in ("step-000003", "step-000006"))
    assert half != last == weights(trained, "initial-planner")


def test_a_noise_shift_is_learnt_with_and_not_judged_by(trained: Path, tmp_path: Path) -> None:
    out = with_stages(trained, tmp_path / "runs", "codec", "initial-planner", "initial-generator")
    stage = "initial-generator-4fps"
    assert train(out, stage, "--noise-shift", "8") == 0
    rows, expected = curve(out, stage), curve(trained, stage)
    assert rows[0]["held_out"] == expected[0]["held_out"]  # of the same steps, before anything is learnt
    assert [row.get("loss") for row in rows[1:]] != [row.get("loss") for row in expected[1:]]
    assert weights(out, stage) != weights(trained, stage)


def test_bfloat16_trains_close_to_float32(trained: Path, tmp_path: Path) -> None:
    out = with_stages(trained, tmp_path / "runs", "codec")
    assert train(out, "initial-planner", "--precision", "bf16") == 0
    rows, expected = curve(out, "initial-planner"), curve(trained, "initial-planner")
    assert [row["held_out"] for row in rows] == pytest.approx([row["held_out"] for row in expected], rel=0.05)
    assert rows != expected


@pytest.mark.slow
def test_compiled_blocks_train_alike(trained: Path, tmp_path: Path) -> None:
    out = with_stages(trained, tmp_path / "runs", "codec")
    assert train(out, "initial-planner", "--compile", "--activation-checkpointing") == 0
    for row, expected in zip(curve(out, "initial-planner"), curve(trained, "initial-planner"), strict=True):
        assert row == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--stage", "joint-modle"], "did you mean 'joint-model'"),
        (["--stage", "codec", "--preset", "nan"], "did you mean 'nano'"),
        (["--stage", "codec", "--preset", "tiny", "--resolution", "30"], "multiple of 16"),
        (["--stage", "codec", "--clips", "0"], "at least 1"),
        (["--stage", "codec", "--lr", "-1"], "must be positive"),
        (["--stage", "joint-task", "--noise-shift", "0"], "--noise-shift must be positive, got 0.0"),
        (["--stage", "joint-task", "--preset", "tiny"], "run that stage first"),
        (["--stage", "codec", "--preset", "tiny", "--batch", "9", "--accumulate", "2"], "does not divide"),
        (["--stage", "codec", "--preset", "tiny", "--data", "nowhere"], "nowhere does not exist"),
        (["--stage", "codec", "--data", "synthetic", "--data", "x"], "cannot be mixed"),
        (["--chain", "codec", "--init", "x"], "name a later stage"),
    ],
)
def test_mistakes_get_a_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.startswith("error: ") and error.count("\n") == 1


def test_a_run_that_diverges_stops_and_keeps_its_last_state(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = with_stages(trained, tmp_path / "runs", "codec")
    scale = trainer.schedule
    monkeypatch.setattr(trainer, "schedule", lambda step, total: scale(step, total) if step < 2 else math.nan)
    assert train(out, "initial-planner") == 2
    assert "initial-planner diverged before step 4: its loss" in capsys.readouterr().err
    folder = out / "tiny" / "initial-planner"
    assert latest(folder / "state") == 2 and not (folder / "checkpoint").exists()
    assert [row["step"] for row in curve(out, "initial-planner")] == [0, 2]


def test_a_run_is_not_resumed_with_other_options(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(trained, "codec", "--seed", "1") == 2
    assert "other options (seed)" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["L/T", "tiny"])
def test_a_dry_run_tells_all_and_builds_nothing(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--stage", "joint-task-17-t", "--preset", model, "--out", str(tmp_path), "--dry-run"]
    assert main(arguments) == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if " " in line)
    for heading in (
        "stage",
        "data",
        "clips",
        "steps",
        "tokens",
        "parameters",
        "trainable",
        "memory",
        "FLOPs",
    ):
        assert heading in told
    if model == "L/T":
        assert "17 frames at 8 FPS, 512 px (planner: 128 px)" in told["clips"]
        assert "40,000,000 clips" in told["steps"] and "temporal attention" in told["stage"]
    assert not list(tmp_path.iterdir())
