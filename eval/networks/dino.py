"""DINO's ViT-B/16 (Caron et al. 2021, arXiv:2104.14294), whose class token VBench compares frames by.

Architecture: Dosovitskiy et al. 2021 (arXiv:2010.11929). Parameter names are those of ``dino_vitbase16_pretrain.pth``
(facebookresearch/dino, Apache-2.0), which loads strictly.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eval.networks.initialize import randomize

WIDTH, DEPTH, HEADS, PATCH, GRID = 768, 12, 12, 16, 14


class Attention(nn.Module):
    """Self-attention of all tokens (N, L, C), queries, keys and values from one matrix."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        count, length, width = x.shape
        qkv = self.qkv(x).reshape(count, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*qkv.unbind(0))
        return self.proj(mixed.transpose(1, 2).reshape(count, length, width))


class MLP(nn.Module):
    """Two layers with a GELU between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLP(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """Patches to tokens; what is left over below and at the right is dropped."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x)


class DINO(nn.Module):
    """From (N, 3, H, W), normalised, to the class token after the last norm: (N, width).

    Sizes other than ``grid`` patches a side get interpolated position embeddings, as in DINO's own code.
    """

    def __init__(
        self, width: int = WIDTH, depth: int = DEPTH, heads: int = HEADS, patch: int = PATCH, grid: int = GRID
    ) -> None:
        super().__init__()
        self.grid = grid
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, width))
        self.patch_embed = PatchEmbed(width, patch)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch_embed(x)
        tokens = patches.flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), tokens], dim=1)
        tokens = tokens + self.positions(*patches.shape[2:])
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, 0]

    def positions(self, rows: int, columns: int) -> Tensor:
        """Position embeddings (1, 1 + rows * columns, width).

        The scale is a tenth of a patch more than the ratio of the sides, as in DINO's code, whose guard against
        rounding moves the grid a little.
        """
        if (rows, columns) == (self.grid, self.grid):
            return self.pos_embed
        grid = self.pos_embed[:, 1:].reshape(1, self.grid, self.grid, -1).permute(0, 3, 1, 2)
        scale = ((rows + 0.1) / self.grid, (columns + 0.1) / self.grid)
        resized = F.interpolate(grid, scale_factor=scale, mode="bicubic")
        if tuple(resized.shape[2:]) != (rows, columns):
            raise ValueError(f"positions of {tuple(resized.shape[2:])} for {rows}x{columns} patches")
        return torch.cat([self.pos_embed[:, :1], resized.flatten(2).transpose(1, 2)], dim=1)


def load_dino(weights: Path | None, device: str = "cpu") -> DINO:
    """The network in evaluation mode; ``weights``: the verified weight file, ``None``: seeded random."""
    network = DINO()
    if weights is None:
        randomize_dino(network)
    else:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), strict=True)
    return network.eval().requires_grad_(False).to(device)


def randomize_dino(network: DINO, seed: int = 0) -> None:
    """Seeded He-normal weights, and tokens and positions of a trained network's size."""
    randomize(network, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in (network.cls_token, network.pos_embed):
            parameter.copy_(
                torch.randn(parameter.shape, generator=generator) / math.sqrt(parameter.shape[-1])
            )
