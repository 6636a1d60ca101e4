"""Sampling a window of latents: the planner once, the generator at every diffusion step."""

from __future__ import annotations

import torch
from torch import Tensor

from mardini.diffusion import ddim_step, sampling_steps
from mardini.masks import MaskedFrames
from mardini.model import MarDini


@torch.no_grad()
def sample(
    model: MarDini,
    z_given: Tensor,
    z_low: Tensor,
    mask: Tensor,
    noise: Tensor,
    steps: int = 25,
    guidance: float | None = None,
    time: Tensor | None = None,
    cache: bool = True,
) -> Tensor:
    """Generate the masked frames of a window with DDIM.

    Args:
        z_given: latents of the R given frames in order of time, (B, R, channels, H, W).
        z_low: low-resolution latents of all K frames, (B, K, channels, h, w); masked frames are never read.
        mask: (K,) bool, True = masked.
        noise: standard normal, (B, K - R, channels, H, W).
        steps: diffusion steps.
        guidance: scale of classifier-free guidance on the planning signal; ``None`` or 1: none.
        time: (K,) position of each frame in time, in frames; default 0, 1, 2 ...
        cache: compute references once instead of at every step; the same result, up to rounding.

    Returns:
        Latents of the masked frames, (B, K - R, channels, H, W).
    """
    batch, frames = z_low.shape[:2]
    time = torch.arange(frames, device=z_low.device, dtype=torch.float32) if time is None else time
    masked = MaskedFrames.pack(mask.expand(batch, -1))
    plans = [model.plan(z_low, masked, time)]
    guidance = 1.0 if guidance is None else guidance
    if guidance != 1:
        plans.append(model.generator.unconditional_plan(plans[0].shape))
    denoise = _cached if cache and model.config.generator.identity else _uncached
    velocities = [denoise(model, z_given, plan, masked, mask, time) for plan in plans]
    z = noise
    visited = sampling_steps(steps)
    for step, previous in zip(visited, [*visited[1:], -1], strict=True):
        v = velocities[0](z, step + 1)
        if len(velocities) == 2:
            unconditional = velocities[1](z, step + 1)
            v = unconditional + guidance * (v - unconditional)
        z = ddim_step(z, v, step, previous)
    return z


def _cached(model: MarDini, z_given: Tensor, plan: Tensor, masked: MaskedFrames, mask: Tensor, time: Tensor):
    prepared = model.generator.prepare(z_given, plan, mask, time)
    return lambda z, step: model.generator.denoise(
        z, torch.full(z.shape[:1], step, device=z.device), prepared
    )


def _uncached(
    model: MarDini, z_given: Tensor, plan: Tensor, masked: MaskedFrames, mask: Tensor, time: Tensor
):
    def velocity(z: Tensor, step: int) -> Tensor:
        window = z.new_empty(z.shape[0], len(mask), *z.shape[2:])
        window[:, mask], window[:, ~mask] = z, z_given
        return model.generator(window, torch.full(z.shape[:1], step, device=z.device), plan, masked, time)[
            :, mask
        ]

    return velocity
