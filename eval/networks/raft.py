"""RAFT-large (Teed & Deng 2020, arXiv:2003.12039) as torchvision keeps it, on pairs of 8-bit frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eval.networks.inference import full_precision
from eval.networks.initialize import randomize

UPDATES = 12  # torchvision's default
MULTIPLE = 8  # of pixels in both directions


class Raft:
    """Optical flow between frames by a RAFT network in evaluation mode."""

    def __init__(self, network: nn.Module, device: str) -> None:
        self.network, self.device = network, torch.device(device)

    @torch.inference_mode()
    def flow(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """From ``uint8`` (H, W, 3) to another: float32 (H, W, 2) in pixels (x, y). At least 128 pixels a side."""
        height, width = first.shape[:2]
        pad = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        a, b = (F.pad(self._input(frame), pad, mode="replicate") for frame in (first, second))
        with full_precision(self.device):
            found: Tensor = self.network(a, b, num_flow_updates=UPDATES)[-1]
        return found[0, :, :height, :width].permute(1, 2, 0).float().cpu().numpy()

    def _input(self, frame: np.ndarray) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(frame)).to(self.device)
        return x.permute(2, 0, 1)[None].float() / 127.5 - 1


def load_raft(weights: Path | None, device: str = "cpu") -> Raft:
    """The estimator; ``weights``: the verified file, ``None``: seeded random weights, whose flow means nothing."""
    from torchvision.models.optical_flow import raft_large

    network = raft_large(weights=None)
    if weights is None:
        randomize(network)
    else:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), strict=True)
    return Raft(network.eval().requires_grad_(False).to(device), device)
