"""What a stage starts from and leaves behind, and its learning rate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mardini import checkpoint, trainer
from mardini.config import preset, register
from mardini.data import Pictures, to_batch
from mardini.errors import UserError
from mardini.stages import STAGES
from mardini.train import main


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a codec trained for six steps."""
    out = tmp_path_factory.mktemp("runs")
    small = ["--preset", "tiny", "--clips", "24", "--batch", "4", "--workers", "0"]
    assert main(["--stage", "codec", "--out", str(out), *small]) == 0
    return out / "tiny" / "codec" / "checkpoint"


def test_a_chain_starts_from_the_codec_of_another_model(first: Path, tmp_path: Path) -> None:
    """Here tiny's codec for a planner of another size, made for a wider codec; no codec is trained."""
    tiny = preset("tiny")
    planner, wider = replace(tiny.planner, hidden=96), replace(tiny.codec, decoder=48)
    register(replace(tiny, name="tiny-wide", planner=planner, codec=wider))
    small = ["--preset", "tiny-wide", "--clips", "4", "--batch", "4", "--workers", "0"]
    assert main(["--chain", "initial-planner", "--init", str(first), "--out", str(tmp_path), *small]) == 0
    assert [path.name for path in (tmp_path / "tiny-wide").iterdir()] == ["initial-planner"]
    model, codec = checkpoint.load(tmp_path / "tiny-wide" / "initial-planner" / "checkpoint")
    shape = {"frames": 4, "fps": 8, "resolution": 256}  # the manual's own, as for every unknown preset
    assert model.config == replace(tiny, name="tiny-wide", planner=planner, **shape)
    expected = checkpoint.load(first)[1].state_dict()
    assert all(torch.equal(expected[name], tensor) for name, tensor in codec.state_dict().items())


def test_a_chain_starts_from_a_codec_alone(first: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    assert checkpoint.main([str(first), str(alone), "--codec-only"]) == 0
    model, codec = trainer.initial(STAGES["initial-planner"], preset("tiny"), tmp_path, [alone])
    assert model.config == preset("tiny")
    expected = checkpoint.load(first)[1].state_dict()
    assert all(torch.equal(expected[name], tensor) for name, tensor in codec.state_dict().items())
    with pytest.raises(UserError, match="a codec and no model"):
        trainer.initial(STAGES["joint-task"], preset("tiny"), tmp_path, [alone])
    register(replace(preset("tiny"), name="tiny-8", codec=replace(preset("tiny").codec, channels=8)))
    with pytest.raises(UserError, match="makes 16 channels, but preset tiny-8 needs 8"):
        trainer.initial(STAGES["initial-planner"], preset("tiny-8"), tmp_path, [alone])


def test_latents_of_a_trained_codec_have_unit_variance(first: Path) -> None:
    codec = checkpoint.load(first)[1]
    pictures = Pictures(24, 2, 32)
    frames = torch.cat([to_batch([pictures[index]])[0] for index in range(24)])
    assert float(codec.encode(frames).var(dim=(0, 2, 3)).mean()) == pytest.approx(1, abs=1e-3)


def test_learning_rate_warms_up_and_decays_to_zero() -> None:
    rates = [trainer.schedule(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.02) and max(rates) == 1 and rates[-1] < 1e-4
    assert rates.index(max(rates)) in (49, 50)
