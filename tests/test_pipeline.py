"""Frames in, frames out, with the checkpoint that ships."""

from __future__ import annotations

import numpy as np
import pytest

from mardini.errors import UserError
from mardini.pipeline import MarDiniPipeline
from mardini.synthetic import make_clip


@pytest.fixture(scope="module")
def pipeline() -> MarDiniPipeline:
    return MarDiniPipeline.from_pretrained()


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a.astype(float) - b.astype(float)) ** 2).mean())


def test_given_frames_return_untouched_and_the_rest_is_made(pipeline: MarDiniPipeline) -> None:
    clip = make_clip(10_000_001, 9, (64, 64))
    made = pipeline.interpolate(clip[0], clip[-1], 7, seed=1, steps=4)
    assert made.shape == clip.shape and made.dtype == np.uint8
    assert (made[[0, 8]] == clip[[0, 8]]).all()


def test_in_betweens_are_recognisable(pipeline: MarDiniPipeline) -> None:
    """Over a few clips, what is made for a clip is closer to its true middle than to the other clips' middles."""
    clips = [make_clip(10_000_000 + seed, 9, (64, 64)) for seed in range(5)]
    middles = [pipeline.interpolate(clip[0], clip[-1], 7, seed=0, steps=8)[4] for clip in clips]
    errors = np.array([[error(made, clip[4]) for clip in clips] for made in middles])
    assert (errors.argmin(axis=1) == np.arange(5)).all()
    assert np.diag(errors).mean() < 0.35 * errors.mean()


def test_the_seed_decides(pipeline: MarDiniPipeline) -> None:
    clip = make_clip(10_000_002, 9, (64, 64))
    first, again, other = (pipeline.interpolate(clip[0], clip[-1], 7, seed=s, steps=2) for s in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("size", [(48, 80), (100, 61)])
def test_any_size_is_worked_at_the_models_resolution(
    pipeline: MarDiniPipeline, size: tuple[int, int]
) -> None:
    clip = make_clip(10_000_003, 9, size)
    assert pipeline.interpolate(clip[0], clip[-1], 3, steps=1).shape == (5, *size, 3)


@pytest.mark.parametrize("given", [(0,), (4,), (0, 1, 2, 3), (1, 5, 8)])
def test_any_frames_may_be_given(pipeline: MarDiniPipeline, given: tuple[int, ...]) -> None:
    clip = make_clip(10_000_004, 9, (64, 64))
    made = pipeline.fill(clip, given, steps=1)
    kept = np.isin(np.arange(9), given)
    assert (made[kept] == clip[kept]).all() and (made[~kept] != clip[~kept]).any()


def test_mistakes_get_a_sentence(pipeline: MarDiniPipeline) -> None:
    clip = make_clip(0, 9, (64, 64))
    with pytest.raises(UserError, match="uint8 RGB"):
        pipeline.fill(clip.astype(np.float32), (0,))
    with pytest.raises(UserError, match="do not fit"):
        pipeline.fill(clip, (9,))
    with pytest.raises(UserError, match="at least 1"):
        pipeline.interpolate(clip[0], clip[1], 0)
    with pytest.raises(UserError, match="choose 1 to 1000"):
        pipeline.fill(clip, (0,), steps=0)
    with pytest.raises(UserError, match="checkpoint"):
        MarDiniPipeline.from_pretrained("nowhere")
