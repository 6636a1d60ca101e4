"""PSNR and SSIM on 8-bit RGB frames.

SSIM: Wang et al. 2004, in the form of ``tf.image.ssim`` and of scikit-image's ``gaussian_weights``: a
Gaussian window of 11 pixels and sigma 1.5, per channel, valid positions only, mean over all of them.
The pixel scale matters: ``ssim_vidim`` maps frames to [-1, 1] with L = 2, which is what VIDIM-Bench's tables
were computed with as far as can be told; ``ssim_std`` to [0, 1] with L = 1, the usual form. The shift changes
the luminance term, so the two are different numbers. ``ssim_3d`` is a third, see its class.
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
        return np.array([ssim_of(means, self.shifted) for means in pair.windowed])

    def forms(self, values: np.ndarray, middle: int | None) -> dict[str, float]:
        return middle_and_mean(values, middle)


class SSIM3D:
    """SSIM with the colour channels as a third dimension of the window: ``ssim_matlab`` of RIFE, AMT and LDMVFI.

    Channels are three slices of a volume, so a window of 11 covers all of them, repeated at the ends as the
    image's border is. Scores come out far higher than those of the two-dimensional forms.
    """

    name = row = "ssim_3d"
    kind: Kind = "frame"
    version = "1"
    variant: Mapping[str, Any] = MappingProxyType(
        {
            "window": f"gaussian {WINDOW}, sigma {SIGMA}, over channels, rows and columns",
            "border": "replicate",
            "channels": "RGB, one volume",
            "range": [0, 1],
            "L": 1,
            "K": [K1, K2],
        }
    )
    weights = ()
    higher_is_better = True
    decimals = 4
    suffixes = ("_mid", "_all")
    min_size = WINDOW

    def __call__(self, pair: Pair) -> np.ndarray:
        return np.array([ssim_3d_of(means) for means in pair.windowed])

    def forms(self, values: np.ndarray, middle: int | None) -> dict[str, float]:
        return middle_and_mean(values, middle)


class Windowed(NamedTuple):
    """Gaussian-windowed means of two frames x and y in [0, 1], (H, W, 3) each, the border repeated.

    Positions at least 5 pixels from the border see no repeated pixel.
    """

    x: np.ndarray
    y: np.ndarray
    squares: np.ndarray  # of x * x + y * y
    product: np.ndarray  # of x * y


def windowed_means(x: np.ndarray, y: np.ndarray) -> Windowed:
    """The means that every SSIM is made of, from ``uint8`` (H, W, 3) twice. ``UserError`` below 11 pixels."""
    if min(x.shape[:2]) < WINDOW:
        raise UserError(
            f"SSIM needs frames of at least {WINDOW}x{WINDOW} pixels, got {x.shape[1]}x{x.shape[0]}: "
            "score larger frames or leave ssim out of --metrics"
        )
    # In float32 the variances of flat regions drown: 1e-7 of a mean square against a constant of 9e-4.
    a, b = x / 255.0, y / 255.0
    return Windowed(*(_window(image) for image in (a, b, a * a + b * b, a * b)))


def ssim_of(means: Windowed, shifted: bool) -> float:
    """Mean SSIM over valid positions and channels.

    On [-1, 1] with L = 2 (``shifted``) variances, covariance and both constants are four times those on
    [0, 1], so the structure term stays and only the means in the luminance term move; dividing that term by
    four leaves means around zero at half scale.
    """
    border = WINDOW // 2
    valid = Windowed(*(mean[border:-border, border:-border] for mean in means))
    return _mean_ssim(valid, shift=0.5 if shifted else 0.0)


def ssim_3d_of(means: Windowed) -> float:
    """Mean SSIM over all positions of the volume (3, H, W), on [0, 1] with L = 1."""
    return _mean_ssim(Windowed(*(cv2.transform(mean, CHANNELS) for mean in means)), shift=0.0)


def _mean_ssim(means: Windowed, shift: float) -> float:
    """Mean of luminance times structure; ``shift`` is taken off the means in the luminance."""
    c1, c2 = K1**2, K2**2
    product, squares = means.x * means.y, means.x * means.x + means.y * means.y
    structure = (2 * (means.product - product) + c2) / (means.squares - squares + c2)
    if shift:
        both = means.x + means.y
        product += shift * shift - shift * both
        squares += 2 * shift * shift - 2 * shift * both
    return float((structure * (2 * product + c1) / (squares + c1)).mean())


def _gaussian() -> np.ndarray:
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    return weights / weights.sum()


def _channel_window() -> np.ndarray:
    """(3, 3): how much of each channel the window sees that stands on a channel, the outer two repeated."""
    weights = np.zeros((3, 3))
    for channel in range(3):
        for offset, weight in enumerate(KERNEL, start=-(WINDOW // 2)):
            weights[channel, min(max(channel + offset, 0), 2)] += weight
    return weights


KERNEL = _gaussian()
CHANNELS = _channel_window()


def _window(image: np.ndarray) -> np.ndarray:
    """Separable Gaussian mean of (H, W, 3)."""
    return cv2.sepFilter2D(image, -1, KERNEL, KERNEL, borderType=cv2.BORDER_REPLICATE)
