"""Backward warping by a motion field, as the interpolation networks do it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(image: Tensor, motion: Tensor) -> Tensor:
    """``image`` (N, C, H, W) sampled at each pixel's own place plus its motion (N, 2, H, W): x, then y, in pixels.

    Bilinear between pixel centres; places outside the image take its nearest border pixel.
    """
    height, width = motion.shape[2:]
    y = torch.arange(height, dtype=motion.dtype, device=motion.device).view(1, -1, 1) + motion[:, 1]
    x = torch.arange(width, dtype=motion.dtype, device=motion.device).view(1, 1, -1) + motion[:, 0]
    # pixel centres in grid_sample's coordinates: -1 and 1 are the image's outer edges
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
