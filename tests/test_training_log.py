"""What a training run tells: its log in TensorBoard and Weights & Biases, and the progress bar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_training import curve, train, with_stages

from mardini import checkpoint, trainer
from mardini.config import preset
from mardini.stages import STAGES


@pytest.mark.parametrize("flags", [["--tensorboard"], ["--wandb", "project"]])
def test_a_missing_logger_gets_a_sentence(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mardini import training_log

    find = training_log.importlib.util.find_spec
    loggers = {"tensorboard": None, "wandb": None}
    monkeypatch.setattr(
        training_log.importlib.util,
        "find_spec",
        lambda name: loggers[name] if name in loggers else find(name),
    )
    assert train(tmp_path, "codec", *flags) == 2
    assert "pip install" in capsys.readouterr().err


def test_tensorboard_shows_what_the_log_says(trained: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = with_stages(trained, tmp_path / "runs", "codec")
    assert train(out, "initial-planner", "--tensorboard") == 0
    events = EventAccumulator(str(out / "tiny" / "initial-planner" / "tensorboard"))
    events.Reload()
    rows = curve(out, "initial-planner")
    shown = [(event.step, event.value) for event in events.Scalars("held_out")]
    assert shown == [(row["step"], pytest.approx(row["held_out"])) for row in rows]
    assert [event.step for event in events.Scalars("loss")] == [2, 4, 6]


def test_tensorboard_goes_on_where_a_run_was_stopped(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = with_stages(trained, tmp_path / "runs", "codec")

    def stop(step: int, total: int) -> float:
        if step == 5:
            raise KeyboardInterrupt
        return schedule(step, total)

    schedule = trainer.schedule
    monkeypatch.setattr(trainer, "schedule", stop)
    assert train(out, "initial-planner", "--tensorboard") == 130
    monkeypatch.undo()
    assert train(out, "initial-planner", "--tensorboard") == 0
    events = EventAccumulator(str(out / "tiny" / "initial-planner" / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("held_out")] == [0, 2, 4, 6]


def test_weights_and_biases_get_what_the_log_says(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to keep the run on disk (offline), W&B has every row of it under an id that a resumed run keeps."""
    for name, value in (("WANDB_MODE", "offline"), ("WANDB_SILENT", "true")):
        monkeypatch.setenv(name, value)
    out = with_stages(trained, tmp_path / "runs", "codec")
    folder = out / "tiny" / "initial-planner"
    assert train(out, "initial-planner", "--wandb", "mardini") == 0
    run_id = (folder / "wandb-id.txt").read_text()
    (kept,) = (folder / "wandb").glob(f"offline-run-*/run-{run_id}.wandb")
    data = kept.read_bytes()
    for row in curve(out, "initial-planner"):
        assert repr(row["held_out"]).encode() in data
    (folder / "checkpoint" / checkpoint.CONFIG).unlink()  # as if killed before the last file
    assert train(out, "initial-planner", "--wandb", "mardini") == 0
    assert (folder / "wandb-id.txt").read_text() == run_id


def test_the_bar_shows_utilisation_where_the_peak_of_the_device_is_known(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mardini import training_log
    from mardini.flops import training_step

    peak, shown = 1e12, []
    speed = training_log.Log._speed
    monkeypatch.setattr(training_log, "peak_flops", lambda device: peak)
    monkeypatch.setattr(
        training_log.Log, "_speed", lambda log, step: shown.append(speed(log, step)) or shown[-1]
    )
    out = with_stages(trained, tmp_path / "runs", "codec")
    assert train(out, "initial-planner") == 0
    options = json.loads((out / "tiny" / "initial-planner" / "options.json").read_text())
    shape = options["frames"], options["resolution"]
    work = training_step(STAGES["initial-planner"], preset("tiny"), 4, *shape)
    for values in shown[1:]:
        assert values["MFU"] == pytest.approx(values["clips/s"] / 4 * work.model_flops / peak)
        assert values["MFU"] > 0
