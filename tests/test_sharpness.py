"""Sharpness of given frames in generated ones: never less than it was, never more than theirs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mardini.sharpness import MOST, detail_of, energy, match_sharpness
from mardini.synthetic import make_clip

BETWEEN = np.array([False, True, True, True, False])


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return make_clip(7, frames=5, size=(64, 96))


def soft(frame: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(frame, (0, 0), sigma)


def sharp(frame: np.ndarray) -> float:
    return energy(detail_of(frame))


def test_soft_frames_come_to_the_sharpness_of_given_ones(clip: np.ndarray) -> None:
    made = np.stack([soft(frame, 0.7) for frame in clip[1:4]])
    matched = match_sharpness(made, clip[[0, 4]], BETWEEN)
    assert matched.dtype == np.uint8 and matched.shape == made.shape
    aims = np.interp([1, 2, 3], [0, 4], [sharp(clip[0]), sharp(clip[4])])
    for before, after, aim in zip(made, matched, aims, strict=True):
        assert sharp(before) < 0.75 * aim
        assert 0.8 * aim < sharp(after) <= aim
        np.testing.assert_allclose(soft(after, 4), soft(before, 4), atol=8)  # what is coarse stays


def test_sharper_frames_are_left_alone(clip: np.ndarray) -> None:
    given = np.stack([soft(frame, 1.5) for frame in clip[[0, 4]]])
    np.testing.assert_array_equal(match_sharpness(clip[1:4], given, BETWEEN), clip[1:4])


def test_flat_frames_stay_flat_and_detail_is_raised_at_most_so_much(clip: np.ndarray) -> None:
    flat = np.full_like(clip[1:4], 90)
    np.testing.assert_array_equal(match_sharpness(flat, clip[[0, 4]], BETWEEN), flat)
    dull = np.stack([soft(frame, 3) for frame in clip[1:4]])
    matched = match_sharpness(dull, clip[[0, 4]], BETWEEN)
    for before, after in zip(dull, matched, strict=True):
        np.testing.assert_allclose(after, np.clip(before + (MOST - 1) * detail_of(before), 0, 255), atol=0.51)


def test_after_the_last_given_frame_its_own_sharpness_counts(clip: np.ndarray) -> None:
    """Whatever came before it."""
    mask = np.array([False, False, True, True, True])
    made = np.stack([soft(frame, 0.7) for frame in clip[2:]])
    known = clip[:2].copy()
    expected = match_sharpness(made, known, mask)
    known[0] = 0
    np.testing.assert_array_equal(match_sharpness(made, known, mask), expected)
    np.testing.assert_array_equal(match_sharpness(made, clip[1:2], mask[1:]), expected)


@given(share=st.floats(0, 1))
def test_a_share_of_the_sharpness_is_that_share_of_what_is_added(share: float) -> None:
    clip = make_clip(7, frames=5, size=(32, 32))
    made = np.stack([soft(frame, 1) for frame in clip[1:4]])
    some, whole = (match_sharpness(made, clip[[0, 4]], BETWEEN, part).astype(float) for part in (share, 1))
    inside = (whole > 0) & (whole < 255)
    np.testing.assert_allclose((some - made)[inside], (share * (whole - made))[inside], atol=1.01)
