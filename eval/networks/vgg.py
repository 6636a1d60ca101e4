"""VGG-16's convolutions (Simonyan & Zisserman 2015) with DISTS' pooling in place of the maximum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eval.networks.inference import convolve, full_precision
from eval.networks.initialize import randomize
from mardini.errors import UserError

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# Blocks of convolutions: (index in torchvision's ``features``, inputs, outputs).
BLOCKS = (
    ((0, 3, 64), (2, 64, 64)),
    ((5, 64, 128), (7, 128, 128)),
    ((10, 128, 256), (12, 256, 256), (14, 256, 256)),
    ((17, 256, 512), (19, 512, 512), (21, 512, 512)),
    ((24, 512, 512), (26, 512, 512), (28, 512, 512)),
)


class Vgg(nn.Module):
    """From images (N, 3, H, W) in [0, 1] to themselves and the last features of the five blocks."""

    channels = (3, 64, 128, 256, 512, 512)

    def __init__(self) -> None:
        super().__init__()
        layers = [layer for block in BLOCKS for layer in block]
        self.features = nn.ModuleDict({str(i): nn.Conv2d(a, b, 3, padding=1) for i, a, b in layers})
        window = torch.outer(torch.tensor([0.25, 0.5, 0.25]), torch.tensor([0.25, 0.5, 0.25]))  # Hann's
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        found, h = [x], (x - self.get_buffer("mean")) / self.get_buffer("std")
        for number, block in enumerate(BLOCKS):
            if number:
                h = self._pool(h)
            for index, _, _ in block:
                h = convolve(self.features[str(index)], h).relu_()  # type: ignore[arg-type]
            found.append(h)
        return found

    def _pool(self, x: Tensor) -> Tensor:
        """Root of the Gaussian-like mean of squares, at every second pixel (Henaff & Simoncelli 2016)."""
        kernel = self.get_buffer("window").expand(x.shape[1], 1, 3, 3)
        return (F.conv2d(x.square(), kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()

    def layers(self, frames: np.ndarray) -> list[Tensor]:
        """Features of ``uint8`` RGB frames (N, H, W, 3), within ``torch.inference_mode``."""
        window = self.get_buffer("window")
        x = torch.from_numpy(np.ascontiguousarray(frames)).to(window.device).permute(0, 3, 1, 2).float() / 255
        with full_precision(window.device):
            return self(x)


def load_vgg(weights: Path | None, device: str = "cpu") -> Vgg:
    """The network in evaluation mode; ``weights``: torchvision's verified VGG-16 file, ``None``: seeded random."""
    network = Vgg()
    if weights is None:
        randomize(network)
    else:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        surplus = [name for name in state if not name.startswith(("features.", "classifier."))]
        if surplus:
            raise UserError(
                f"the backbone file holds unknown layers ({', '.join(surplus[:3])}): fetch it again"
            )
        kept = {name: value for name, value in state.items() if name.startswith("features.")}
        network.load_state_dict(kept, strict=True)
    return network.eval().requires_grad_(False).to(device)
