"""FID and KID against pytorch-fid, torch-fidelity, torchmetrics and clean-fid, all with the same injected weights.

Features are compared by themselves, tightly; distances whole, as users of those packages get them, within what their
square roots of singular covariances lose.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.calibration.inputs import (
    PROCEDURAL,
    frame_folders,
    image_frames,
    quiet,
    weight_file,
    weights,
)
from eval.calibration.rows import Check, Values

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

FRAMES = f"28 generated frames of {PROCEDURAL}"
SUBSETS, SIZE = 20, 20  # of KID

Features = tuple[np.ndarray, np.ndarray]
"""Of predictions and references, (28, 2048) each."""


def checks() -> list[Check]:
    """All rows of this kind."""
    files = "on PNG files"
    kid = f"features of fid_tf1, {SUBSETS} subsets of {SIZE}"
    share = "largest difference over the largest feature"
    rows: list[tuple[str, str, str, str, float, bool, Callable[[], Values]]] = [
        ("fid", "features", "pytorch-fid", f"get_activations {files}, {share}", 1e-5, False, _same("")),
        (
            "fid",
            "bilinear, ddof 1",
            "pytorch-fid",
            f"calculate_frechet_distance {files}",
            1e-3,
            True,
            _pytorch_fid,
        ),
        (
            "fid_tf1",
            "features",
            "torch-fidelity",
            f"inception-v3-compat, {share}",
            1e-5,
            False,
            _same("_tf1"),
        ),
        (
            "fid_tf1",
            "TensorFlow 1's resize",
            "torch-fidelity",
            f"calculate_metrics {files}",
            1e-3,
            True,
            _fidelity,
        ),
        ("fid_tf1", "TensorFlow 1's resize", "torchmetrics", "antialias=False", 1e-3, True, _torchmetrics),
        (
            "fid_clean",
            "features",
            "clean-fid",
            f"get_folder_features {files}, {share}",
            1e-5,
            False,
            _same("_clean"),
        ),
        (
            "fid_clean",
            "antialiased bicubic",
            "clean-fid",
            f"frechet_distance {files}",
            1e-3,
            True,
            _clean_fid,
        ),
        ("kid", kid, "torch-fidelity", f"calculate_metrics {files}", 1e-4, True, _kid_fidelity),
        ("kid", "features of fid_tf1, all", "torchmetrics", "poly_mmd", 1e-6, True, _kid_torchmetrics),
        (
            "kid",
            "features of fid_clean, all",
            "clean-fid",
            f"kernel_distance {files}",
            1e-4,
            True,
            _kid_clean,
        ),
    ]
    needs = {"torchmetrics": ("torch-fidelity",), "clean-fid": ("pytorch-fid",)}
    return [
        Check(
            metric, convention, package, detail, FRAMES, tolerance, measure, relative, needs.get(package, ())
        )
        for metric, convention, package, detail, tolerance, relative, measure in rows
    ]


@functools.cache
def _features(convention: str) -> Features:
    """Ours."""
    from eval.metrics.detectors import FID

    network = FID(weight_file("inception")).network
    prediction, reference = (network.features(frames, convention) for frames in image_frames())
    return prediction, reference


def _same(convention: str) -> Callable[[], Values]:
    """Compares features in one convention."""

    def measure() -> Values:
        of = {"": _pytorch_fid_features, "_tf1": _torch_fidelity_features, "_clean": _clean_fid_features}
        ours, theirs = _features(convention)[0], of[convention]()[0]
        scale = np.abs(theirs).max()
        return ours / scale, theirs / scale

    return measure


def _ours(name: str, convention: str, **settings: Any) -> float:
    from eval.metrics.frechet import frechet_distance
    from eval.metrics.kid import kernel_distance

    distance = kernel_distance if name == "kid" else frechet_distance
    return distance(*_features(convention), **settings)


@contextmanager
def _injected() -> Iterator[Any]:
    """``pytorch_fid.inception``, which then builds networks with our weights."""
    from pytorch_fid import inception

    before = inception.load_state_dict_from_url
    inception.load_state_dict_from_url = lambda *_, **__: weights("inception")
    try:
        with quiet():
            yield inception
    finally:
        inception.load_state_dict_from_url = before


@functools.cache
def _pytorch_fid_features() -> Features:
    from pytorch_fid import fid_score

    with _injected() as inception:
        network = inception.InceptionV3([3])
        prediction, reference = (
            fid_score.get_activations(sorted(folder.iterdir()), network, 14, 2048, "cpu", num_workers=0)
            for folder in frame_folders()
        )
    return prediction, reference


def _pytorch_fid() -> Values:
    from pytorch_fid import fid_score

    statistics = [(rows.mean(axis=0), np.cov(rows, rowvar=False)) for rows in _pytorch_fid_features()]
    with quiet():
        return _ours("fid", ""), fid_score.calculate_frechet_distance(*statistics[0], *statistics[1])


@functools.cache
def _torch_fidelity_features() -> Features:
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    network = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weight_file("inception"))
    )
    found = []
    with torch.inference_mode():
        for frames in image_frames():
            found.append(network(torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous())[0].numpy())
    return found[0], found[1]


@functools.cache
def _torch_fidelity() -> dict[str, float]:
    import torch_fidelity

    first, second = map(str, frame_folders())
    with quiet():
        return torch_fidelity.calculate_metrics(
            input1=first,
            input2=second,
            cuda=False,
            fid=True,
            kid=True,
            kid_subsets=SUBSETS,
            kid_subset_size=SIZE,
            batch_size=14,
            feature_extractor_weights_path=str(weight_file("inception")),
            cache=False,
            verbose=False,
        )


def _fidelity() -> Values:
    return _ours("fid", "_tf1"), _torch_fidelity()["frechet_inception_distance"]


def _kid_fidelity() -> Values:
    ours = _ours("kid", "_tf1", subsets=SUBSETS, size=SIZE)
    return ours, _torch_fidelity()["kernel_inception_distance_mean"]


def _torchmetrics() -> Values:
    import torch

    fid = importlib.import_module("torchmetrics.image.fid").FrechetInceptionDistance
    with quiet():
        metric = fid(2048, feature_extractor_weights_path=str(weight_file("inception")), antialias=False)
        for real, frames in zip((False, True), image_frames(), strict=True):
            metric.update(torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous(), real=real)
        theirs = metric.compute().item()
    return _ours("fid", "_tf1"), theirs


def _kid_torchmetrics() -> Values:
    import torch

    poly_mmd = importlib.import_module("torchmetrics.image.kid").poly_mmd
    a, b = (torch.from_numpy(rows).double() for rows in _features("_tf1"))
    return _ours("kid", "_tf1"), poly_mmd(a, b).item()


@functools.cache
def _clean_fid_features() -> Features:
    """clean-fid's reading, resize and loop; its scaling around pytorch-fid's network, as its own cannot be shipped."""
    import torch
    from cleanfid import fid

    with _injected() as inception:
        network = inception.InceptionV3([3], resize_input=False, normalize_input=False).eval()

        def extract(x: torch.Tensor) -> torch.Tensor:
            return network((x - 128) / 128)[0].flatten(1)

        prediction, reference = (
            fid.get_folder_features(
                str(folder),
                extract,
                num_workers=0,
                batch_size=14,
                device=torch.device("cpu"),
                mode="clean",
                verbose=False,
            )
            for folder in frame_folders()
        )
    return prediction, reference


def _clean_fid() -> Values:
    from cleanfid import fid

    statistics = [(rows.mean(axis=0), np.cov(rows, rowvar=False)) for rows in _clean_fid_features()]
    with quiet():
        return _ours("fid", "_clean"), fid.frechet_distance(*statistics[0], *statistics[1])


def _kid_clean() -> Values:
    from cleanfid import fid

    return _ours("kid", "_clean"), fid.kernel_distance(*_clean_fid_features(), num_subsets=2)
