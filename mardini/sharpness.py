"""Generated frames as sharp as the given ones.

A small model draws what it is not sure of a little soft. How sharp it should be is known: neighbouring frames of a
video have nearly the same amount of fine detail. So the detail of each generated frame (what a Gaussian blur takes
away) is multiplied by what brings its mean square to that of the given frames next to it in time. Nothing is ever made
softer.

This is ours, not the paper's. It buys distances of sets (FVD, FID), which see how sharp frames are, for a little of the
measures frame by frame (PSNR, SSIM, LPIPS), which see that a sharper edge is no more in place than a soft one. Where
much of a frame is wrong, as on real clips, a share of a half has been the better one: errors are detail too.
"""

from __future__ import annotations

import cv2
import numpy as np

FINE = 2.0
"""Standard deviation in pixels of the blur that leaves no detail."""

MOST = 2.0
"""Detail is raised to at most so many times what it was."""

ROUNDING = 1.0
"""Mean square, of values to 255, that is no detail but rounding and grain."""


def match_sharpness(made: np.ndarray, given: np.ndarray, mask: np.ndarray, share: float = 1.0) -> np.ndarray:
    """Generated frames with about as much detail as the given ones have.

    Args:
        made: uint8 (M, H, W, 3), the generated frames of a window.
        given: uint8 (R, H, W, 3), its given frames, at least one.
        mask: (M + R,) bool, True = generated.
        share: of what lacks, 0 (nothing is added) to 1.

    Returns:
        uint8 (M, H, W, 3). Between two given frames the aim goes from that of the one to that of the other in equal
        steps; before the first and after the last it is theirs. Some of what is added counts as no detail in the
        frame that results, so that a little still lacks.
    """
    aims = np.interp(
        np.flatnonzero(mask), np.flatnonzero(~mask), [energy(detail_of(frame)) for frame in given]
    )
    result = np.empty_like(made)
    for place, (frame, aim) in enumerate(zip(made, aims, strict=True)):
        fine = detail_of(frame)
        times = np.sqrt((aim + ROUNDING) / (energy(fine) + ROUNDING))
        result[place] = np.rint(np.clip(frame + share * (np.clip(times, 1, MOST) - 1) * fine, 0, 255))
    return result


def detail_of(frame: np.ndarray) -> np.ndarray:
    """What a blur takes away of a frame (H, W, 3): float32."""
    values = frame.astype(np.float32)
    return values - cv2.GaussianBlur(values, (0, 0), FINE)


def energy(detail: np.ndarray) -> float:
    """Mean square."""
    return float(np.square(detail).mean())
