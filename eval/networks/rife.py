"""RIFE 4.25: intermediate flow estimated coarse to fine, both frames warped to any time and mixed by a mask.

Method: Huang et al. 2022, "Real-Time Intermediate Flow Estimation for Video Frame Interpolation" (arXiv:2011.06294).
Version 4.25 is an engineering release of hzwer/Practical-RIFE (MIT); its layers, their shapes and order were read
off its source as published in HolyWu/vs-rife (MIT), whose module the tests compare this one with. Parameter names are
those of ``rife_v4.25.safetensors`` (Comfy-Org/frame_interpolation), which loads strictly.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from eval.networks.warp import warp
from mardini.video import to_float, to_uint8

WIDTHS = (192, 128, 96, 64, 32)  # of the blocks, coarse to fine
SCALES = (16, 8, 4, 2, 1)  # how much smaller than the frames each block works
FEATURES = 4  # channels of a frame's features
HIDDEN = 8  # channels a block hands to the next beside motion and mask
MULTIPLE = 64  # the coarsest block works at 1/16 and halves twice more


def leaky(convolution: nn.Module) -> nn.Sequential:
    """A convolution and its leaky ReLU."""
    return nn.Sequential(convolution, nn.LeakyReLU(0.2))


class Encoder(nn.Module):
    """Features of one frame at its own resolution: (N, 3, H, W) -> (N, 4, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn0 = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.cnn1 = nn.Conv2d(16, 16, 3, padding=1)
        self.cnn2 = nn.Conv2d(16, 16, 3, padding=1)
        self.cnn3 = nn.ConvTranspose2d(16, FEATURES, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.cnn0, self.cnn1, self.cnn2):
            x = F.leaky_relu(layer(x), 0.2)
        return self.cnn3(x)


class Residual(nn.Module):
    """A convolution scaled channel by channel, added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.beta = nn.Parameter(torch.ones(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.conv(x) * self.beta + x, 0.2)


class Block(nn.Module):
    """One step of refinement: what is known so far -> change of motion (4), mask (1), hidden state (8)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Sequential(
            leaky(nn.Conv2d(inputs, width // 2, 3, stride=2, padding=1)),
            leaky(nn.Conv2d(width // 2, width, 3, stride=2, padding=1)),
        )
        self.convblock = nn.Sequential(*(Residual(width) for _ in range(8)))
        self.lastconv = nn.Sequential(
            nn.ConvTranspose2d(width, 4 * (4 + 1 + HIDDEN), 4, stride=2, padding=1), nn.PixelShuffle(2)
        )

    def forward(self, x: Tensor, motion: Tensor | None, scale: int) -> tuple[Tensor, Tensor, Tensor]:
        x = resized(x, 1 / scale)
        if motion is not None:
            x = torch.cat((x, resized(motion, 1 / scale) / scale), dim=1)
        out = resized(self.lastconv(self.convblock(self.conv0(x))), scale)
        return out[:, :4] * scale, out[:, 4:5], out[:, 5:]


def resized(x: Tensor, factor: float) -> Tensor:
    """(N, C, H, W), ``factor`` times as large, bilinear."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class RIFE(nn.Module):
    """Two frames and a time between them -> the frame at that time."""

    def __init__(self) -> None:
        super().__init__()
        first = 2 * (3 + FEATURES) + 1  # both frames, their features, the time
        later = first + 1 + HIDDEN + 4  # besides: mask, hidden state, motion
        inputs = (first, *[later] * (len(WIDTHS) - 1))
        self.blocks = nn.ModuleList(Block(i, width) for i, width in zip(inputs, WIDTHS, strict=True))
        self.encode = Encoder()

    def forward(self, first: Tensor, last: Tensor, time: float) -> Tensor:
        """The frame at ``time`` in (0, 1).

        Args:
            first, last: (N, 3, H, W) in [0, 1], sides multiples of 64.

        Returns:
            (N, 3, H, W) in [0, 1].
        """
        features = self.encode(first), self.encode(last)
        when = torch.full_like(first[:, :1], time)
        motion, mask = None, None
        known = torch.cat((first, last, *features, when), dim=1)
        seen = first, last
        for block, scale in zip(self.blocks, SCALES, strict=True):
            change, mask, hidden = block(known, motion, scale)
            motion = change if motion is None else motion + change
            ways = motion[:, :2], motion[:, 2:]  # from the wanted frame to the first, and to the last
            seen = warp(first, ways[0]), warp(last, ways[1])
            moved = warp(features[0], ways[0]), warp(features[1], ways[1])
            known = torch.cat((*seen, *moved, when, mask, hidden), dim=1)
        assert mask is not None
        mix = torch.sigmoid(mask)
        return seen[0] * mix + seen[1] * (1 - mix)

    @torch.inference_mode()
    def between(self, first: np.ndarray, last: np.ndarray, n: int) -> np.ndarray:
        """``n`` frames at times 1/(n+1) ... n/(n+1), each estimated from the two frames alone.

        Args:
            first, last: ``uint8`` RGB (H, W, 3), of any size: padded by zeros below and to the right to a multiple
                of 64, as in Practical-RIFE.

        Returns:
            ``uint8`` (n, H, W, 3).
        """
        height, width = first.shape[:2]
        device = next(self.parameters()).device
        pair = to_float(np.stack((first, last))).to(device)
        pair = F.pad(pair, (0, -width % MULTIPLE, 0, -height % MULTIPLE))
        made = [self(pair[:1], pair[1:], k / (n + 1))[0, :, :height, :width] for k in range(1, n + 1)]
        return to_uint8(torch.stack(made))


def load_rife(weights: Path, device: str = "cpu") -> RIFE:
    """The network in evaluation mode, with the weights of a verified file."""
    network = RIFE()
    network.load_state_dict(load_file(weights), strict=True)
    return network.eval().requires_grad_(False).to(device)
