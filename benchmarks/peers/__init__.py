"""Other metric toolkits on the same frames with the same random weights, each through its own functions.

A tool is made once (networks loaded) and then called with predicted and true clips in memory, ``uint8``
(N, T, H, W, 3); what it answers is its value of the metric. Nothing is downloaded: weights come from ``weight_file``.
None of these packages is needed by the project; one that is not installed is a ``UserError`` and so a recorded row.
"""

from __future__ import annotations

import importlib.metadata
import warnings
from pathlib import Path

from benchmarks.peers import frames, sets
from benchmarks.peers.tools import Maker, Tool, require

COMMON = "common_metrics"


def make(tool: str, metric: str, cache: Path) -> Tool:
    """A tool's way to a metric; ``cache``: folder for weight files."""
    if tool != COMMON:
        require(tool)
    warnings.simplefilter("ignore")  # deprecations inside the packages
    return MAKERS[tool, metric](cache)


def version(tool: str) -> str | None:
    """Installed version of the package behind a tool; ``None`` for what is none."""
    try:
        return importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return None


MAKERS: dict[tuple[str, str], Maker] = {
    ("scikit-image", "psnr"): frames.scikit_psnr,
    ("torchmetrics", "psnr"): frames.torchmetrics_frames("psnr"),
    ("common_metrics", "psnr"): frames.common_psnr,
    ("scikit-image", "ssim"): frames.scikit_ssim,
    ("torchmetrics", "ssim"): frames.torchmetrics_frames("ssim"),
    ("common_metrics", "ssim"): frames.common_ssim,
    ("lpips", "lpips_alex"): frames.lpips_one_by_one("alex"),
    ("torchmetrics", "lpips_alex"): frames.torchmetrics_lpips("alex"),
    ("common_metrics", "lpips_alex"): frames.lpips_one_by_one("alex", spatial=True),
    ("lpips", "lpips_vgg"): frames.lpips_one_by_one("vgg"),
    ("torchmetrics", "lpips_vgg"): frames.torchmetrics_lpips("vgg"),
    ("pytorch-fid", "fid"): sets.pytorch_fid,
    ("torch-fidelity", "fid"): sets.torch_fidelity,
    ("clean-fid", "fid"): sets.clean_fid,
    ("torchmetrics", "fid"): sets.torchmetrics_fid,
    ("cd-fvd", "fvd"): sets.cd_fvd,
    ("common_metrics", "fvd"): sets.common_fvd,
}
