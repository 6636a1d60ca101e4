"""PSNR and SSIM on 8-bit RGB frames.

SSIM: Wang et al. 2004, in the form of ``tf.image.ssim`` and of scikit-image's ``gaussian_weights``: a
Gaussian window of 11 pixels and sigma 1.5, per channel, valid positions only, mean over all of them.
The pixel scale matters: ``ssim_vidim`` maps frames to [-1, 1] with L = 2, which is what VIDIM-Bench's tables
were computed with as far as can be told; ``ssim_std`` to [0, 1] with L = 1, the usual form. The shift changes
the luminance term, so the two are different numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import numpy as np

from eval.metrics.base import Kind, Pair, middle_and_mean
from mardini.errors import UserError

CAP = 100.0  # dB, for frames without any error
WINDOW = 11
SIGMA = 1.5
K1, K2 = 0.01, 0.03


def psnr_from_mse(mse: np.ndarray | float) -> np.ndarray:
    """Peak signal-to-noise ratio in dB from a mean squared error in grey levels (peak 255), at most 100."""
    with np.errstate(divide="ignore"):
        return np.minimum(10 * np.log10(255.0**2 / np.asarray(mse, dtype=np.float64)), CAP)


class PSNR:
    """PSNR of each frame, over pixels and channels together."""

    name = row = "psnr"
    kind: Kind = "frame"
    version = "1"
    variant: Mapping[str, Any] = MappingProxyType({"peak": 255, "channels": "RGB", "cap_db": CAP})
    weights = ()
    higher_is_better = True
    decimals = 2
    suffixes = ("_mid", "_all")

    def __call__(self, pair: Pair) -> np.ndarray:
        return psnr_from_mse(pair.squared_error)

    def forms(self, values: np.ndarray, middle: int | None) -> dict[str, float]:
        return middle_and_mean(values, middle)


class ClipPSNR:
    """PSNR of a clip from its mean squared error pooled over the generated frames (VIDIM-Bench, table 2)."""

    name = "psnr_clip"
    row = "mse"
    kind: Kind = "frame"
    version = "1"
    variant: Mapping[str, Any] = MappingProxyType({**PSNR.variant, "pooling": "MSE over generated frames"})
    weights = ()
    higher_is_better = True
    decimals = 2
    suffixes = ("",)

    def __call__(self, pair: Pair) -> np.ndarray:
        return pair.squared_error

    def forms(self, values: np.ndarray, middle: int | None) -> dict[str, float]:
        return {"": float(psnr_from_mse(values.mean()))}


class SSIM:
    """SSIM of each frame; ``shifted`` maps frames to [-1, 1] (L = 2) instead of [0, 1] (L = 1)."""

    kind: Kind = "frame"
    version = "1"
    weights = ()
    higher_is_better = True
    decimals = 4
    suffixes = ("_mid", "_all")
    min_size = WINDOW

    def __init__(self, name: str, shifted: bool) -> None:
        self.name = self.row = name
        self.shifted = shifted
        self.variant = {
            "window": f"gaussian {WINDOW}, sigma {SIGMA}",
            "border": "valid",
            "channels": "RGB, mean",
            "range": [-1, 1] if shifted else [0, 1],
            "L": 2 if shifted else 1,
            "K": [K1, K2],
        }

    def __call__(self, pair: Pair) -> np.ndarray:
        return np.array([ssim_of(moments, self.shifted) for moments in pair.moments])

    def forms(self, values: np.ndarray, middle: int | None) -> dict[str, float]:
        return middle_and_mean(values, middle)


class Moments(NamedTuple):
    """Windowed moments of two frames x and y in [0, 1], at valid positions: (H - 10, W - 10, 3) each."""

    mean_x: np.ndarray
    mean_y: np.ndarray
    variances: np.ndarray  # var x + var y
    covariance: np.ndarray


def window_moments(x: np.ndarray, y: np.ndarray) -> Moments:
    """Gaussian-windowed moments of two ``uint8`` frames (H, W, 3). Raises ``UserError`` below 11 pixels."""
    if min(x.shape[:2]) < WINDOW:
        raise UserError(
            f"SSIM needs frames of at least {WINDOW}x{WINDOW} pixels, got {x.shape[1]}x{x.shape[0]}: "
            "score larger frames or leave ssim out of --metrics"
        )
    a, b = x.astype(np.float64) / 255, y.astype(np.float64) / 255
    mean_x, mean_y = _windowed(a), _windowed(b)
    variances = _windowed(a * a + b * b) - mean_x * mean_x - mean_y * mean_y
    return Moments(mean_x, mean_y, variances, _windowed(a * b) - mean_x * mean_y)


def ssim_of(moments: Moments, shifted: bool) -> float:
    """Mean SSIM from moments on [0, 1].

    On [-1, 1] with L = 2 (``shifted``) variances, covariance and both constants are four times those on
    [0, 1], so the structure term stays and only the means in the luminance term move; dividing that term by
    four leaves means around zero at half scale.
    """
    shift = 0.5 if shifted else 0.0
    x, y = moments.mean_x - shift, moments.mean_y - shift
    c1, c2 = K1**2, K2**2
    luminance = (2 * x * y + c1) / (x * x + y * y + c1)
    structure = (2 * moments.covariance + c2) / (moments.variances + c2)
    return float((luminance * structure).mean())


def _gaussian() -> np.ndarray:
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    return weights / weights.sum()


KERNEL = _gaussian()


def _windowed(image: np.ndarray) -> np.ndarray:
    """Separable Gaussian mean of (H, W, 3) at the positions where the whole window fits."""
    border = WINDOW // 2
    return cv2.sepFilter2D(image, -1, KERNEL, KERNEL)[border:-border, border:-border]
