"""FID and FVD: Fréchet distances between features of a detector network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.metrics import frechet
from eval.metrics.base import Kind

if TYPE_CHECKING:
    from eval.networks.i3d import I3D
    from eval.networks.inception import Inception


class FID:
    """Fréchet inception distance (Heusel et al. 2017), pytorch-fid's convention, over generated frames only.

    ``fid_mid`` pools the middle frame of every clip, ``fid_all`` all generated frames. The two differ in
    their number of samples and so cannot be compared with one another.
    """

    kind: Kind = "set"
    version = "1"
    higher_is_better = False
    decimals = 2
    suffixes = ("_mid", "_all")
    ddof = 1
    min_frames = 1
    min_clips = 2

    def __init__(self, weights: Path | None, device: str = "cpu") -> None:
        self.file, self.device = weights, device
        self.name = "fid" if weights else "fid_random"
        self.detector = "inception" if weights else "inception_random"
        self.weights = ("inception",) if weights else ()
        self.variant = {
            "detector": "Inception-v3 (TensorFlow 2015-12-05), 2048 pool features",
            "weights": "pt_inception-2015-12-05-6726825d" if weights else "seeded random",
            "resize": "bilinear 299, no antialias, half-pixel centres",
            "range": [-1, 1],
            "ddof": self.ddof,
            "distance": f"frechet/{frechet.VERSION}",
        }

    @cached_property
    def network(self) -> Inception:
        from eval.networks.inception import load_inception

        return load_inception(self.file, self.device)

    def features(
        self, frames: np.ndarray, targets: Sequence[int], middle: int | None
    ) -> dict[str, np.ndarray]:
        targets = list(targets)
        rows = self.network.features(frames[targets])
        mid = {} if middle is None else {self.detector + "_mid": rows[[targets.index(middle)]]}
        return {**mid, self.detector + "_all": rows}

    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        return frechet.frechet_distance(a, b, ddof=self.ddof)


class FVD:
    """Fréchet video distance (Unterthiner et al. 2018) over whole clips, given frames included.

    I3D cannot take fewer than 9 frames, so a 9-frame interpolation clip enters whole: 2 given real frames and
    7 generated ones against 9 real ones (VIDIM-Bench, section 4). Two conventions, under two names:

    - ``fvd``: VideoGPT's weight file, covariance with ddof 1;
    - ``fvd_styleganv``: StyleGAN-V's TorchScript file, ddof 0.
    """

    kind: Kind = "set"
    version = "1"
    higher_is_better = False
    decimals = 2
    suffixes = ("",)
    min_clips = 2

    def __init__(self, weights: Path | None, device: str = "cpu", *, styleganv: bool = False) -> None:
        self.file, self.device, self.styleganv = weights, device, styleganv
        suffix = ("_styleganv" if styleganv else "") + ("" if weights else "_random")
        self.name, self.detector = "fvd" + suffix, "i3d" + suffix
        self.weights = ("i3d_torchscript" if styleganv else "i3d",) if weights else ()
        self.ddof = 0 if styleganv else 1
        self.min_frames = 9
        self.variant = {
            "detector": "I3D (Kinetics-400 RGB), 400 logits",
            "weights": ("i3d_torchscript" if styleganv else "i3d_pretrained_400")
            if weights
            else "seeded random",
            "resize": "bilinear, shorter side 224, no antialias, centre crop",
            "range": [-1, 1],
            "frames": "whole clip, given frames included",
            "ddof": self.ddof,
            "distance": f"frechet/{frechet.VERSION}",
        }

    @cached_property
    def network(self) -> I3D:
        from eval.networks.i3d import load_i3d

        return load_i3d(self.file, self.device, torchscript=self.styleganv)

    def features(
        self, frames: np.ndarray, targets: Sequence[int], middle: int | None
    ) -> dict[str, np.ndarray]:
        return {self.detector: self.network.features(frames)}

    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        return frechet.frechet_distance(a, b, ddof=self.ddof)
