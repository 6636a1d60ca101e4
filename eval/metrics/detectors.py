"""FID and FVD: Fréchet distances between features of a detector network, each in the conventions in use.

Features do not compare across conventions, so each has its own metric name and its own feature key.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eval.metrics import frechet
from eval.metrics.base import Kind, check_frames

if TYPE_CHECKING:
    from eval.networks.i3d import I3D
    from eval.networks.inception import Inception
    from eval.statistics import Estimate

FID_CONVENTIONS: dict[str, dict[str, Any]] = {
    # suffix of the name -> what is done to the frames; the network, its weights and the distance are the same
    "": {"resize": "bilinear 299, no antialias, half-pixel centres", "range": [-1, 1]},
    "_tf1": {"resize": "bilinear 299, no antialias, TensorFlow 1's grid", "range": "(x - 128) / 128"},
    "_clean": {"resize": "bicubic 299, antialias, Pillow in float, clipped", "range": "(x - 128) / 128"},
}


class FVDConvention(NamedTuple):
    """How a code base computes FVD: weight file in ``eval.weights``, square crop or stretch, ddof, version."""

    weights: str
    crop: bool
    ddof: int
    version: str


FVD_CONVENTIONS = {
    "": FVDConvention("i3d", crop=True, ddof=1, version="1"),
    "_styleganv": FVDConvention("i3d_torchscript", crop=False, ddof=0, version="2"),
    "_cdfvd": FVDConvention("i3d", crop=False, ddof=0, version="1"),
}


def by_shape(clips: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """Neighbouring clips of one shape together, in order."""
    return [list(alike) for _, alike in itertools.groupby(clips, key=lambda clip: clip.shape)]


@functools.lru_cache(maxsize=2)
def _inception(file: Path | None, device: str) -> Inception:
    """One network for all the metrics that look through it."""
    from eval.networks.inception import load_inception

    return load_inception(file, device)


@functools.lru_cache(maxsize=2)
def _i3d(file: Path | None, device: str, torchscript: bool) -> I3D:
    from eval.networks.i3d import load_i3d

    return load_i3d(file, device, torchscript=torchscript)


class FID:
    """Fréchet inception distance (Heusel et al. 2017) over generated frames only, in one of three conventions.

    - ``fid``: pytorch-fid's;
    - ``fid_tf1``: torch-fidelity's, which resizes as the TensorFlow 1 graph of the original did;
    - ``fid_clean``: clean-fid's (Parmar et al. 2022), which resizes with an antialiasing filter.

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

    def __init__(self, weights: Path | None, device: str = "cpu", *, convention: str = "") -> None:
        self.file, self.device, self.convention = weights, device, convention
        random = "" if weights else "_random"
        self.name, self.detector = f"fid{convention}{random}", f"inception{convention}{random}"
        self.weights = ("inception",) if weights else ()
        seen = {
            "detector": "Inception-v3 (TensorFlow 2015-12-05), 2048 pool features",
            "weights": "pt_inception-2015-12-05-6726825d" if weights else "seeded random",
            **FID_CONVENTIONS[convention],
        }
        self.extraction = {"version": "1", **seen}
        self.variant = {
            **seen,
            "ddof": self.ddof,
            "distance": f"frechet/{frechet.VERSION}",
        }

    @cached_property
    def network(self) -> Inception:
        return _inception(self.file, self.device)

    def features(
        self, clips: Sequence[np.ndarray], targets: Sequence[int], middle: int | None
    ) -> list[dict[str, np.ndarray]]:
        for frames in clips:
            check_frames(frames)
        targets = list(targets)
        rows: list[np.ndarray] = []
        for alike in by_shape(clips):
            together = self.network.features(np.concatenate([c[targets] for c in alike]), self.convention)
            rows += np.split(together, len(alike))
        place = None if middle is None else targets.index(middle)
        mid = [{} if place is None else {self.detector + "_mid": part[[place]]} for part in rows]
        return [{**part, self.detector + "_all": all_} for part, all_ in zip(mid, rows, strict=True)]

    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        return frechet.frechet_distance(a, b, ddof=self.ddof)

    def estimate(self, a: np.ndarray, b: np.ndarray, sources: Sequence[str]) -> Estimate:
        return frechet.frechet_estimate(a, b, sources, ddof=self.ddof)


class FVD:
    """Fréchet video distance (Unterthiner et al. 2018) over whole clips, given frames included.

    I3D cannot take fewer than 9 frames, so a 9-frame interpolation clip enters whole: 2 given real frames and
    7 generated ones against 9 real ones (VIDIM-Bench, section 4). Three conventions, under three names:

    - ``fvd``: VideoGPT's weight file, covariance with ddof 1, clips cropped to squares;
    - ``fvd_styleganv``: StyleGAN-V's TorchScript file, ddof 0, clips stretched to squares;
    - ``fvd_cdfvd``: the I3D mode of the package cd-fvd: VideoGPT's file, ddof 0, stretched.
    """

    kind: Kind = "set"
    higher_is_better = False
    decimals = 2
    suffixes = ("",)
    min_clips = 2

    def __init__(self, weights: Path | None, device: str = "cpu", *, convention: str = "") -> None:
        self.file, self.device, self.convention = weights, device, FVD_CONVENTIONS[convention]
        random = "" if weights else "_random"
        self.name, self.detector = f"fvd{convention}{random}", f"i3d{convention}{random}"
        self.weights = (self.convention.weights,) if weights else ()
        self.version, self.ddof = self.convention.version, self.convention.ddof
        self.min_frames = 9
        files = {"i3d": "i3d_pretrained_400", "i3d_torchscript": "i3d_torchscript"}
        resize = (
            "shorter side 224, no antialias, centre crop" if self.convention.crop else "224x224, no antialias"
        )
        seen = {
            "detector": "I3D (Kinetics-400 RGB), 400 logits",
            "weights": files[self.convention.weights] if weights else "seeded random",
            "resize": f"bilinear, {resize}",
            "range": [-1, 1],
            "frames": "whole clip, given frames included",
        }
        self.extraction = {"version": self.version, **seen}
        self.variant = {
            **seen,
            "ddof": self.ddof,
            "distance": f"frechet/{frechet.VERSION}",
        }

    @cached_property
    def network(self) -> I3D:
        return _i3d(
            self.file, self.device, self.file is not None and self.convention.weights == "i3d_torchscript"
        )

    def features(
        self, clips: Sequence[np.ndarray], targets: Sequence[int], middle: int | None
    ) -> list[dict[str, np.ndarray]]:
        for frames in clips:
            check_frames(frames)
        rows: list[np.ndarray] = []
        for alike in by_shape(clips):
            rows += np.split(self.network.features(np.stack(alike), crop=self.convention.crop), len(alike))
        return [{self.detector: row} for row in rows]

    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        return frechet.frechet_distance(a, b, ddof=self.ddof)

    def estimate(self, a: np.ndarray, b: np.ndarray, sources: Sequence[str]) -> Estimate:
        return frechet.frechet_estimate(a, b, sources, ddof=self.ddof)
