"""Peers of the Fréchet distances: FID, FVD, and the distance between features alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.tools import BATCH, Tool, as_tensors, generated, require, weight_file
from mardini.errors import UserError

# -- FID ----------------------------------------------------------------------------------------------------------


def pytorch_fid_network(cache: Path) -> Any:
    """The package's Inception with our random weights, in place of its download."""
    import torch
    from pytorch_fid import inception

    state = torch.load(weight_file("inception", cache), weights_only=True)
    usual = inception.load_state_dict_from_url
    inception.load_state_dict_from_url = lambda *a, **k: state
    try:
        return inception.InceptionV3([3]).eval()
    finally:
        inception.load_state_dict_from_url = usual


def pytorch_fid(cache: Path) -> Tool:
    """FID by pytorch-fid."""
    import torch
    from pytorch_fid.fid_score import calculate_frechet_distance

    network = pytorch_fid_network(cache)

    def statistics(clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            found = [network(b.float() / 255)[0].flatten(1).numpy() for b in as_tensors(generated(clips))]
        rows = np.concatenate(found)
        return rows.mean(axis=0), np.cov(rows, rowvar=False)

    return lambda a, b: float(calculate_frechet_distance(*statistics(a), *statistics(b)))


def torch_fidelity(cache: Path) -> Tool:
    """FID by torch-fidelity, frames resized as TensorFlow 1 does."""
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    path = str(weight_file("inception", cache))
    network = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=path
    )

    def statistics(clips: np.ndarray) -> Any:
        with torch.inference_mode():
            rows = torch.cat([network(batch)[0] for batch in as_tensors(generated(clips))])
        return fid_features_to_statistics(rows)

    key = "frechet_inception_distance"
    return lambda a, b: float(fid_statistics_to_metric(statistics(a), statistics(b), False)[key])


def torchmetrics_fid(cache: Path) -> Tool:
    """FID by torchmetrics."""
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    path = str(weight_file("inception", cache))
    metric = FrechetInceptionDistance(feature=2048, feature_extractor_weights_path=path)

    def run(prediction: np.ndarray, reference: np.ndarray) -> float:
        metric.reset()
        with torch.inference_mode():
            for clips, real in ((reference, True), (prediction, False)):
                for batch in as_tensors(generated(clips)):
                    metric.update(batch, real=real)
            return float(metric.compute())

    return run


def clean_fid(cache: Path) -> Tool:
    """Its resize and distance; the network is pytorch-fid's, since its own is a TorchScript download."""
    import torch
    from cleanfid.fid import fid_from_feats, get_batch_features
    from cleanfid.resize import build_resizer

    require("pytorch-fid")
    network, resize = pytorch_fid_network(cache), build_resizer("clean")

    def model(batch: Any) -> Any:
        return network(batch / 255)[0].flatten(1)

    def features(clips: np.ndarray) -> np.ndarray:
        frames, rows = generated(clips), []
        for start in range(0, len(frames), BATCH):
            resized = np.stack([resize(frame) for frame in frames[start : start + BATCH]])
            batch = torch.from_numpy(resized).permute(0, 3, 1, 2)
            rows.append(get_batch_features(batch, model, torch.device("cpu")))
        return np.concatenate(rows)

    return lambda a, b: float(fid_from_feats(features(a), features(b)))


# -- FVD ----------------------------------------------------------------------------------------------------------


def cd_fvd(cache: Path) -> Tool:
    """FVD by cd-fvd's I3D."""
    from cdfvd.fvd import cdfvd

    metric = cdfvd("i3d", n_fake="full", ckpt_path=str(weight_file("i3d", cache)), device="cpu")  # type: ignore[arg-type]

    def run(prediction: np.ndarray, reference: np.ndarray) -> float:
        metric.empty_real_stats()
        metric.empty_fake_stats()
        return float(metric.compute_fvd(reference, prediction))

    return run


def common_fvd(cache: Path) -> Tool:
    """Its VideoGPT way: resize and centre crop, I3D in batches of 10, covariances, ``sqrtm``; from 10 frames on."""
    require("cd-fvd")  # which carries the same I3D
    import scipy.linalg
    import torch
    from cdfvd.third_party.i3d.utils import load_i3d_model

    from eval.networks.i3d import preprocess

    network = load_i3d_model(torch.device("cpu"), str(weight_file("i3d", cache)))

    def features(clips: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            parts = [
                network(torch.cat([preprocess(clip) for clip in clips[i : i + 10]])).numpy()
                for i in range(0, len(clips), 10)
            ]
        return np.concatenate(parts)

    def run(prediction: np.ndarray, reference: np.ndarray) -> float:
        if prediction.shape[1] < 10:
            raise UserError(
                f"common_metrics refuses clips of fewer than 10 frames, these have {prediction.shape[1]}"
            )
        a, b = features(prediction), features(reference)
        difference, covariances = a.mean(axis=0) - b.mean(axis=0), (np.cov(a.T), np.cov(b.T))
        root: Any = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
        return float(difference @ difference + np.trace(covariances[0] + covariances[1] - 2 * root.real))

    return run


# -- the Fréchet step alone ---------------------------------------------------------------------------------------


def frechet(tool: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """A tool's distance between two sets of features (N, d), moments included."""
    require(tool)
    warnings.simplefilter("ignore")  # deprecations inside the packages
    if tool == "clean-fid":
        from cleanfid.fid import fid_from_feats

        return lambda a, b: float(fid_from_feats(a, b))
    if tool == "pytorch-fid":
        from pytorch_fid.fid_score import calculate_frechet_distance

        def moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return rows.mean(axis=0), np.cov(rows, rowvar=False)

        return lambda a, b: float(calculate_frechet_distance(*moments(a), *moments(b)))
    import torch

    if tool == "torch-fidelity":
        from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

        def statistics(rows: np.ndarray) -> Any:
            return fid_features_to_statistics(torch.from_numpy(rows))

        key = "frechet_inception_distance"
        return lambda a, b: float(fid_statistics_to_metric(statistics(a), statistics(b), False)[key])
    if tool == "torchmetrics":
        from torchmetrics.image.fid import _compute_fid

        def sums(rows: np.ndarray) -> tuple[Any, Any]:
            x = torch.from_numpy(rows).double()
            return x.mean(dim=0), torch.cov(x.T)

        return lambda a, b: float(_compute_fid(*sums(a), *sums(b)))
    from cdfvd.fvd import cdfvd
    from cdfvd.utils.metric_utils import FeatureStats

    def stats(rows: np.ndarray) -> Any:
        found = FeatureStats(capture_mean_cov=True)
        found.append(rows)
        return found

    return lambda a, b: float(cdfvd.compute_fvd_from_stats(None, stats(b), stats(a)))  # type: ignore[arg-type]
