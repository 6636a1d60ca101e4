"""The planner ("MAR"): long-range temporal planning on low-resolution latents.

Masked frames enter as one learnable ``[MASK]`` token; what leaves is a planning signal for every frame.
It runs once per window.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from mardini.blocks import MLP, Attention, IdentityAttention
from mardini.config import PlannerConfig
from mardini.masks import MaskedFrames
from mardini.positions import Rope, append_next, drop_next, rope, sequence_index


class PlannerBlock(nn.Module):
    """Pre-norm spatial attention, spatio-temporal Identity Attention and MLP, each with RMSNorm (Llama style)."""

    def __init__(self, config: PlannerConfig) -> None:
        super().__init__()
        self.spatial_norm = nn.RMSNorm(config.hidden)
        self.spatial = Attention(config.hidden, config.heads)
        self.temporal_norm = nn.RMSNorm(config.hidden)
        self.temporal = IdentityAttention(config.hidden, config.heads, "spatio-temporal")
        self.mlp_norm = nn.RMSNorm(config.hidden)
        self.mlp = MLP(config.hidden, config.mlp)

    def forward(self, x: Tensor, rope: Rope, masked: MaskedFrames) -> Tensor:
        x = x + self.spatial(self.spatial_norm(x), rope)
        x = x + self.temporal(self.temporal_norm(x), rope, masked)[0]
        return x + self.mlp(self.mlp_norm(x))


class Planner(nn.Module):
    """Low-resolution latents and a frame mask in, planning signal ``z_cond`` out."""

    def __init__(self, config: PlannerConfig, channels: int) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(channels, config.hidden)
        self.mask_token = nn.Parameter(torch.randn(config.hidden) * 0.02)
        self.next_token = nn.Parameter(torch.randn(config.hidden) * 0.02)
        self.blocks = nn.ModuleList(PlannerBlock(config) for _ in range(config.depth))
        self.norm = nn.RMSNorm(config.hidden)

    def forward(self, z_low: Tensor, masked: MaskedFrames, time: Tensor) -> Tensor:
        """Plan a window.

        Args:
            z_low: low-resolution latents (B, K, channels, h, w); what stands in masked frames is never read.
            masked: the mask, packed.
            time: (K,) position of each frame in time, in frames.

        Returns:
            ``z_cond`` (B, K, h, w, hidden), the planning signal of every frame.
        """
        grid = self.embed(rearrange(z_low, "b k c h w -> b k h w c"))
        grid = torch.where(masked.mask[:, :, None, None, None], self.mask_token.to(grid.dtype), grid)
        height, width = grid.shape[2:4]
        x = append_next(grid, self.next_token)
        angles = rope(sequence_index(height, width, x.device), time, self.config.hidden // self.config.heads)
        for block in self.blocks:
            x = block(x, angles, masked)
        return drop_next(self.norm(x), width)


class ReconstructionHead(nn.Module):
    """The projection f of the planner's own training stage: ``z_cond`` -> low-resolution latents. Dropped after it."""

    def __init__(self, config: PlannerConfig, channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(config.hidden, channels)

    def forward(self, z_cond: Tensor) -> Tensor:
        """(B, K, h, w, hidden) -> (B, K, channels, h, w)."""
        return rearrange(self.project(z_cond), "b k h w c -> b k c h w")
