"""Peers of the metrics of single frames: PSNR, SSIM, LPIPS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.tools import Maker, Tool, as_tensors, generated

# -- PSNR and SSIM ------------------------------------------------------------------------------------------------


def scikit_psnr(cache: Path) -> Tool:
    """scikit-image's ``peak_signal_noise_ratio``, frame by frame."""
    from skimage.metrics import peak_signal_noise_ratio

    return framewise(lambda a, b: float(peak_signal_noise_ratio(b, a, data_range=255)))


def scikit_ssim(cache: Path) -> Tool:
    """scikit-image's ``structural_similarity`` with the window of the paper, frame by frame."""
    from skimage.metrics import structural_similarity

    score: Any = structural_similarity
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return framewise(lambda a, b: float(score(a, b, channel_axis=-1, data_range=255, **options)))


def framewise(score: Callable[[np.ndarray, np.ndarray], float]) -> Tool:
    """The mean of a score over generated frames, one by one."""

    def run(prediction: np.ndarray, reference: np.ndarray) -> float:
        pairs = zip(generated(prediction), generated(reference), strict=True)
        return float(np.mean([score(a, b) for a, b in pairs]))

    return run


def torchmetrics_frames(name: str) -> Maker:
    """A functional metric of torchmetrics over batches of frames in [0, 1]."""

    def make(cache: Path) -> Tool:
        from torchmetrics.functional import image

        if name == "psnr":
            options: Any = {"data_range": 1.0, "reduction": "none", "dim": (1, 2, 3)}
            score: Any = image.peak_signal_noise_ratio
        else:
            options = {"data_range": 1.0, "reduction": "none", "sigma": 1.5, "kernel_size": 11}
            score = image.structural_similarity_index_measure

        def run(prediction: np.ndarray, reference: np.ndarray) -> float:
            batches = zip(as_tensors(generated(prediction)), as_tensors(generated(reference)), strict=True)
            values = [score(a.float() / 255, b.float() / 255, **options).numpy() for a, b in batches]
            return float(np.mean(np.concatenate(values)))

        return run

    return make


def common_psnr(cache: Path) -> Tool:
    """PSNR as the common_metrics loop computes it."""

    def score(a: np.ndarray, b: np.ndarray) -> float:
        error = np.mean((a.astype(np.float64) / 255 - b.astype(np.float64) / 255) ** 2)
        return 100.0 if error < 1e-10 else float(20 * np.log10(1 / np.sqrt(error)))

    return framewise(score)


def common_ssim(cache: Path) -> Tool:
    """Gaussian 11/1.5 by OpenCV's 2-D filter, channel by channel, the border cut off."""
    import cv2

    line = cv2.getGaussianKernel(11, 1.5)
    window = np.outer(line, line.T)

    def filtered(image: np.ndarray) -> np.ndarray:
        return cv2.filter2D(image, -1, window)[5:-5, 5:-5]

    def channel(a: np.ndarray, b: np.ndarray) -> float:
        mean_a, mean_b = filtered(a), filtered(b)
        var_a, var_b = filtered(a**2) - mean_a**2, filtered(b**2) - mean_b**2
        both = filtered(a * b) - mean_a * mean_b
        c1, c2 = 0.01**2, 0.03**2
        top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
        return float((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())

    def score(a: np.ndarray, b: np.ndarray) -> float:
        a, b = a.astype(np.float64) / 255, b.astype(np.float64) / 255
        return float(np.mean([channel(a[..., c], b[..., c]) for c in range(3)]))

    return framewise(score)


# -- LPIPS --------------------------------------------------------------------------------------------------------


def lpips_network(net: str, spatial: bool = False) -> Any:
    """The package's network with the random weights of our ``lpips_<net>_random``."""
    import lpips

    from eval.metrics.lpips import randomize_lpips

    network = lpips.LPIPS(pretrained=False, net=net, pnet_rand=True, verbose=False, spatial=spatial)
    randomize_lpips(network)
    return network.eval().requires_grad_(False)


def lpips_one_by_one(net: str, spatial: bool = False) -> Maker:
    """The package frame by frame; ``spatial``: a map that is averaged, as common_metrics does."""

    def make(cache: Path) -> Tool:
        import torch

        network = lpips_network(net, spatial)

        def run(prediction: np.ndarray, reference: np.ndarray) -> float:
            pairs = zip(
                as_tensors(generated(prediction), 1), as_tensors(generated(reference), 1), strict=True
            )
            with torch.inference_mode():
                values = [float(network(a / 127.5 - 1, b / 127.5 - 1).mean()) for a, b in pairs]
            return float(np.mean(values))

        return run

    return make


def torchmetrics_lpips(net: str) -> Maker:
    """torchmetrics' LPIPS on all frames at once."""

    def make(cache: Path) -> Tool:
        import torch
        from torchmetrics.functional.image.lpips import _NoTrainLpips

        network = _NoTrainLpips(net=net, pretrained=False, pnet_rand=True)  # type: ignore[arg-type]
        network.load_state_dict(lpips_network(net).state_dict(), strict=False)

        def run(prediction: np.ndarray, reference: np.ndarray) -> float:
            batches = zip(as_tensors(generated(prediction)), as_tensors(generated(reference)), strict=True)
            with torch.inference_mode():
                values = [network(a / 127.5 - 1, b / 127.5 - 1).reshape(-1).numpy() for a, b in batches]
            return float(np.mean(np.concatenate(values)))

        return run

    return make
