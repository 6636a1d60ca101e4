"""Training: the chain of stages on a tiny model, exact resumption, mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mardini import checkpoint, trainer
from mardini.stages import STAGES
from mardini.train import main
from mardini.trainer import schedule


def train(out: Path, stage: str, *more: str) -> int:
    options = [
        "--preset",
        "tiny",
        "--out",
        str(out),
        "--clips",
        "48",
        "--batch",
        "8",
        "--workers",
        "0",
        "--save-every",
        "2",
    ]
    return main(["--stage", stage, *options, *more])


def curve(out: Path, stage: str) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (out / "tiny" / stage / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    for stage in ("codec", "initial-planner", "initial-generator"):
        assert train(out, stage) == 0
    return out


def test_stages_start_from_the_stages_before(trained: Path) -> None:
    start = [str(trained / "tiny" / name / "checkpoint") for name in ("initial-generator", "initial-planner")]
    assert train(trained, "joint-model", "--start", *start) == 0
    model, codec = checkpoint.load(trained / "tiny" / "joint-model" / "checkpoint")
    assert model.config.generator.attention == "spatio-temporal"
    earlier, first_codec = checkpoint.load(trained / "tiny" / "initial-planner" / "checkpoint")
    assert all((a == b).all() for a, b in zip(codec.parameters(), first_codec.parameters(), strict=True))
    assert any(
        (a != b).any() for a, b in zip(model.planner.parameters(), earlier.planner.parameters(), strict=True)
    )


def test_an_interrupted_run_ends_as_an_undisturbed_one(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "codec").symlink_to(trained / "tiny" / "codec")
    average, calls = trainer._average, []

    def interrupted(*args: object) -> None:
        calls.append(1)
        if len(calls) == 4:  # after step 3: the state file covers 2
            raise KeyboardInterrupt
        average(*args)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(trainer, "_average", interrupted)
    assert train(tmp_path, "initial-generator") == 130
    monkeypatch.setattr(trainer, "_average", average)
    assert train(tmp_path, "initial-generator") == 0
    assert curve(tmp_path, "initial-generator") == curve(trained, "initial-generator")
    weights = [
        out / "tiny" / "initial-generator" / "checkpoint" / checkpoint.WEIGHTS for out in (tmp_path, trained)
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_codec_starts_at_pca_and_improves(trained: Path) -> None:
    assert curve(trained, "codec")[-1]["loss"] < curve(trained, "codec")[0]["loss"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--stage", "joint-modle"], "did you mean 'joint-model'"),
        (["--stage", "codec", "--preset", "nan"], "did you mean 'nano'"),
        (["--stage", "codec", "--preset", "tiny", "--resolution", "30"], "multiple of 16"),
        (["--stage", "codec", "--clips", "0"], "at least 1"),
        (["--stage", "joint-task", "--preset", "tiny"], "run that stage first"),
    ],
)
def test_mistakes_get_a_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.startswith("error: ") and error.count("\n") == 1


def test_a_run_is_not_resumed_with_other_options(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(trained, "codec", "--seed", "1") == 2
    assert "other options" in capsys.readouterr().err


def test_the_training_manual_is_whole() -> None:
    assert [stage.trains for stage in STAGES.values()].count("both") == 6
    for stage in STAGES.values():
        assert 0 <= stage.preserved[0] <= stage.preserved[1] <= 1
        assert all(name in STAGES for name in stage.start)
    assert STAGES["joint-task-17-t"].attention == "temporal"


def test_learning_rate_warms_up_and_decays_to_zero() -> None:
    rates = [schedule(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.02) and max(rates) == 1 and rates[-1] < 1e-4
    assert rates.index(max(rates)) in (49, 50)
