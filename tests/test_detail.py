"""Detail of given frames in generated ones: what is added where, and what never is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mardini.detail import carry_detail, carry_details

MOVED = 6
"""Pixels to the right from one frame to the next."""


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Three frames of one texture that moves, uint8 (3, 96, 96, 3), and the same as a codec would blur them."""
    noise = np.random.default_rng(0).uniform(0, 255, (96, 128, 3)).astype(np.float32)
    coarse, fine = cv2.GaussianBlur(noise, (0, 0), 4), cv2.GaussianBlur(noise, (0, 0), 0.8)
    wall = np.clip(128 + 8 * (coarse - coarse.mean()) + (fine - fine.mean()), 0, 255).astype(np.uint8)
    frames = np.stack([wall[:, 16 - MOVED * t : 112 - MOVED * t] for t in (0, 1, 2)])
    return frames, np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in frames])


def error(made: np.ndarray, true: np.ndarray) -> float:
    """Mean square, away from the borders."""
    return float(np.square(made[16:-16, 16:-16].astype(float) - true[16:-16, 16:-16]).mean())


BETWEEN = np.array([False, True, False])


def test_detail_that_was_lost_comes_back_where_things_moved_to() -> None:
    frames, coded = scene()
    (made,) = carry_detail(coded[1:2], frames[::2], coded[::2], BETWEEN)
    assert made.dtype == np.uint8 and made.shape == frames[1].shape
    assert error(made, frames[1]) < 0.2 * error(coded[1], frames[1])
    (after,) = carry_detail(coded[2:], frames[:2], coded[:2], np.array([False, False, True]))
    assert error(after, frames[2]) < 0.3 * error(coded[2], frames[2])
    still = coded[1] + (frames[0].astype(float) - coded[0])  # added without following the motion
    assert error(made, frames[1]) < 0.2 * error(still, frames[1])


def test_a_codec_that_loses_nothing_adds_nothing() -> None:
    frames, coded = scene()
    np.testing.assert_array_equal(carry_detail(coded[1:2], frames[::2], frames[::2], BETWEEN), coded[1:2])
    np.testing.assert_array_equal(carry_detail(coded[1:2], frames[::2], coded[::2], BETWEEN, 0.0), coded[1:2])


def test_a_share_of_the_detail_is_that_share_of_what_is_added() -> None:
    frames, coded = scene()
    whole, half = (
        carry_detail(coded[1:2], frames[::2], coded[::2], BETWEEN, share).astype(float) - coded[1:2]
        for share in (1.0, 0.5)
    )
    unclipped = np.isin(coded[1:2] + whole, (0, 255), invert=True)
    assert np.abs(whole / 2 - half)[unclipped].max() <= 1


def test_windows_of_a_batch_keep_their_order_and_do_not_meet() -> None:
    frames, coded = scene()
    windows = [(coded[1:2], frames[::2], coded[::2]), (coded[1:2, ::-1], frames[::2, ::-1], coded[::2, ::-1])]
    generated, given, known = ([window[part] for window in windows] for part in range(3))
    both = carry_details(generated, given, known, BETWEEN)
    for made, alone in zip(both, windows, strict=True):
        np.testing.assert_array_equal(made, carry_detail(*alone, BETWEEN))


def test_what_looks_like_no_given_frame_gets_no_detail() -> None:
    frames, coded = scene()
    stranger = np.zeros_like(coded[1:2])
    stranger[..., 1] = 255
    added = carry_detail(stranger, frames[::2], coded[::2], BETWEEN).astype(float) - stranger
    assert np.abs(added).max() <= 1


@pytest.mark.parametrize(
    ("given", "made", "near"),
    [((0, 1, 8), 4, (1, 8)), ((0, 4, 5), 7, (5,)), ((3, 6), 1, (3,)), ((0, 3, 6, 8), 5, (3, 6))],
)
def test_detail_is_of_the_given_frames_next_in_time(
    given: tuple[int, ...], made: int, near: tuple[int, ...]
) -> None:
    """Those farther away may hold anything."""
    frames, coded = scene()
    places = (*given, made)
    mask = np.array([place == made for place in sorted(places)])
    sharp, blurred = (np.stack([part[i % 3] for i in range(len(given))]) for part in (frames, coded))
    expected = carry_detail(coded[:1], sharp, blurred, mask)
    for index, place in enumerate(given):
        other = sharp.copy()
        other[index] = 255 - other[index]
        same = np.array_equal(carry_detail(coded[:1], other, blurred, mask), expected)
        assert same == (place not in near)


@pytest.mark.parametrize("size", [(8, 8), (17, 40)])
def test_small_frames_have_detail_too(size: tuple[int, int]) -> None:
    frames, coded = (np.ascontiguousarray(part[:, : size[0], : size[1]]) for part in scene())
    made = carry_detail(coded[1:2], frames[::2], coded[::2], BETWEEN)
    assert made.shape == (1, *size, 3) and (made != coded[1:2]).any()
