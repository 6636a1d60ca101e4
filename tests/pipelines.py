"""A pipeline with random weights, and clips for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mardini.config import preset
from mardini.model import MarDini
from mardini.pipeline import MarDiniPipeline
from mardini.vae import LatentCodec


def random_pipeline(**options: Any) -> MarDiniPipeline:
    """A tiny model in which every weight matters: frames it makes are noise, but depend on all they should."""
    torch.manual_seed(0)
    config = preset("tiny")
    model, codec = MarDini(config), LatentCodec(config.codec)
    with torch.no_grad():
        for parameter in (*model.parameters(), *codec.parameters()):
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return MarDiniPipeline(model, codec, device="cpu", **options)


def clips(count: int, frames: int = 5, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, frames, *size, 3), np.uint8)
