"""Fine detail of given frames, carried over to generated ones.

A codec loses detail, and so does work at a lower resolution than that of the frames. What it loses of a *given* frame
is known: the frame less the same frame coded, decoded and resized. Most of what a generated frame shows is in a given
frame too, and lost the same detail. So each generated frame is matched by optical flow with the given frames next to it
in time, *as coded*, and what those lost is added along the flow, less of it where the two do not look alike.

This is ours, not the paper's, whose codec loses little. Where a codec loses nothing, nothing is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import cv2
import numpy as np

from mardini.optical_flow import estimate, target

TOLERANCE = 0.01
"""Mean square of a difference, of a range of 1, at which a match has 1/e of the weight of a perfect one."""

PATCH = 7
"""Side in pixels of the squares over which differences are averaged."""

DOUBT = 0.2
"""Weight of adding nothing, beside at most 1 for each given frame."""

MOST = 16
"""Windows at a time."""


def carry_detail(
    made: np.ndarray, given: np.ndarray, coded: np.ndarray, mask: np.ndarray, share: float = 1.0
) -> np.ndarray:
    """Generated frames with the detail that the codec has lost of given ones.

    Args:
        made: uint8 (M, H, W, 3), the generated frames of a window, as decoded.
        given: uint8 (R, H, W, 3), its given frames.
        coded: the same, coded and decoded.
        mask: (M + R,) bool, True = generated.
        share: of the detail, 0 to 1.

    Returns:
        uint8 (M, H, W, 3).
    """
    lost = given.astype(np.float32) - coded
    places = np.flatnonzero(~mask)
    result = np.empty_like(made)
    for index, place in enumerate(np.flatnonzero(mask)):
        after = int(np.searchsorted(places, place))
        total, weight = (
            np.zeros(made.shape[1:], np.float32),
            np.full((*made.shape[1:3], 1), DOUBT, np.float32),
        )
        for near in range(max(0, after - 1), min(len(places), after + 1)):
            trust, detail = _matched(made[index], coded[near], lost[near])
            total += trust * detail
            weight += trust
        result[index] = np.rint(np.clip(made[index] + share * total / weight, 0, 255))
    return result


def carry_details(
    made: Sequence[np.ndarray],
    given: Sequence[np.ndarray],
    coded: Sequence[np.ndarray],
    mask: np.ndarray,
    share: float = 1.0,
) -> list[np.ndarray]:
    """:func:`carry_detail` for each window of a batch, side by side: beside a fast GPU one processor core is slow."""
    with ThreadPoolExecutor(min(len(made), MOST)) as pool:
        return list(pool.map(carry_detail, made, given, coded, repeat(mask), repeat(share)))


def _matched(frame: np.ndarray, coded: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is lost of a given frame, moved to where a generated one shows the same, and how alike they are there."""
    grey, grey_coded = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (frame, coded))
    x, y = target(estimate(grey, grey_coded))
    there = cv2.remap(coded, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    apart = np.square((there.astype(np.float32) - frame) / 255).mean(-1)
    trust = np.exp(-cv2.blur(apart, (PATCH, PATCH)) / TOLERANCE)[..., None]
    return trust, cv2.remap(lost, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
