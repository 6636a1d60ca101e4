"""Pictures of clips: every pixel of every frame is there, given frames are framed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mardini.strip import COLUMNS, GAP, LINE, sheet, strip


def cut(picture: np.ndarray, row: int, column: int, size: tuple[int, int]) -> np.ndarray:
    top, left = GAP + row * (size[0] + GAP), GAP + column * (size[1] + GAP)
    return picture[top : top + size[0], left : left + size[1]]


def framed(picture: np.ndarray, row: int, column: int, size: tuple[int, int]) -> bool:
    top, left = GAP + row * (size[0] + GAP), GAP + column * (size[1] + GAP)
    return tuple(picture[top - 2, left]) == tuple(picture[top, left - 2]) == LINE


@settings(max_examples=30, deadline=None)
@given(frames=st.integers(1, 30), marks=st.sets(st.integers(0, 29)), seed=st.integers(0, 99))
def test_a_sheet_shows_every_frame_once_and_marks_the_given(frames: int, marks: set[int], seed: int) -> None:
    clip = np.random.default_rng(seed).integers(0, 200, (frames, 8, 10, 3), np.uint8)
    picture = sheet(clip, marks)
    rows = -(-frames // COLUMNS)
    assert picture.shape == (GAP + rows * (8 + GAP), GAP + min(frames, COLUMNS) * (10 + GAP), 3)
    for index in range(frames):
        place = divmod(index, COLUMNS)
        np.testing.assert_array_equal(cut(picture, *place, (8, 10)), clip[index])
        assert framed(picture, *place, (8, 10)) == (index in marks)


def test_a_strip_has_a_row_a_clip_and_leaves_the_end_of_short_ones_white() -> None:
    clips = [np.zeros((3, 8, 8, 3), np.uint8), np.zeros((2, 8, 8, 3), np.uint8)]
    picture = strip(clips, (0,))
    assert picture.shape == (2 * (8 + GAP) + GAP, 3 * (8 + GAP) + GAP, 3)
    assert (cut(picture, 0, 2, (8, 8)) == 0).all() and (cut(picture, 1, 2, (8, 8)) == 255).all()
    assert (
        framed(picture, 0, 0, (8, 8)) and framed(picture, 1, 0, (8, 8)) and not framed(picture, 0, 1, (8, 8))
    )
