"""Dimensions of VBench-I2V (Huang et al. 2024, arXiv:2411.13503) that can be computed here, by VBench's formulas.

Each scores a whole clip, given frame included, from 0 to 1. They follow Vchitect/VBench 0.1.5 step by step, and agreed
with its functions within 1e-5 on the same frames and networks; VBench itself reads H.264 files. Two differences
remain, and stand in every record: the given frame is the picture at the protocol's size, not the file of the suite,
and it is exact, so its likeness to itself is 1; networks run in float32, where VBench runs CLIP in half precision on
a GPU.

VBench averages some dimensions over a part of its pictures only; records average over all clips they hold.
``python -m eval.vbench`` makes VBench's averages, and gets what cannot be computed here from VBench itself:
``i2v_background`` needs DreamSim, ``motion_smoothness`` AMT, whose licence forbids commercial use.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.metrics.base import Kind, Video
from mardini.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

SOURCE = "VBench 0.1.5"


class VideoScore:
    """What the dimensions share: scores of whole clips that need no truth."""

    kind: Kind = "video"
    version = "1"
    higher_is_better = True
    decimals = 4
    suffixes = ("",)
    needs_reference = False
    min_frames = 2
    title = ""
    needs: tuple[str, ...] = ()  # names of weight files

    def __init__(self, weights: Path | None = None, device: str = "cpu") -> None:
        self.file, self.device = weights, device
        random = bool(self.needs) and weights is None
        self.name = self.title + ("_random" if random else "")
        self.weights = () if random else self.needs
        self.variant: Mapping[str, Any] = {
            "source": SOURCE,
            **({"weights": "seeded random" if random else ", ".join(self.needs)} if self.needs else {}),
            **self.describe(),
        }

    def describe(self) -> dict[str, Any]:
        """What defines the score beyond its name and weights."""
        return {}

    def __call__(self, video: Video) -> dict[str, float]:
        return {"": self.score(video)}

    def score(self, video: Video) -> float:
        """The score of a clip, 0 to 1."""
        raise NotImplementedError


class TemporalFlickering(VideoScore):
    """1 minus the mean absolute difference of neighbouring frames, on the scale of 0 to 1."""

    title = "temporal_flickering"

    def score(self, video: Video) -> float:
        frames = video.frames.astype(np.int16)
        return 1 - float(np.abs(np.diff(frames, axis=0)).mean(dtype=np.float64)) / 255


class I2VSubject(VideoScore):
    """Likeness of the frames to the given one, and to their neighbours, by DINO."""

    title = "i2v_subject"
    needs = ("dino_vitb16",)

    def describe(self) -> dict[str, Any]:
        return {
            "detector": "DINO ViT-B/16, class token",
            "resize": "shorter side 256, bicubic, antialiased; centre 224",
            "formula": "0.4 max likeness to the picture + 0.3 mean + 0.3 min likeness of neighbours",
            "picture": "the first given frame, at the protocol's size",
        }

    @cached_property
    def network(self) -> nn.Module:
        return dino(self.file, self.device)

    def score(self, video: Video) -> float:
        from eval.networks.preparation import IMAGENET, centre_crop, normalise, resize_shorter, to_tensor

        x = resize_shorter(to_tensor(video.frames, self.device), 256, "bicubic", antialias=True)
        features = embed(self.network, normalise(centre_crop(x, 224), *IMAGENET))
        to_picture = likeness(features, features[video.given[0]][None])
        neighbours = likeness(features[1:], features[:-1])
        return float(0.4 * to_picture.max() + 0.3 * neighbours.mean() + 0.3 * neighbours.min())


class SubjectConsistency(VideoScore):
    """Likeness of each frame to the one before and to the first, by DINO."""

    title = "subject_consistency"
    needs = ("dino_vitb16",)

    def describe(self) -> dict[str, Any]:
        return {
            "detector": "DINO ViT-B/16, class token",
            "resize": "shorter side 224, bilinear, no antialias, no crop",
        }

    @cached_property
    def network(self) -> nn.Module:
        return dino(self.file, self.device)

    def score(self, video: Video) -> float:
        from eval.networks.preparation import IMAGENET, normalise, resize_shorter, to_tensor

        x = resize_shorter(to_tensor(video.frames, self.device), 224, "bilinear", antialias=False)
        return consistency(embed(self.network, normalise(x, *IMAGENET)))


class BackgroundConsistency(VideoScore):
    """Likeness of each frame to the one before and to the first, by CLIP."""

    title = "background_consistency"
    needs = ("clip_vit_b_32",)

    def describe(self) -> dict[str, Any]:
        return {
            "detector": "CLIP ViT-B/32, float32",
            "resize": "shorter side 224, bicubic, no antialias; centre 224",
        }

    @cached_property
    def network(self) -> nn.Module:
        return clip("ViT-B/32", self.file, self.device)

    def score(self, video: Video) -> float:
        return consistency(embed(self.network, clip_input(video.frames, self.device)))


class AestheticQuality(VideoScore):
    """Mean score of LAION's linear predictor on CLIP's embeddings, divided by 10."""

    title = "aesthetic_quality"
    needs = ("clip_vit_l_14", "laion_aesthetic")
    min_frames = 1

    def __init__(
        self, weights: Path | None = None, device: str = "cpu", head_weights: Path | None = None
    ) -> None:
        self.head_file = head_weights
        super().__init__(weights, device)

    def describe(self) -> dict[str, Any]:
        return {
            "detector": "CLIP ViT-L/14, float32, normalised; LAION's linear predictor",
            "resize": "shorter side 224, bicubic, no antialias; centre 224",
        }

    @cached_property
    def network(self) -> nn.Module:
        _ = self.head  # a file that is none is told before the first clip
        return clip("ViT-L/14", self.file, self.device)

    @cached_property
    def head(self) -> nn.Module:
        import torch

        from eval.networks.initialize import randomize

        head = torch.nn.Linear(768, 1)
        if self.head_file is None:
            randomize(head)
        else:
            try:
                found = torch.load(self.head_file, map_location="cpu", weights_only=True)
                head.load_state_dict(found, strict=True)
            except Exception as error:  # nothing is published to check the file by, so it may be anything
                raise UserError(
                    f"{self.head_file} is not LAION's predictor ({type(error).__name__}): get it again (python -m eval "
                    "weights says from where)"
                ) from error
        return head.requires_grad_(False).to(self.device)

    def score(self, video: Video) -> float:
        features = embed(self.network, clip_input(video.frames, self.device))
        return float(self.head(features).mean()) / 10


class ImagingQuality(VideoScore):
    """Mean score of MUSIQ trained on SPAQ, divided by 100, through the package ``pyiqa``."""

    title = "imaging_quality"
    needs = ("musiq_spaq",)
    min_frames = 1

    def describe(self) -> dict[str, Any]:
        return {
            "detector": "MUSIQ, SPAQ, package pyiqa",
            "resize": "longer side 512 where it is more, bilinear, no antialias",
        }

    @cached_property
    def network(self) -> nn.Module:
        import torch
        from pyiqa.archs.musiq_arch import MUSIQ  # pyright: ignore[reportMissingImports]

        from eval.networks.initialize import randomize

        network = MUSIQ(pretrained=False)
        if self.file is None:
            randomize(network)
        else:
            state = torch.load(self.file, map_location="cpu", weights_only=True)
            network.load_state_dict(state.get("params", state), strict=True)
        return network.eval().requires_grad_(False).to(self.device)

    def score(self, video: Video) -> float:
        import torch

        from eval.networks.preparation import resize_longer, to_tensor

        frames = resize_longer(to_tensor(video.frames, self.device), 512) / 255
        with torch.inference_mode():
            scores = [float(self.network(frame[None])) for frame in frames]
        return float(np.mean(scores)) / 100


class DynamicDegree(VideoScore):
    """1 where a clip moves enough, else 0, by optical flow: RAFT in torchvision's port of ``raft-things.pth``.

    Torchvision says its weights are ported from RAFT's own; whether both give equal flow was not tested here, so the
    score has a name of its own. It depends on the frame rate and the number of frames: frames are taken at about 8 a
    second, and of n frames round(n / 4) neighbours must move.
    """

    title = "dynamic_degree_torchvision"
    needs = ("raft_large",)
    min_size = 128  # torchvision's RAFT compares features at an eighth, pooled three times
    least_motion = 6.0  # pixels at a shorter side of 256

    def describe(self) -> dict[str, Any]:
        return {
            "detector": "RAFT large of torchvision, C_T_V1, 20 updates",
            "rate": "every round(fps / 8)-th frame",
            "moves": "mean of the largest 5 % of flow over 6 pixels at 256, in round(n / 4) neighbours",
        }

    @cached_property
    def network(self) -> nn.Module:
        import torch
        from torchvision.models.optical_flow import raft_large

        from eval.networks.initialize import randomize

        network = raft_large(weights=None, progress=False)
        if self.file is None:
            randomize(network)
        else:
            network.load_state_dict(torch.load(self.file, map_location="cpu", weights_only=True), strict=True)
        return network.eval().requires_grad_(False).to(self.device)

    def score(self, video: Video) -> float:
        height, width = video.frames.shape[1:3]
        if min(height, width) < self.min_size:
            raise UserError(
                f"{self.name} needs frames of at least {self.min_size}x{self.min_size} pixels, these have "
                f"{width}x{height}: use larger frames or choose other --metrics"
            )
        frames = video.frames[:: max(1, round(video.fps / 8))]
        threshold = self.least_motion * min(height, width) / 256
        needed = round(4 * (len(frames) / 16))
        moving = 0
        for motion in self.motions(frames):
            moving += motion > threshold
            if moving >= needed:
                return 1.0
        return 0.0

    def motions(self, frames: np.ndarray) -> Any:
        """For each two neighbouring frames the mean of the largest 5 % of the flow's lengths, in pixels."""
        import torch
        import torch.nn.functional as F

        from eval.networks.preparation import to_tensor

        x = to_tensor(frames, self.device) / 127.5 - 1
        rows, columns = (-side % 8 for side in x.shape[2:])
        x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2), mode="replicate")
        for before, after in itertools.pairwise(x):
            with torch.inference_mode():
                flow = self.network(before[None], after[None], num_flow_updates=20)[-1][0]
            lengths = flow.square().sum(0).sqrt().flatten()
            largest = lengths.topk(int(len(lengths) * 0.05)).values
            yield float(largest.mean())


@functools.lru_cache(maxsize=2)
def dino(file: Path | None, device: str) -> nn.Module:
    """One DINO for both dimensions that use it."""
    from eval.networks.dino import load_dino

    return load_dino(file, device)


@functools.lru_cache(maxsize=2)
def clip(name: str, file: Path | None, device: str) -> nn.Module:
    """The image tower of CLIP, one for all scores that look through it."""
    from eval.networks.clip import load_clip

    return load_clip(name, file, device)


def clip_input(frames: np.ndarray, device: str) -> Tensor:
    """Frames as VBench feeds them to CLIP: (T, 3, 224, 224)."""
    from eval.networks.clip import DEVIATION, MEAN
    from eval.networks.preparation import centre_crop, normalise, resize_shorter, to_tensor

    x = resize_shorter(to_tensor(frames, device), 224, "bicubic", antialias=False)
    return normalise(centre_crop(x, 224), MEAN, DEVIATION)


def embed(network: nn.Module, x: Tensor) -> Tensor:
    """Features of (T, 3, H, W) frames, of unit length: (T, D)."""
    import torch

    with torch.inference_mode():
        return torch.nn.functional.normalize(network(x), dim=-1)


def likeness(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of unit vectors, row by row, at least 0."""
    return (a * b).sum(dim=-1).clamp(min=0)


def consistency(features: Tensor) -> float:
    """Mean likeness of each frame but the first to the one before and to the first."""
    before, first = likeness(features[1:], features[:-1]), likeness(features[1:], features[:1])
    return float(((before + first) / 2).mean())
