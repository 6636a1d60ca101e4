"""Clips as one picture: frames side by side, given ones framed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

GAP = 8
"""White pixels between frames."""
LINE = (230, 97, 0)
"""Colour of the line around given frames: an orange that colour-blind readers tell from blue and from grey."""
COLUMNS = 9
"""Frames in a row when a single clip is drawn."""


def strip(clips: Sequence[np.ndarray], given: Collection[int] = ()) -> np.ndarray:
    """Picture of clips (T, H, W, 3) of equal frame size, a row a clip: ``uint8`` (h, w, 3).

    Frames number ``given`` have a line around them, in the gap, so that no pixel of theirs is hidden. Shorter clips
    leave the end of their row white.
    """
    return _drawn([[(frame, number in given) for number, frame in enumerate(clip)] for clip in clips])


def sheet(clip: np.ndarray, given: Collection[int] = ()) -> np.ndarray:
    """Picture of one clip, read like text: ``COLUMNS`` frames a row."""
    cells = [(frame, number in given) for number, frame in enumerate(clip)]
    return _drawn([cells[start : start + COLUMNS] for start in range(0, len(cells), COLUMNS)])


def _drawn(rows: Sequence[Sequence[tuple[np.ndarray, bool]]]) -> np.ndarray:
    height, width = rows[0][0][0].shape[:2]
    shape = GAP + len(rows) * (height + GAP), GAP + max(map(len, rows)) * (width + GAP), 3
    picture = np.full(shape, 255, np.uint8)
    for row, cells in enumerate(rows):
        for column, (frame, given) in enumerate(cells):
            top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
            if given:
                picture[top - 3 : top + height + 3, left - 3 : left + width + 3] = LINE
                picture[top - 1 : top + height + 1, left - 1 : left + width + 1] = 255
            picture[top : top + height, left : left + width] = frame
    return picture
