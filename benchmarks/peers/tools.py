"""What all tools share: their signature, frames as tensors, random weights as files."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mardini.errors import UserError

Tool = Callable[[np.ndarray, np.ndarray], float]
"""From predicted and true clips, ``uint8`` (N, T, H, W, 3), to a value."""
Maker = Callable[[Path], Tool]
"""From a folder for weight files to a tool, with its networks loaded."""
BATCH = 32
"""Frames at a time, for those that take batches."""


PACKAGES = {
    "pytorch-fid": "pytorch_fid",
    "torch-fidelity": "torch_fidelity",
    "clean-fid": "cleanfid",
    "torchmetrics": "torchmetrics",
    "lpips": "lpips",
    "scikit-image": "skimage",
    "cd-fvd": "cdfvd",
}
"""Project on PyPI -> module. The loop of common_metrics is no package: it is written out here."""


def require(name: str) -> None:
    """Refuse where a package is not installed."""
    if importlib.util.find_spec(PACKAGES[name]) is None:
        raise UserError(f"{name} is not installed: pip install {name} to compare with it")


def generated(clips: np.ndarray) -> np.ndarray:
    """All frames between the first and the last of every clip: (N (T - 2), H, W, 3)."""
    return clips[:, 1:-1].reshape(-1, *clips.shape[2:])


def weight_file(kind: str, cache: Path) -> Path:
    """The seeded random weights of our detector ``inception`` or ``i3d``, as a file in the public format."""
    import torch

    from eval.networks.i3d import I3D
    from eval.networks.inception import Inception
    from eval.networks.initialize import randomize
    from mardini.files import atomic

    path = cache / f"{kind}-random.pth"
    if not path.is_file():
        network = {"inception": Inception, "i3d": I3D}[kind]()
        randomize(network)
        with atomic(path) as temporary:
            torch.save(network.state_dict(), temporary)
    return path


def as_tensors(frames: np.ndarray, size: int = BATCH) -> Iterator[Any]:
    """``uint8`` frames as contiguous tensors (b, 3, H, W), a batch at a time."""
    import torch

    for start in range(0, len(frames), size):
        yield torch.from_numpy(frames[start : start + size]).permute(0, 3, 1, 2).contiguous()
