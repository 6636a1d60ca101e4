"""Diffusion: velocity prediction on a zero-terminal-SNR schedule, and DDIM.

    z_t = alpha_t z + sigma_t eps,        v_t = alpha_t eps - sigma_t z

Steps are 0 ... 999; step 999 is pure noise (alpha = 0). The networks are told ``step + 1``, so that 0 means
"clean", which is what reference frames are conditioned on. The paper does not give the schedule; ours is the
cosine schedule of Nichol & Dhariwal (2021) rescaled to zero terminal SNR (Lin et al., 2024) with trailing
sampling steps, equal to diffusers' ``DDIMScheduler(beta_schedule="squaredcos_cap_v2",
rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction")``.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from mardini.errors import UserError

STEPS = 1000


@functools.cache
def _alphas_sigmas() -> tuple[Tensor, Tensor]:
    """alpha_t and sigma_t of all steps, float64, shape (1000,)."""

    def level(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [min(1 - level((i + 1) / STEPS) / level(i / STEPS), 0.999) for i in range(STEPS)]
    root = (1 - torch.tensor(betas, dtype=torch.float64)).cumprod(0).sqrt()
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    return root, (1 - root**2).sqrt()


def alpha_sigma(step: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """alpha and sigma at integer ``step`` (any shape; -1 is clean), shaped to broadcast against ``like``."""
    alphas, sigmas = _alphas_sigmas()
    at = step.clamp(min=0).cpu()
    clean = (step < 0).cpu()
    alpha, sigma = alphas[at].masked_fill(clean, 1.0), sigmas[at].masked_fill(clean, 0.0)
    shape = (*step.shape, *(1,) * (like.ndim - step.ndim))
    return alpha.to(like).reshape(shape), sigma.to(like).reshape(shape)


def add_noise(z: Tensor, noise: Tensor, step: Tensor) -> Tensor:
    """z_t = alpha_t z + sigma_t eps."""
    alpha, sigma = alpha_sigma(step, z)
    return alpha * z + sigma * noise


def velocity(z: Tensor, noise: Tensor, step: Tensor) -> Tensor:
    """v_t = alpha_t eps - sigma_t z, the training target."""
    alpha, sigma = alpha_sigma(step, z)
    return alpha * noise - sigma * z


def sampling_steps(count: int) -> list[int]:
    """The steps DDIM visits, descending from 999, trailing spacing. ``count`` is 1 to 1000."""
    if not 1 <= count <= STEPS:
        raise UserError(f"{count} sampling steps asked for: choose 1 to {STEPS}")
    return [round(STEPS - i * STEPS / count) - 1 for i in range(count)]


def ddim_step(z_t: Tensor, v: Tensor, step: int, previous: int) -> Tensor:
    """One deterministic DDIM step from ``step`` to ``previous`` (the next smaller one; -1 gives the clean latent)."""
    alpha, sigma = alpha_sigma(torch.tensor(step), z_t)
    clean, noise = alpha * z_t - sigma * v, sigma * z_t + alpha * v
    alpha, sigma = alpha_sigma(torch.tensor(previous), z_t)
    return alpha * clean + sigma * noise
