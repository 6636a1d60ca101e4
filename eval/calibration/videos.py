"""FVD against cd-fvd, and against VideoGPT's and StyleGAN-V's conventions, all with the same injected weights.

cd-fvd ships the I3D and the Fréchet distance of VideoGPT; what StyleGAN-V does around its TorchScript file, which
cannot be shipped, is written out around that I3D.
"""

from __future__ import annotations

import functools
import importlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.calibration.inputs import PROCEDURAL, clips, quiet, weight_file
from eval.calibration.rows import WRITTEN_OUT, Check, Values

if TYPE_CHECKING:
    import torch


def checks() -> list[Check]:
    """All rows of this kind."""
    return [
        Check(
            "fvd_cdfvd",
            "stretched, ddof 0",
            "cd-fvd",
            "cdfvd('i3d').compute_fvd, scipy's sqrtm",
            PROCEDURAL,
            1e-3,
            _cdfvd,
            relative=True,
        ),
        Check(
            "fvd",
            "cropped, ddof 1",
            "cd-fvd",
            "VideoGPT's I3D and frechet_distance (float64), its preprocess written out",
            PROCEDURAL,
            1e-4,
            _videogpt,
            relative=True,
        ),
        Check(
            "fvd_styleganv",
            "stretched, ddof 0",
            WRITTEN_OUT,
            "metric_utils and frechet_video_distance of StyleGAN-V, around cd-fvd's I3D",
            PROCEDURAL,
            1e-3,
            _styleganv,
            relative=True,
            needs=("cd-fvd", "scipy"),
        ),
        Check(
            "fvd",
            "features, 400 logits",
            "cd-fvd",
            "pytorch_i3d.InceptionI3d, largest difference over the largest logit",
            "1 of these clips",
            1e-5,
            _logits,
        ),
    ]


def _ours(convention: str) -> float:
    from eval.metrics.detectors import FVD

    metric = FVD(weight_file("i3d"), convention=convention)
    crop = metric.convention.crop
    network = FVD(weight_file("i3d")).network
    return metric.distance(*(_features(network, crop, side) for side in (0, 1)))


@functools.cache
def _features(network: Any, crop: bool, side: int) -> np.ndarray:
    """Ours, of the predictions (0) or references (1): (12, 400)."""
    return np.concatenate([network.features(clip[None], crop=crop) for clip in clips()[side]])


@functools.cache
def _network() -> Any:
    """VideoGPT's I3D as cd-fvd ships it."""
    import torch

    load_i3d_model = importlib.import_module("cdfvd.third_party.i3d.utils").load_i3d_model
    return load_i3d_model(torch.device("cpu"), str(weight_file("i3d")))


def _logits_of(x: torch.Tensor) -> torch.Tensor:
    """(N, 3, T, 224, 224) in [-1, 1] -> (N, 400), a clip at a time."""
    import torch

    with torch.inference_mode():
        return torch.cat([_network()(clip[None]) for clip in x]).double()


def _cdfvd() -> Values:
    cdfvd = importlib.import_module("cdfvd.fvd").cdfvd
    with quiet():
        metric = cdfvd("i3d", n_real="full", n_fake="full", ckpt_path=str(weight_file("i3d")), device="cpu")
        prediction, reference = clips()
        theirs = float(metric.compute_fvd(reference, prediction))
    return _ours("_cdfvd"), theirs


def _videogpt() -> Values:
    frechet_distance = importlib.import_module("cdfvd.third_party.i3d.utils").frechet_distance
    prediction, reference = (_logits_of(_videogpt_input(side)) for side in clips())
    return _ours(""), float(frechet_distance(prediction, reference))


def _videogpt_input(videos: np.ndarray) -> torch.Tensor:
    """``preprocess`` of VideoGPT: shorter side to 224, middle square, [-0.5, 0.5] doubled."""
    import torch
    import torch.nn.functional as F

    found = []
    for video in torch.from_numpy(videos):
        x = video.permute(0, 3, 1, 2).float() / 255.0
        height, width = x.shape[2:]
        scale = 224 / min(height, width)
        size = (224, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), 224)
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        top, left = (x.shape[2] - 224) // 2, (x.shape[3] - 224) // 2
        x = x[:, :, top : top + 224, left : left + 224].permute(1, 0, 2, 3)
        found.append(2 * (x - 0.5))
    return torch.stack(found)


def _styleganv() -> Values:
    import scipy.linalg
    import torch.nn.functional as F

    moments = []
    for videos in clips():
        x = _stretched(videos, F)
        total, outer = np.zeros(400), np.zeros((400, 400))
        for features in _logits_of(x).numpy():
            total += features
            outer += np.outer(features, features)
        mean = total / len(videos)
        moments.append((mean, outer / len(videos) - np.outer(mean, mean)))
    (mean_a, cov_a), (mean_b, cov_b) = moments
    with quiet():
        root = np.asarray(scipy.linalg.sqrtm(cov_a @ cov_b))
    distance = np.square(mean_a - mean_b).sum() + np.trace(cov_a + cov_b - 2 * root)
    return _ours("_styleganv"), float(np.real(distance))


def _stretched(videos: np.ndarray, F: Any) -> torch.Tensor:
    import torch

    x = torch.from_numpy(videos).flatten(0, 1).permute(0, 3, 1, 2).float()
    x = F.interpolate(x, size=(224, 224), mode="bilinear", align_corners=False) / 255 * 2 - 1
    return x.unflatten(0, videos.shape[:2]).transpose(1, 2)


def _logits() -> Values:
    from eval.networks.i3d import load_i3d, preprocess

    clip = clips()[0][0]
    ours, theirs = (
        load_i3d(weight_file("i3d")).features(clip[None])[0],
        _logits_of(preprocess(clip)).numpy()[0],
    )
    scale = np.abs(theirs).max()
    return ours / scale, theirs / scale
