"""Positions: row-end ``[NEXT]`` tokens and the 2-D rotary embedding (as the paper, after Lumina-T2X).

A frame of h x w latents is flattened row by row with one ``[NEXT]`` token after each row, so position is two
numbers: the index in that sequence, and time. The first half of every head's dimensions turns with the index,
the second half with time. Any aspect ratio fits, because the row ends say where lines break.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

Rope = tuple[Tensor, Tensor]
"""(cos, sin), each of shape (K, N, head_dim / 2), float32."""


def append_next(grid: Tensor, token: Tensor) -> Tensor:
    """Flatten a grid of tokens with ``token`` at the end of each row: (B, K, h, w, C) -> (B, K, h * (w + 1), C)."""
    ends = token.expand(*grid.shape[:3], 1, -1)
    return rearrange(torch.cat([grid, ends.to(grid.dtype)], dim=3), "b k h w c -> b k (h w) c")


def drop_next(tokens: Tensor, width: int) -> Tensor:
    """Inverse of :func:`append_next`: (B, K, h * (w + 1), C) -> (B, K, h, w, C) for ``width`` = w."""
    return rearrange(tokens, "b k (h w) c -> b k h w c", w=width + 1)[:, :, :, :width]


def sequence_index(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """In-frame positions of an h x w grid with row ends: 0 ... h * (w + 1) - 1, float32."""
    return torch.arange(height * (width + 1), device=device, dtype=torch.float32)


def aligned_index(low: tuple[int, int], high: tuple[int, int], device: torch.device | None = None) -> Tensor:
    """Where the cells of a low-resolution grid lie in the sequence of a high-resolution one, fractional, float32.

    The paper does not say how the generator's tokens find "their" planner tokens in cross-attention; giving each
    planner token the sequence index of its centre in the generator's grid is our choice. Shape (h_low * w_low,).
    """
    rows = (torch.arange(low[0], device=device, dtype=torch.float32) + 0.5) * high[0] / low[0] - 0.5
    columns = (torch.arange(low[1], device=device, dtype=torch.float32) + 0.5) * high[1] / low[1] - 0.5
    return (rows[:, None] * (high[1] + 1) + columns[None]).flatten()


def rope(index: Tensor, time: Tensor, head_dim: int, base: float = 10_000.0) -> Rope:
    """Rotation angles for in-frame positions ``index`` (N,) at frame times ``time`` (K,), in frames.

    ``head_dim`` must be a multiple of 4: two axes, two numbers to a rotation.
    """
    if head_dim % 4:
        raise ValueError(f"head_dim must be a multiple of 4 for a 2-D rotary embedding, got {head_dim}")
    frequencies = base ** (
        -torch.arange(0, head_dim // 4, device=index.device, dtype=torch.float32) * 4 / head_dim
    )
    shape = (len(time), len(index), head_dim // 4)
    angles = torch.cat(
        [
            (index.float()[None, :, None] * frequencies).expand(shape),
            (time.float()[:, None, None] * frequencies).expand(shape),
        ],
        dim=-1,
    )
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rope: Rope) -> Tensor:
    """Apply a rotary embedding to queries or keys (B, K, N, heads, head_dim); attention then sees differences only.

    Neighbouring numbers make a pair, and pairs turn as complex numbers do, in one pass over memory. In float32.
    """
    cos, sin = (part.float()[:, :, None] for part in rope)
    pairs = x.float().unflatten(-1, (-1, 2))
    if torch.compiler.is_compiling():  # which makes one pass of many operations, but not of complex ones
        left, right = pairs.unbind(-1)
        turned = torch.stack([left * cos - right * sin, left * sin + right * cos], dim=-1)
    else:
        turned = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.complex(cos, sin))
    return turned.flatten(-2).to(x.dtype)
