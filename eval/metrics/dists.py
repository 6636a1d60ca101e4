"""DISTS: deep image structure and texture similarity (Ding et al. 2020, arXiv:2004.07728).

Means and covariances of VGG-16's feature maps, compared by SSIM's two fractions and weighted per channel. The
weights of the channels are those in the authors' package ``DISTS-pytorch`` (MIT), from which nothing else is taken;
the backbone is the one of ``lpips_vgg``. Frames go in at their own size: the score depends on it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.base import Kind, Pair, middle_and_mean
from eval.metrics.recent import Recent, in_batches
from mardini.errors import UserError
from mardini.files import sha256

if TYPE_CHECKING:
    import torch

    from eval.networks.vgg import Vgg

CHANNELS_SHA256 = (
    "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218"  # weights.pt of release 0.1
)
CONSTANT = 1e-6  # of both fractions
BATCH = 2  # frames at a time on a CPU: more do not fit its cache


class DISTS:
    """DISTS of each frame; 0 for equal frames.

    Args:
        backbone: torchvision's verified VGG-16 file; ``None``: seeded random weights, and ``_random`` in the name.
        device: where to run.

    Raises:
        UserError: with a backbone, but without the package that holds the channels' weights.
    """

    kind: Kind = "frame"
    version = "1"
    higher_is_better = False
    decimals = 4
    suffixes = ("_mid", "_all")
    min_size = 16

    def __init__(self, backbone: Path | None, device: str = "cpu") -> None:
        self.backbone, self.device = backbone, device
        self.channels = channel_weights() if backbone else None
        self.name = self.row = "dists" + ("" if backbone else "_random")
        self.weights = ("vgg16",) if backbone else ()
        self.batch = BATCH if device == "cpu" else 16
        self.variant = {
            "net": "VGG-16, L2 pooling",
            "input": "RGB in [0, 1], ImageNet mean and deviation, no resize",
            "weights": f"ImageNet, channels {CHANNELS_SHA256[:8]}" if backbone else "seeded random",
        }
        self._recent = Recent()

    @cached_property
    def network(self) -> Vgg:
        from eval.networks.vgg import load_vgg

        return load_vgg(self.backbone, self.device)

    @cached_property
    def shares(self) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The weights of means and of covariances, one tensor a layer; all of them add up to 1."""
        import torch

        if self.channels is None:
            drawn = np.random.default_rng(0).random((2, sum(self.network.channels)), dtype=np.float32)
            alpha, beta = (torch.from_numpy(row) for row in drawn)
        else:
            state = torch.load(self.channels, map_location="cpu", weights_only=True)
            alpha, beta = state["alpha"].flatten(), state["beta"].flatten()
        total = alpha.sum() + beta.sum()
        split = [(w / total).to(self.device).split(list(self.network.channels)) for w in (alpha, beta)]
        return list(split[0]), list(split[1])

    def __call__(self, pair: Pair) -> np.ndarray:
        import torch

        height, width = pair.reference.shape[1:3]
        if min(height, width) < self.min_size:
            raise UserError(
                f"DISTS needs frames of at least {self.min_size}x{self.min_size} pixels, got {width}x{height}: "
                "score larger frames or leave dists out of --metrics"
            )
        layers = self.network.layers
        with torch.inference_mode():
            real = self._recent.batches(pair.reference, self.batch, layers)
            parts = [
                self._compare(layers(frames), theirs)
                for frames, theirs in zip(in_batches(pair.prediction, self.batch), real, strict=True)
            ]
            return torch.cat(parts).double().cpu().numpy()

    def _compare(self, ours: Sequence[torch.Tensor], real: Sequence[torch.Tensor]) -> torch.Tensor:
        """One value a frame from features (N, C, h, w) of every layer."""
        import torch

        similarity = torch.zeros(len(ours[0]), device=ours[0].device)
        for x, y, alpha, beta in zip(ours, real, *self.shares, strict=True):
            mean_x, mean_y = x.mean(dim=(2, 3)), y.mean(dim=(2, 3))
            var_x = (x - mean_x[..., None, None]).square().mean(dim=(2, 3))
            var_y = (y - mean_y[..., None, None]).square().mean(dim=(2, 3))
            covariance = (x * y).mean(dim=(2, 3)) - mean_x * mean_y
            texture = (2 * mean_x * mean_y + CONSTANT) / (mean_x**2 + mean_y**2 + CONSTANT)
            structure = (2 * covariance + CONSTANT) / (var_x + var_y + CONSTANT)
            similarity += texture @ alpha + structure @ beta
        return 1 - similarity

    def forms(self, values: np.ndarray, middle: int | None) -> dict[str, float]:
        return middle_and_mean(values, middle)


def channel_weights() -> Path:
    """The weights of the channels in the package ``DISTS-pytorch``, which is not imported. Else ``UserError``."""
    found = importlib.util.find_spec("DISTS_pytorch")
    if found is None or not found.submodule_search_locations:
        raise UserError(
            "dists needs the channel weights in the package DISTS-pytorch: pip install 'mardini[dists]'"
        )
    path = Path(found.submodule_search_locations[0]) / "weights.pt"
    if not path.is_file() or sha256(path) != CHANNELS_SHA256:
        raise UserError(f"{path} is not DISTS 0.1: pip install --force-reinstall DISTS-pytorch==0.1")
    return path
