"""Frames as VBench feeds them to its detectors: resized, cropped, normalised.

VBench's ``load_video`` gives float frames in [0, 255] to torchvision's transforms; these are the same operations
without importing torchvision, which takes seconds. Nothing is rounded to 8 bits or clipped on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def to_tensor(frames: np.ndarray, device: str) -> Tensor:
    """``uint8`` (T, H, W, 3) to float32 (T, 3, H, W) in [0, 255]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).to(device).permute(0, 3, 1, 2).float()


def resize_shorter(x: Tensor, size: int, mode: str, antialias: bool) -> Tensor:
    """The shorter side to ``size``, the longer one in proportion, rounded down."""
    height, width = x.shape[2:]
    longer = int(size * max(height, width) / min(height, width))
    target = (size, longer) if height <= width else (longer, size)
    return F.interpolate(x, target, mode=mode, align_corners=False, antialias=antialias)


def resize_longer(x: Tensor, most: int) -> Tensor:
    """The longer side to ``most`` pixels where it has more; bilinear, both sides rounded down."""
    height, width = x.shape[2:]
    if max(height, width) <= most:
        return x
    scale = most / max(height, width)
    target = int(scale * height), int(scale * width)
    return F.interpolate(x, target, mode="bilinear", align_corners=False, antialias=False)


def centre_crop(x: Tensor, size: int) -> Tensor:
    """The central ``size`` x ``size`` pixels."""
    top, left = (round((side - size) / 2.0) for side in x.shape[2:])
    return x[..., top : top + size, left : left + size]


def normalise(x: Tensor, mean: Sequence[float], deviation: Sequence[float]) -> Tensor:
    """From [0, 255] to zero mean and unit deviation of each channel."""
    shape = (1, 3, 1, 1)
    return (x / 255 - x.new_tensor(mean).reshape(shape)) / x.new_tensor(deviation).reshape(shape)
