"""FILM: features shared by all scales, motion refined coarse to fine, both frames warped half way and fused.

Method: Reda et al. 2022, "FILM: Frame Interpolation for Large Motion" (arXiv:2202.04901), the network trained with the
style loss. The layers follow google-research/frame-interpolation and its port dajes/frame-interpolation-pytorch (both
Apache-2.0, Copyright 2022 Google LLC; rewritten here). Parameter names are those of ``film_net_fp16.safetensors``
(Comfy-Org/frame_interpolation), a half-precision copy of the port's weights, which loads strictly; this network runs in
single precision.

Pyramids are lists from fine to coarse, each level half the size of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from eval.networks.warp import warp
from mardini.video import to_float, to_uint8

WIDTH = 64  # channels of the finest features, doubled at every halving
DEPTH = 4  # halvings of each extractor, and levels the fusion rises through
LEVELS = 7  # of the motion pyramid
MOTION_WIDTHS = (
    32,
    64,
    128,
    256,
)  # of the estimators of levels 0, 1, 2, and of the one that 3 and coarser share
FUSED = DEPTH + 1  # levels that the fusion looks at
MULTIPLE = 2 ** (LEVELS - 1)


class Conv(nn.Module):
    """Convolution that keeps the size (an even kernel reads on below and to the right), then a leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, activation: bool = True) -> None:
        super().__init__()
        self.even = kernel % 2 == 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=0 if self.even else kernel // 2)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.pad(x, (0, 1, 0, 1)) if self.even else x)
        return F.leaky_relu(x, 0.2) if self.activation else x


class SubTree(nn.Module):
    """Features of one image at its own scale and up to three coarser ones."""

    def __init__(self) -> None:
        super().__init__()
        widths = [WIDTH << i for i in range(DEPTH)]
        self.convs = nn.ModuleList(
            nn.Sequential(Conv(inputs, width, 3), Conv(width, width, 3))
            for inputs, width in zip((3, *widths), widths, strict=False)
        )

    def forward(self, image: Tensor, levels: int) -> list[Tensor]:
        """The finest ``levels`` of them: (N, 64 << i, H >> i, W >> i)."""
        pyramid: list[Tensor] = []
        for layer in self.convs[:levels]:
            pyramid.append(layer(F.avg_pool2d(pyramid[-1], 2) if pyramid else image))
        return pyramid


class Extractor(nn.Module):
    """Features of an image pyramid: at each level, what its own and the finer images give there."""

    def __init__(self) -> None:
        super().__init__()
        self.extract_sublevels = SubTree()

    def forward(self, images: Sequence[Tensor]) -> list[Tensor]:
        trees = [
            self.extract_sublevels(image, min(DEPTH, len(images) - level))
            for level, image in enumerate(images)
        ]
        return [
            torch.cat([trees[level - j][j] for j in range(min(DEPTH, level + 1))], dim=1)
            for level in range(len(images))
        ]


class MotionEstimator(nn.Module):
    """Motion (N, 2, H, W) from the pixels of one frame to another, from the features of both at one level."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self._convs = nn.ModuleList(
            (
                Conv(inputs, width, 3),
                Conv(width, width, 3),
                Conv(width, width, 3),
                Conv(width, width // 2, 1),
                Conv(width // 2, 2, 1, activation=False),
            )
        )

    def forward(self, of: Tensor, to: Tensor) -> Tensor:
        x = torch.cat((of, to), dim=1)
        for layer in self._convs:
            x = layer(x)
        return x


class Motion(nn.Module):
    """Motion pyramids, coarse to fine: each level adds what the level before it, doubled, has missed."""

    def __init__(self) -> None:
        super().__init__()
        features = [sum(WIDTH << j for j in range(min(DEPTH, i + 1))) for i in range(DEPTH)]
        estimators = [
            MotionEstimator(2 * inputs, width) for inputs, width in zip(features, MOTION_WIDTHS, strict=True)
        ]
        self._predictor = estimators[-1]
        self._predictors = nn.ModuleList(reversed(estimators[:-1]))  # of levels 2, 1, 0

    def forward(self, of: Sequence[Tensor], to: Sequence[Tensor]) -> list[Tensor]:
        """Two feature pyramids -> motion at every level, in that level's pixels, fine to coarse."""
        motions = [self._predictor(of[-1], to[-1])]
        own = len(self._predictors)
        for level in reversed(range(len(of) - 1)):
            motion = doubled(motions[0], of[level])
            estimate = self._predictors[own - 1 - level] if level < own else self._predictor
            motions.insert(0, motion + estimate(of[level], warp(to[level], motion)))
        return motions


def doubled(motion: Tensor, like: Tensor) -> Tensor:
    """A level's motion at the next finer level: as large as ``like``, and twice as long."""
    return 2 * F.interpolate(motion, size=like.shape[2:], mode="bilinear", align_corners=False)


class Fusion(nn.Module):
    """The decoder of a U-net over what was warped, from its coarsest level up to the image."""

    def __init__(self) -> None:
        super().__init__()
        self.output_conv = nn.Conv2d(WIDTH, 3, 1)
        self.convs = nn.ModuleList()
        below = given(DEPTH)
        for level in reversed(range(DEPTH)):
            width = WIDTH << level
            self.convs.append(
                nn.ModuleList(
                    (
                        Conv(below, width, 2, activation=False),
                        Conv(given(level + 1) + width, width, 3),
                        Conv(width, width, 3),
                    )
                )
            )
            below = width

    def forward(self, pyramid: Sequence[Tensor]) -> Tensor:
        x = pyramid[-1]
        for level, layers in zip(reversed(pyramid[:-1]), self.convs, strict=True):
            rise, join, refine = layers  # pyright: ignore[reportGeneralTypeIssues]  # a ModuleList of three
            x = rise(F.interpolate(x, size=level.shape[2:], mode="nearest"))
            x = refine(join(torch.cat((level, x), dim=1)))
        return self.output_conv(x)


def given(depth: int) -> int:
    """Channels that the fusion is given where features have ``depth`` parts: of both frames, image and motion too."""
    return 2 * (sum(WIDTH << i for i in range(depth)) + 3 + 2)


class FILM(nn.Module):
    """Two frames and a time between them -> the frame at that time."""

    def __init__(self) -> None:
        super().__init__()
        self.extract = Extractor()
        self.predict_flow = Motion()
        self.fuse = Fusion()

    def forward(self, first: Tensor, last: Tensor, time: float = 0.5) -> Tensor:
        """The frame at ``time`` in (0, 1); the network was trained at 0.5 alone.

        Args:
            first, last: (N, 3, H, W) in [0, 1], sides multiples of 64.

        Returns:
            (N, 3, H, W), about [0, 1].
        """
        images = [halved(frame, LEVELS) for frame in (first, last)]
        features = [self.extract(pyramid) for pyramid in images]
        to_last = self.predict_flow(features[0], features[1])
        to_first = self.predict_flow(features[1], features[0])
        pyramid = []
        for level in range(FUSED):
            # motion at the wanted frame is taken to be that at the same place of the other frame, scaled by time
            back, forth = time * to_first[level], (1 - time) * to_last[level]
            left = warp(torch.cat((images[0][level], features[0][level]), dim=1), back)
            right = warp(torch.cat((images[1][level], features[1][level]), dim=1), forth)
            pyramid.append(torch.cat((left, right, back, forth), dim=1))
        return self.fuse(pyramid)

    @torch.inference_mode()
    def between(self, first: np.ndarray, last: np.ndarray, n: int) -> np.ndarray:
        """``n`` frames at times 1/(n+1) ... n/(n+1), by bisection: each from the two nearest frames known by then.

        With n = 1, 3, 7 ... every frame is the middle of two, as in FILM's own recursion, where frames stay floats
        until the end. With other n, the frame nearest to the middle comes first, at its own time.

        Args:
            first, last: ``uint8`` RGB (H, W, 3), of any size: padded all around by zeros to a multiple of 64, as
                FILM does.

        Returns:
            ``uint8`` (n, H, W, 3).
        """
        height, width = first.shape[:2]
        device = next(self.parameters()).device
        down, across = -height % MULTIPLE, -width % MULTIPLE
        padding = (across // 2, across - across // 2, down // 2, down - down // 2)
        pair = F.pad(to_float(np.stack((first, last))).to(device), padding)
        known = {0: pair[:1], n + 1: pair[1:]}
        self._bisect(known, 0, n + 1)
        frames = torch.cat([known[k] for k in range(1, n + 1)])
        return to_uint8(frames[:, :, down // 2 : down // 2 + height, across // 2 : across // 2 + width])

    def _bisect(self, known: dict[int, Tensor], left: int, right: int) -> None:
        """Fill ``known`` between two places that it holds."""
        if right - left < 2:
            return
        middle = (left + right) // 2
        known[middle] = self(known[left], known[right], (middle - left) / (right - left))
        self._bisect(known, left, middle)
        self._bisect(known, middle, right)


def halved(image: Tensor, levels: int) -> list[Tensor]:
    """An image and its successive halvings by 2x2 means."""
    pyramid = [image]
    while len(pyramid) < levels:
        pyramid.append(F.avg_pool2d(pyramid[-1], 2))
    return pyramid


def load_film(weights: Path, device: str = "cpu") -> FILM:
    """The network in evaluation mode, with the weights of a verified file."""
    network = FILM()
    network.load_state_dict(
        load_file(weights), strict=True
    )  # copies half-precision values into single precision
    return network.eval().requires_grad_(False).to(device)
