"""The generator ("DM"): a light diffusion model that adds spatial detail, guided by the plan.

Masked frames enter noised, references clean and conditioned on step 0. Identity Attention keeps references free
of noise, so all that is computed from them is the same at every diffusion step: :meth:`Generator.prepare` computes
it once per window, and :meth:`Generator.denoise` then runs on the masked frames alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from mardini.blocks import MLP, Attention, IdentityAttention, KeysValues, modulated
from mardini.config import GeneratorConfig
from mardini.masks import MaskedFrames
from mardini.positions import Rope, aligned_index, append_next, drop_next, rope, sequence_index


class StepEmbedding(nn.Module):
    """Diffusion step (0 = clean, 1000 = pure noise) -> vector: sinusoids, then a two-layer MLP (as in DiT)."""

    def __init__(self, dim: int, frequencies: int = 128) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.mlp = nn.Sequential(nn.Linear(2 * frequencies, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, step: Tensor) -> Tensor:
        """(B, K) -> (B, K, dim)."""
        index = torch.arange(self.frequencies, device=step.device, dtype=torch.float32)
        angles = step.float()[..., None] * torch.exp(-math.log(10_000) * index / self.frequencies)
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
        return self.mlp(waves.to(next(self.mlp.parameters()).dtype))


class PlanTokens(NamedTuple):
    """A planning signal as tokens (B, K, n, plan_dim), and their positions in the generator's grid."""

    tokens: Tensor
    ropes: Rope


class GeneratorBlock(nn.Module):
    """Spatial attention, Identity Attention across frames, cross-attention to the plan, MLP (Figure 2).

    AdaLN: the diffusion step shifts, scales and gates spatial attention; step plus plan do so for the MLP.
    The last linear layers of both start at zero gate, so that the block starts close to the identity.
    """

    def __init__(self, config: GeneratorConfig, plan_dim: int) -> None:
        super().__init__()
        dim = config.hidden
        self.spatial = Attention(dim, config.heads)
        self.spatial_modulation = nn.Linear(dim, 3 * dim)
        self.temporal_norm = nn.RMSNorm(dim)
        self.temporal = IdentityAttention(dim, config.heads, config.attention, config.identity)
        self.cross_norm = nn.RMSNorm(dim)
        self.cross = Attention(dim, config.heads, context_dim=plan_dim)
        self.mlp = MLP(dim, config.mlp)
        self.mlp_modulation = nn.Linear(dim, 3 * dim)
        for layer in (self.spatial_modulation, self.mlp_modulation):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        x: Tensor,
        ropes: Rope,
        step: Tensor,
        step_and_plan: Tensor,
        plan: KeysValues | PlanTokens,
        masked: MaskedFrames | None,
        past: KeysValues | None = None,
        alone: bool = False,
    ) -> tuple[Tensor, KeysValues]:
        """One block on (B, K, N, C); ``step`` and ``step_and_plan`` are (B, K, C), ``plan`` the plan's keys and values.

        In training ``plan`` is the plan's tokens: a sharded block has its weights only while it runs, so the keys
        and values must be computed inside it.
        ``masked``, ``past`` and ``alone`` as in :class:`IdentityAttention`, whose keys and values are returned too.
        """
        if isinstance(plan, PlanTokens):
            plan = self.cross.keys_values(*plan)
        shift, scale, gate = self.spatial_modulation(F.silu(step))[:, :, None].chunk(3, dim=-1)
        x = x + gate * self.spatial(modulated(x, shift, scale), ropes)
        mixed, keys_values = self.temporal(self.temporal_norm(x), ropes, masked, past, alone)
        x = x + mixed
        x = x + self.cross(self.cross_norm(x), ropes, plan)
        shift, scale, gate = self.mlp_modulation(F.silu(step_and_plan))[:, :, None].chunk(3, dim=-1)
        return x + gate * self.mlp(modulated(x, shift, scale)), keys_values


@dataclass(frozen=True)
class Prepared:
    """What stays the same over the diffusion steps of one window: see :meth:`Generator.prepare`."""

    references: list[KeysValues]
    plans: list[KeysValues]
    plan_embedding: Tensor
    ropes: Rope


class Generator(nn.Module):
    """Velocity of the masked frames, from noised latents, references and planning signal."""

    def __init__(self, config: GeneratorConfig, channels: int, plan_dim: int) -> None:
        super().__init__()
        self.config = config
        dim = config.hidden
        self.embed = nn.Linear(channels, dim)
        self.next_token = nn.Parameter(torch.randn(dim) * 0.02)
        self.unconditional = nn.Parameter(torch.randn(plan_dim) * 0.02)
        self.step_embedding = StepEmbedding(dim)
        self.plan_embedding = nn.Linear(plan_dim, dim)
        self.blocks = nn.ModuleList(GeneratorBlock(config, plan_dim) for _ in range(config.depth))
        self.modulation = nn.Linear(dim, 2 * dim)
        self.project = nn.Linear(dim, channels)
        for layer in (self.modulation, self.project):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        z: Tensor,
        step: Tensor,
        z_cond: Tensor,
        masked: MaskedFrames,
        time: Tensor,
        skip: bool = False,
    ) -> Tensor:
        """Predict velocities of a whole window.

        Args:
            z: (B, K, channels, H, W): noised latents in masked frames, clean ones in references.
            step: (B,) diffusion step of the masked frames, 1 to 1000 (references are conditioned on 0).
            z_cond: planning signal (B, K, h, w, plan_dim), or ``self.unconditional_plan``.
            masked: the mask, packed.
            time: (K,) position of each frame in time, in frames.
            skip: velocities without attention across frames in one block too: see :func:`mardini.sampling.sample`.

        Returns:
            (B, K, channels, H, W); only masked frames mean anything. With ``skip`` (2B, K, channels, H, W): after the
            velocities those of the same samples with the block skipped.
        """
        steps = torch.where(masked.mask, step[:, None], 0)
        ropes = self._ropes(z, time)
        x = self._tokens(z)
        embedding = self.step_embedding(steps)
        planned = embedding + self._plan_embedding(z_cond)
        plan = self._plan_tokens(z_cond, z, time)

        def run(index: int, x: Tensor, alone: bool) -> Tensor:
            return self.blocks[index](x, ropes, embedding, planned, plan, masked, alone=alone)[0]

        return torch.cat([self._velocity(x, embedding, z.shape[-1]) for x in self._through(x, skip, run)])

    def prepare(self, references: Tensor, z_cond: Tensor, mask: Tensor, time: Tensor) -> Prepared:
        """Compute once what all diffusion steps share: references' keys and values, and the plan's.

        Args:
            references: (B, R, channels, H, W), clean latents of the given frames in order of time.
            z_cond: planning signal of *all* K frames, (B, K, h, w, plan_dim).
            mask: (K,) bool, True = masked; the same for the whole batch.
            time: (K,).
        """
        if not self.config.identity:
            raise ValueError(
                "references depend on noise when Identity Attention is off: sample without the cache"
            )
        ropes = self._ropes(references, time[~mask])
        x = self._tokens(references)
        embedding = self.step_embedding(torch.zeros(references.shape[:2], device=references.device))
        given_plan, asked_plan = z_cond[:, ~mask], z_cond[:, mask]
        planned = embedding + self._plan_embedding(given_plan)
        cache, plans = [], []
        for block in self.blocks:
            plan = self._plan_keys_values(block, given_plan, references, time[~mask])
            x, keys_values = block(x, ropes, embedding, planned, plan, None)
            cache.append(keys_values)
            plans.append(self._plan_keys_values(block, asked_plan, references, time[mask]))
        return Prepared(cache, plans, self._plan_embedding(asked_plan), self._ropes(references, time[mask]))

    def denoise(self, z_t: Tensor, step: Tensor, prepared: Prepared, skip: bool = False) -> Tensor:
        """Velocities of the masked frames ``z_t`` (B, K', channels, H, W) at ``step`` (B,), 1 to 1000.

        Equal to :meth:`forward` on the whole window, at the cost of the masked frames alone; ``skip`` as there.
        """
        x = self._tokens(z_t)
        embedding = self.step_embedding(step[:, None].expand(z_t.shape[:2]))
        planned = embedding + prepared.plan_embedding

        def run(index: int, x: Tensor, alone: bool) -> Tensor:
            past, plan = prepared.references[index], prepared.plans[index]
            return self.blocks[index](x, prepared.ropes, embedding, planned, plan, None, past, alone)[0]

        return torch.cat([self._velocity(x, embedding, z_t.shape[-1]) for x in self._through(x, skip, run)])

    def _through(self, x: Tensor, skip: bool, run: Callable[[int, Tensor, bool], Tensor]) -> list[Tensor]:
        """``x`` after all blocks; with ``skip`` twice, the ways parting at one block: what comes before runs once."""
        states = [x]
        for index in range(len(self.blocks)):
            if skip and index == self.skipped:
                states = [run(index, x, alone) for x in states for alone in (False, True)]
            else:
                states = [run(index, x, False) for x in states]
        return states

    @property
    def skipped(self) -> int:
        """The block in which skip guidance leaves out attention across frames: the last but two.

        Measured: of the five and eight blocks of the checkpoints that ship, the one that helps most.
        """
        return max(0, self.config.depth - 3)

    def unconditional_plan(self, z_cond_shape: torch.Size | tuple[int, ...]) -> Tensor:
        """``Z_uncond`` in the shape of a planning signal (B, K, h, w, plan_dim)."""
        return self.unconditional.expand(z_cond_shape)

    def _tokens(self, z: Tensor) -> Tensor:
        return append_next(self.embed(rearrange(z, "b k c h w -> b k h w c")), self.next_token)

    def _velocity(self, x: Tensor, embedding: Tensor, width: int) -> Tensor:
        shift, scale = self.modulation(F.silu(embedding))[:, :, None].chunk(2, dim=-1)
        tokens = drop_next(self.project(modulated(x, shift, scale)), width)
        return rearrange(tokens, "b k h w c -> b k c h w")

    def _ropes(self, z: Tensor, time: Tensor) -> Rope:
        return rope(
            sequence_index(z.shape[-2], z.shape[-1], z.device), time, self.config.hidden // self.config.heads
        )

    def _plan_embedding(self, z_cond: Tensor) -> Tensor:
        return self.plan_embedding(z_cond.mean(dim=(2, 3)))

    def _plan_keys_values(self, block: nn.Module, z_cond: Tensor, z: Tensor, time: Tensor) -> KeysValues:
        return block.cross.keys_values(*self._plan_tokens(z_cond, z, time))  # pyright: ignore

    def _plan_tokens(self, z_cond: Tensor, z: Tensor, time: Tensor) -> PlanTokens:
        """The plan's tokens; each stands at its centre in the generator's grid."""
        low, high = (z_cond.shape[2], z_cond.shape[3]), (z.shape[-2], z.shape[-1])
        index = aligned_index(low, high, z.device)
        ropes = rope(index, time, self.config.hidden // self.config.heads)
        return PlanTokens(rearrange(z_cond, "b k h w c -> b k (h w) c"), ropes)
