"""Frames to Inception's 299x299 input, as three code bases do it.

The same network with the same weights gives three FIDs by this alone. All take ``uint8`` RGB (T, H, W, 3) and
return float32 (T, 3, 299, 299), roughly in [-1, 1].
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SIZE = 299


def bilinear(frames: np.ndarray, device: torch.device) -> Tensor:
    """pytorch-fid: bilinear without antialiasing, half-pixel centres; [0, 255] to [-1, 1]."""
    x = _tensor(frames, device) / 255
    return 2 * F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False) - 1


def bilinear_tensorflow(frames: np.ndarray, device: torch.device) -> Tensor:
    """torch-fidelity: TensorFlow 1's bilinear, whose pixel i lies at i times the scale; then ``(x - 128) / 128``."""
    x = _tensor(frames, device)
    for axis in (3, 2):
        length = x.shape[axis]
        # float32 as in TensorFlow, where the grid of large images is a little off
        place = torch.arange(SIZE, device=device, dtype=torch.float32) * (length / SIZE)
        low = place.floor().long().clamp(max=length - 1)
        high = (low + 1).clamp(max=length - 1)
        share = (place - low).reshape([-1 if axis == a else 1 for a in range(4)])
        first = x.index_select(axis, low)
        x = first + (x.index_select(axis, high) - first) * share
    return (x - 128) / 128


def bicubic_pillow(frames: np.ndarray, device: torch.device) -> Tensor:
    """clean-fid: Pillow's antialiased bicubic on each channel in float, clipped to [0, 255]; ``(x - 128) / 128``."""
    from PIL import Image

    def resized(channel: np.ndarray) -> np.ndarray:
        image = Image.fromarray(np.ascontiguousarray(channel, dtype=np.float32))
        return np.asarray(image.resize((SIZE, SIZE), resample=Image.Resampling.BICUBIC))

    planes = np.stack([[resized(frame[..., c]) for c in range(3)] for frame in frames])
    return (torch.from_numpy(planes.clip(0, 255)).to(device) - 128) / 128


CONVENTIONS = {"": bilinear, "_tf1": bilinear_tensorflow, "_clean": bicubic_pillow}
"""By the suffix of the metric that uses it, see ``eval.metrics.detectors``."""


def _tensor(frames: np.ndarray, device: torch.device) -> Tensor:
    """float32 (T, 3, H, W) in [0, 255]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).to(device).permute(0, 3, 1, 2).float()
