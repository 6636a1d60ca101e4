"""Sampling a window of latents: the planner once, the generator at every diffusion step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mardini.diffusion import STEPS
from mardini.guidance import Scales, scale_at
from mardini.masks import MaskedFrames
from mardini.model import MarDini
from mardini.schedulers import DEFAULT, Scheduler, build_scheduler

Denoise = Callable[..., Tensor]
"""Called as :meth:`mardini.generator.Generator.denoise`; a compiled one may stand in for it."""


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
    scheduler: str | Scheduler = DEFAULT,
    generators: Sequence[torch.Generator] = (),
    denoise: Denoise | None = None,
    tick: Callable[[], object] | None = None,
    skip_guidance: Scales = 0.0,
) -> Tensor:
    """Generate the masked frames of a window.

    The state of the diffusion stays in the precision of ``noise`` whatever the model's is.

    Skip guidance (spatiotemporal skip guidance, Hyung et al. 2024, arXiv:2411.18664; before it perturbed-attention
    guidance, Ahn et al. 2024, arXiv:2403.17377) is not the paper's. Each step leads away from what the same generator
    says when one of its blocks, the last but two, does not look at other frames: its tokens attend to themselves
    alone, as those of references do. So things keep together and move together: v + s (v - v_skip), on top of the
    guidance on the plan.

    Args:
        z_given: latents of the R given frames in order of time, (B, R, channels, H, W).
        z_low: low-resolution latents of all K frames, (B, K, channels, h, w); masked frames are never read.
        mask: (K,) bool, True = masked.
        noise: standard normal, (B, K - R, channels, H, W).
        steps: diffusion steps; not read if ``scheduler`` is one already made.
        guidance: scale of classifier-free guidance on the planning signal; ``None`` or 1: none; 0: without the plan.
        time: (K,) position of each frame in time, in frames; default 0, 1, 2 ...
        cache: compute references once instead of at every step; the same result, up to rounding.
        scheduler: name or instance, see :mod:`mardini.schedulers`.
        generators: on the CPU, one a sample, for schedulers that add noise at every step.
        denoise: in place of the generator's own ``denoise``, e.g. compiled.
        tick: called after every diffusion step.
        skip_guidance: its scale s, or two: at full noise and at none, linear in time between; 0: none. Blocks from
            the skipped one on run twice a step.

    Returns:
        Latents of the masked frames, (B, K - R, channels, H, W), in the precision of ``noise``.
    """
    batch, frames = z_low.shape[:2]
    precision = next(model.parameters()).dtype
    z_given, z_low = z_given.to(precision), z_low.to(precision)
    time = torch.arange(frames, device=z_low.device, dtype=torch.float32) if time is None else time
    if isinstance(scheduler, str):
        scheduler = build_scheduler(scheduler, steps, noise.device)
    masked = MaskedFrames.pack(mask.expand(batch, -1))
    plan = model.plan(z_low, masked, time)
    guidance = 1.0 if guidance is None else guidance
    plans = [plan] if guidance else []
    if guidance != 1:
        plans.append(model.generator.unconditional_plan(plan.shape))
    if cache and model.config.generator.identity:
        velocities = [_cached(model, z_given, plan, mask, time, denoise) for plan in plans]
    else:
        velocities = [_uncached(model, z_given, plan, masked, mask, time) for plan in plans]
    z = noise * scheduler.initial_scale
    for index, step in enumerate(scheduler.timesteps):
        at = torch.full((batch,), step + 1, device=z.device)
        state = scheduler.scaled(z, index).to(precision)
        scale = scale_at(skip_guidance, (step + 1) / STEPS)
        first, *others = velocities[0](state, at, skip=scale > 0).to(z.dtype).split(batch)
        v = first
        if len(velocities) == 2:
            unconditional = velocities[1](state, at).to(z.dtype)
            v = unconditional + guidance * (v - unconditional)
        if others:
            v = v + scale * (first - others[0])
        z = scheduler.step(z, v, index, generators)
        if tick is not None:
            tick()
    return z


def _cached(
    model: MarDini, z_given: Tensor, plan: Tensor, mask: Tensor, time: Tensor, denoise: Denoise | None
) -> Denoise:
    prepared = model.generator.prepare(z_given, plan, mask, time)
    denoise = model.generator.denoise if denoise is None else denoise
    return lambda z, step, skip=False: denoise(z, step, prepared, skip)


def _uncached(
    model: MarDini, z_given: Tensor, plan: Tensor, masked: MaskedFrames, mask: Tensor, time: Tensor
) -> Denoise:
    def velocity(z: Tensor, step: Tensor, skip: bool = False) -> Tensor:
        window = z.new_empty(z.shape[0], len(mask), *z.shape[2:])
        window[:, mask], window[:, ~mask] = z, z_given
        return model.generator(window, step, plan, masked, time, skip)[:, mask]

    return velocity
