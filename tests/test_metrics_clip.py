"""CLIP's two similarities: which frames are compared, and what the encoder is fed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from eval.metrics.base import Video
from eval.metrics.clip import ClipSimilarity, preprocess
from mardini.errors import UserError


class Corners(nn.Module):
    """Stands for the encoder: 8x8 means of the image."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 28).flatten(1)


@pytest.fixture
def metric() -> ClipSimilarity:
    metric = ClipSimilarity(None)
    metric.network = Corners()  # type: ignore[assignment]
    return metric


def frames(count: int, size: tuple[int, int] = (40, 56)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    x, y = (nn.functional.avg_pool2d(preprocess(f[None]), 28).flatten() for f in (a, b))
    return float(nn.functional.cosine_similarity(x, y, dim=0))


def test_consecutive_frames_and_given_frames(metric):
    clip = frames(5)
    found = metric(Video(clip, (0, 4), None, 24.0))
    consecutive = [cosine(a, b) for a, b in itertools.pairwise(clip)]
    to_given = [cosine(clip[i], clip[j]) for i in (1, 2, 3) for j in (0, 4)]
    assert found == pytest.approx({"_frames": np.mean(consecutive), "_image": np.mean(to_given)}, abs=1e-5)
    still = np.repeat(clip[:1], 5, axis=0)
    assert metric(Video(still, (0,), None, 24.0)) == pytest.approx({"_frames": 1, "_image": 1}, abs=1e-6)


@pytest.mark.parametrize("size", [(40, 57), (333, 256), (224, 224)])
def test_the_encoder_is_fed_as_by_the_authors(size):
    """Their transform, by torchvision on Pillow images."""
    transforms = pytest.importorskip("torchvision.transforms")
    from PIL import Image

    transform = transforms.Compose(
        [
            transforms.Resize(224, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
        ]
    )
    clip = frames(2, size)
    expected = torch.stack([transform(Image.fromarray(frame)) for frame in clip])
    torch.testing.assert_close(preprocess(clip), expected, atol=1e-6, rtol=0)


def test_names_and_refusals(metric):
    assert (metric.name, metric.suffixes, metric.weights) == ("clip_random", ("_frames", "_image"), ())
    with pytest.raises(UserError, match="this clip has 1 frames of which 1 are given"):
        metric(Video(frames(1), (0,), None, 24.0))
    with pytest.raises(UserError, match="0 are given"):
        metric(Video(frames(3), (), None, 24.0))
