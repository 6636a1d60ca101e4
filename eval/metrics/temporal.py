"""How frames follow one another, measured on the clip alone: what motion does not explain.

Perfect for a clip that stands still: read it beside a measure of motion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from eval.metrics.base import Kind, Video
from mardini.errors import UserError

if TYPE_CHECKING:
    from eval.networks.raft import Raft

Flow = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], list[np.ndarray]]
"""From frames and their partners, ``uint8`` (H, W, 3) each, to flows (H, W, 2) in pixels (x, y), one a pair."""


class WarpingError:
    """Warping error (Lai et al. 2018, arXiv:1808.00449, eq. 8): each frame against the next one, warped onto it.

    Mean squared difference in [0, 1] over channels and the pixels that both frames show, mean over consecutive
    frames. Flow is estimated on the clip itself, as there is no other: by OpenCV's DIS, or by RAFT, which is given
    by ``flow``. A pair in which no pixel passes the test counts with the error over all its pixels: 0, as in the
    authors' code, would reward a clip that falls apart.
    """

    kind: Kind = "video"
    version = "1"
    higher_is_better = False
    decimals = 5
    suffixes = ("",)
    needs_reference = False
    min_frames = 2

    def __init__(self) -> None:
        self.name = "warping_error"
        self.weights: tuple[str, ...] = ()
        self.variant: dict[str, Any] = {
            "flow": "OpenCV DIS, preset medium, on grey frames, of the scored clip",
            "warp": "next frame onto this one, bilinear",
            "mask": "forward and backward flow agree, within the image, no motion boundary (Ruder et al. 2016)",
            "range": [0, 1],
        }

    def __call__(self, video: Video) -> dict[str, float]:
        _enough(self.name, video)
        before, after = list(video.frames[:-1]), list(video.frames[1:])
        forward, backward = self.flow(before, after), self.flow(after, before)
        return {"": float(np.mean(list(map(warping_error, before, after, forward, backward))))}

    def flow(self, first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> list[np.ndarray]:
        from mardini.optical_flow import estimate

        grey = [[cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames] for frames in (first, second)]
        return list(map(estimate, *grey))


class RaftWarpingError(WarpingError):
    """``WarpingError`` with flow by RAFT-large (Teed & Deng 2020), which one wants a GPU for."""

    min_size = 128  # pixels, below which RAFT's coarsest correlations have no size

    def __init__(self, weights: Path | None, device: str = "cpu") -> None:
        super().__init__()
        self.file, self.device = weights, device
        self.name = "warping_error_raft" + ("" if weights else "_random")
        self.weights = ("raft_large_skht",) if weights else ()
        self.variant["flow"] = "RAFT-large (torchvision C_T_SKHT_V2), 12 updates, of the scored clip"
        self.variant["weights"] = "raft_large_C_T_SKHT_V2-ff5fadd5" if weights else "seeded random"

    @cached_property
    def network(self) -> Raft:
        from eval.networks.raft import load_raft

        return load_raft(self.file, self.device)

    def flow(self, first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> list[np.ndarray]:
        height, width = first[0].shape[:2]
        if min(height, width) < self.min_size:
            raise UserError(
                f"{self.name} needs frames of at least {self.min_size}x{self.min_size} pixels, got "
                f"{width}x{height}: score larger frames or use warping_error"
            )
        return [self.network.flow(a, b) for a, b in zip(first, second, strict=True)]


def warping_error(frame: np.ndarray, after: np.ndarray, forward: np.ndarray, backward: np.ndarray) -> float:
    """Of a frame and the next, ``uint8`` (H, W, 3), with the flows between them (H, W, 2)."""
    squared = np.square((sample(after, forward) - frame) / 255).mean(axis=2)
    seen = visible(forward, backward)
    return float(squared[seen].mean() if seen.any() else squared.mean())


def visible(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """Where the next frame shows a frame's pixel too: bool (H, W). Thresholds of Ruder et al. 2016, section 3.

    There and back must end near the start, the pixel must stay in the image, and not lie on a motion boundary.
    """
    height, width = forward.shape[:2]
    back = sample(backward, forward)
    squared = _squared(forward.astype(np.float64))
    returns = _squared(forward + back) <= 0.01 * (squared + _squared(back)) + 0.5
    y, x = np.mgrid[:height, :width]
    x, y = x + forward[..., 0], y + forward[..., 1]
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    along_x, along_y = np.zeros(forward.shape), np.zeros(forward.shape)
    along_x[:, :-1] = forward[:, 1:] - forward[:, :-1]
    along_y[:-1] = forward[1:] - forward[:-1]
    boundary = _squared(along_x) + _squared(along_y) > 0.01 * squared + 0.002
    return returns & inside & ~boundary


def _squared(vectors: np.ndarray) -> np.ndarray:
    """Squared length of (H, W, 2) vectors; ``sum`` over so short an axis takes ten times as long."""
    x, y = vectors[..., 0], vectors[..., 1]
    return x * x + y * y


def sample(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """``image`` (H, W, C) at each pixel + ``flow``, bilinear, the border repeated: float64 (H, W, C).

    OpenCV's ``remap`` would round the places to 1/32 of a pixel.
    """
    import torch
    from torch.nn import functional

    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    places = np.stack([(x + flow[..., 0]) / max(width - 1, 1), (y + flow[..., 1]) / max(height - 1, 1)], -1)
    sampled = functional.grid_sample(
        torch.from_numpy(image).permute(2, 0, 1)[None].double(),
        torch.from_numpy(2 * places - 1)[None],
        padding_mode="border",
        align_corners=True,
    )
    return sampled[0].permute(1, 2, 0).numpy()


def _enough(name: str, video: Video) -> None:
    if len(video.frames) < 2:
        raise UserError(f"{name} compares consecutive frames, but this clip has 1: leave it out of --metrics")
