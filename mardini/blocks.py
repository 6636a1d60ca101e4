"""Attention and feed-forward layers that planner and generator share.

Tokens of a window have shape (B, K, N, C): batch, frames, tokens of a frame, width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from mardini.config import Attention as AttentionKind
from mardini.fused import fused
from mardini.masks import MaskedFrames
from mardini.positions import Rope, rotate

KeysValues = tuple[Tensor, Tensor]
"""Keys and values, each (B, K, N, heads, head_dim), keys normalised and rotated."""


class Attention(nn.Module):
    """Multi-head attention with layer-normalised queries and keys (QK-norm) and rotary positions.

    Called on (B, K, N, C), every token attends to the tokens of its own frame: in ``x`` itself (spatial
    attention) or in ``context`` (cross-attention to the planning signal).
    """

    def __init__(self, dim: int, heads: int, context_dim: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim, bias=False)
        self.key_value = nn.Linear(context_dim or dim, 2 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.query_norm = nn.LayerNorm(dim // heads)
        self.key_norm = nn.LayerNorm(dim // heads)
        if context_dim is None:
            self._start_alike(dim)

    @torch.no_grad()
    def _start_alike(self, dim: int) -> None:
        """Start with queries equal to keys, and an output that gives back half of what the values take in.

        So tokens attend from the first step to those that look like them, and copy them (Trockman & Kolter 2023,
        arXiv:2305.09828). The paper is silent about initial weights; this is our choice.
        """
        self.query.weight.copy_(self.key_value.weight[:dim])
        value = nn.init.orthogonal_(torch.empty_like(self.query.weight, dtype=torch.float32))
        self.key_value.weight[dim:] = value
        self.out.weight.copy_(0.5 * value.T)

    def queries(self, x: Tensor, rope: Rope) -> Tensor:
        """Normalised, rotated queries of tokens (B, K, N, C): (B, K, N, heads, head_dim)."""
        q = self.query(x).unflatten(-1, (self.heads, -1))
        return normalised(q, self.query_norm.weight, self.query_norm.bias, *rope)

    def keys_values(self, x: Tensor, rope: Rope) -> KeysValues:
        """Normalised, rotated keys, and values, of tokens (B, K, N, C)."""
        k, v = self.key_value(x).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        return normalised(k, self.key_norm.weight, self.key_norm.bias, *rope), v

    def merge(self, heads: Tensor) -> Tensor:
        """(B, K, N, heads, head_dim) -> output projection, (B, K, N, C)."""
        return self.out(heads.flatten(-2))

    def forward(self, x: Tensor, rope: Rope, context: KeysValues | None = None) -> Tensor:
        """Attention within each frame; ``context`` from :meth:`keys_values` of another sequence, else ``x``'s own."""
        q = self.queries(x, rope)
        k, v = self.keys_values(x, rope) if context is None else context
        return self.merge(_attend(q, k, v, "b k n h d -> (b k) h n d"))


class IdentityAttention(Attention):
    """Attention across frames in which references are never touched (the paper's Identity Attention).

    A reference token attends to itself alone, so its attention output is its own value; a masked token attends
    to all tokens of all frames (``spatio-temporal``) or to its position in all frames (``temporal``). No N x N
    mask is built: queries of masked frames are gathered and attend densely, references pass their values on.
    """

    def __init__(self, dim: int, heads: int, kind: AttentionKind, identity: bool = True) -> None:
        super().__init__(dim, heads)
        self.kind = kind
        self.identity = identity

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]  # another kind of call, same weights
        self,
        x: Tensor,
        rope: Rope,
        masked: MaskedFrames | None,
        past: KeysValues | None = None,
        alone: bool = False,
    ) -> tuple[Tensor, KeysValues]:
        """Attention across frames.

        Args:
            x: (B, K, N, C).
            rope: for the K frames of ``x``.
            masked: which of the frames are masked; ``None``: all of them if ``past`` is given, else none.
            past: keys and values of reference frames that are not in ``x``.
            alone: every token attends to itself alone, as those of references do: what skip guidance leads away from.

        Returns:
            (B, K, N, C), and the keys and values of ``x``'s frames, to be passed as ``past`` later.
        """
        own = self.keys_values(x, rope)
        if alone:
            return self.merge(own[1]), own
        q = self.queries(x, rope)
        k, v = own if past is None else (torch.cat(pair, dim=1) for pair in zip(past, own, strict=True))
        pattern = "b k n h d -> b h (k n) d" if self.kind == "spatio-temporal" else "b k n h d -> (b n) h k d"
        if not self.identity:
            heads = _attend(q, k, v, pattern)
        elif masked is None:
            heads = own[1] if past is None else _attend(q, k, v, pattern)
        else:
            noisy = _attend(_take(q, masked.index), k, v, pattern)
            is_masked = masked.mask[:, :, None, None, None]
            heads = torch.where(is_masked, _take(noisy, masked.slot), own[1])
        return self.merge(heads), own


@fused
def normalised(x: Tensor, weight: Tensor, bias: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Queries or keys (B, K, N, heads, d), normalised and rotated."""
    return rotate(F.layer_norm(x, weight.shape, weight, bias), (cos, sin))


@fused
def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Tokens (B, K, N, C), normalised (RMS), then scaled and shifted by (B, K, 1, C): AdaLN."""
    return F.rms_norm(x, x.shape[-1:]) * (1 + scale) + shift


def _take(x: Tensor, index: Tensor) -> Tensor:
    """Frames ``index`` (B, K') of (B, K, N, heads, d)."""
    return x.gather(1, index[:, :, None, None, None].expand(-1, -1, *x.shape[2:]))


def _attend(q: Tensor, k: Tensor, v: Tensor, pattern: str) -> Tensor:
    """Dense attention over the sequences that ``pattern`` makes of (B, K, N, heads, d); the shape of ``q`` returns.

    All sequences but the temporal ones are views: heads come last in memory, as layers give and take them.
    """
    queries, keys, values = (rearrange(part, pattern) for part in (q, k, v))
    if values.dtype == torch.bfloat16 and values.device.type == "cpu" and torch.is_grad_enabled():
        out = _plain(queries, keys, values)
    else:
        out = F.scaled_dot_product_attention(queries, keys, values)
    left, right = pattern.split(" -> ")
    return rearrange(out, f"{right} -> {left}", b=q.shape[0], k=q.shape[1], n=q.shape[2])


def _plain(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention spelled out, (B, heads, N, d) each: torch's own is slow to differentiate in bfloat16 on a CPU.

    It builds N x N scores, which the windows of models that learn on a CPU can afford.
    """
    scores = (queries * queries.shape[-1] ** -0.5).to(values.dtype) @ keys.to(values.dtype).transpose(-2, -1)
    return scores.softmax(dim=-1).to(values.dtype) @ values


class MLP(nn.Module):
    """Two-matrix feed-forward layer with SiLU (two matrices fit the parameter counts of Table 1, SwiGLU does not)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(dim, hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.up(x)))
