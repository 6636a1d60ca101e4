"""Checkpoints: what is saved is what is loaded, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mardini import checkpoint
from mardini.config import preset
from mardini.errors import UserError
from mardini.model import MarDini
from mardini.vae import LatentCodec


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = preset("tiny")
    checkpoint.save(tmp_path, MarDini(config), LatentCodec(config.codec))
    return tmp_path


def test_round_trip(saved: Path) -> None:
    torch.manual_seed(0)
    config = preset("tiny")
    expected = MarDini(config), LatentCodec(config.codec)
    for module, loaded in zip(expected, checkpoint.load(saved), strict=True):
        for (name, tensor), (other, got) in zip(
            module.state_dict().items(), loaded.state_dict().items(), strict=True
        ):
            assert name == other
            torch.testing.assert_close(tensor, got, atol=0, rtol=0)


def test_half_precision_on_disk_loads_as_float32(saved: Path) -> None:
    model, codec = checkpoint.load(saved)
    checkpoint.save(saved / "half", model, codec, torch.float16)
    assert {t.dtype for t in load_file(saved / "half" / checkpoint.WEIGHTS).values()} == {torch.float16}
    assert {p.dtype for p in checkpoint.load(saved / "half")[0].parameters()} == {torch.float32}


@pytest.mark.parametrize("change", ["missing", "surplus", "shape"])
def test_tensors_must_fit_exactly(saved: Path, change: str) -> None:
    path = saved / checkpoint.WEIGHTS
    tensors = load_file(path)
    name = "model.planner.mask_token"
    if change == "missing":
        del tensors[name]
    elif change == "surplus":
        tensors["model.planner.surplus"] = torch.zeros(1)
    else:
        tensors[name] = torch.zeros(3)
    save_file(tensors, path)
    with pytest.raises(UserError, match="does not fit"):
        checkpoint.load(saved)


def test_damaged_and_missing_files_are_named(saved: Path) -> None:
    weights = saved / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match="readable checkpoint"):
        checkpoint.load(saved)
    weights.unlink()
    with pytest.raises(UserError, match=r"no model\.safetensors"):
        checkpoint.load(saved)


def test_configuration_of_another_model_is_refused(saved: Path) -> None:
    (saved / checkpoint.CONFIG).write_text(json.dumps(preset("nano").to_dict()))
    with pytest.raises(UserError, match="does not fit"):
        checkpoint.load(saved)
