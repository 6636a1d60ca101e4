"""MarDini = planner + generator + the three training losses. Read this file first.

    z_low, mask  --planner-->  z_cond  --generator (every diffusion step)-->  velocity of the masked frames

Frames are latents here (``mardini/vae.py`` makes them); ``mardini/pipeline.py`` goes from pixels to pixels.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from einops import reduce
from torch import Tensor, nn

from mardini.config import MarDiniConfig
from mardini.diffusion import STEPS, add_noise, velocity
from mardini.errors import UserError
from mardini.generator import Generator
from mardini.hub import Pretrained
from mardini.masks import MaskedFrames
from mardini.planner import Planner, ReconstructionHead

UNCONDITIONAL = 0.1
"""Probability with which joint training replaces the plan by ``Z_uncond`` (paper: 1 in 10)."""


class MarDini(nn.Module, Pretrained):
    """The two networks of arXiv:2410.20280. Masks are (B, K), bool, True = masked frame.

    Losses take masks, diffusion steps and dropped plans best on the CPU: there they make no GPU wait.

    ``codec`` is the latent codec of the checkpoint that the networks came from, kept beside them so that they can be
    saved again; it is no submodule, and neither moves nor trains with them.
    """

    codec: nn.Module | None = None

    def __init__(self, config: MarDiniConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.codec.channels
        self.planner = Planner(config.planner, channels)
        self.generator = Generator(config.generator, channels, config.planner.hidden)

    @classmethod
    def _from_parts(cls, model: MarDini, codec: nn.Module, /, **options: Any) -> Self:
        object.__setattr__(model, "codec", codec)  # nn.Module's own would make it a submodule
        return model  # pyright: ignore[reportReturnType]

    def _parts(self) -> tuple[MarDini, nn.Module]:
        if self.codec is None:
            raise UserError(
                "this model has no codec to be saved with: save a MarDiniPipeline of both instead"
            )
        return self, self.codec

    def plan(self, z_low: Tensor, masked: MaskedFrames, time: Tensor | None = None) -> Tensor:
        """Planning signal (B, K, h, w, hidden) of low-resolution latents (B, K, channels, h, w)."""
        return self.planner(z_low, masked, _frame_times(z_low) if time is None else time)

    def planner_loss(self, z_low: Tensor, mask: Tensor, head: ReconstructionHead) -> Tensor:
        """Planner alone: || M z_low - M f(P(z_low masked)) ||^2, a scalar."""
        masked = MaskedFrames.pack(mask).to(z_low.device)
        return masked_mse(head(self.plan(z_low, masked)), z_low, masked.mask)

    def generator_loss(
        self, z_high: Tensor, mask: Tensor, step: Tensor, noise: Tensor, plan_grid: tuple[int, int]
    ) -> Tensor:
        """Generator alone: || M v - M G(z_t, Z_uncond, t) ||^2. ``step``: (B,), 0 to 999; ``noise``: as ``z_high``."""
        plan = self.generator.unconditional_plan((*z_high.shape[:2], *plan_grid, self.config.planner.hidden))
        return self._velocity_loss(z_high, MaskedFrames.pack(mask).to(z_high.device), step, noise, plan)

    def joint_loss(
        self, z_low: Tensor, z_high: Tensor, mask: Tensor, step: Tensor, noise: Tensor, drop: Tensor
    ) -> Tensor:
        """Both: || M v - M G(z_t, P(z_low masked), t) ||^2, ``Z_uncond`` the plan where ``drop`` (B,) is True."""
        masked = MaskedFrames.pack(mask).to(z_low.device)
        plan = self.plan(z_low, masked)
        dropped = drop.to(plan.device)[:, None, None, None, None]
        plan = torch.where(dropped, self.generator.unconditional_plan(plan.shape), plan)
        return self._velocity_loss(z_high, masked, step, noise, plan)

    def _velocity_loss(
        self, z: Tensor, masked: MaskedFrames, step: Tensor, noise: Tensor, plan: Tensor
    ) -> Tensor:
        noised = torch.where(masked.mask[:, :, None, None, None], add_noise(z, noise, step), z)
        predicted = self.generator(noised, step.to(z.device) + 1, plan, masked, _frame_times(z))
        return masked_mse(predicted, velocity(z, noise, step), masked.mask)


def masked_mse(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over masked frames only, in float32: (B, K, ...) twice, mask (B, K) -> scalar."""
    error = reduce((prediction.float() - target.float()) ** 2, "b k ... -> b k", "mean")
    return (error * mask).sum() / mask.sum()


def random_steps(batch: int, generator: torch.Generator, shift: float = 1.0) -> Tensor:
    """Diffusion steps for training, 0 to 999 (batch,), one in each of ``batch`` equally likely strata (lower variance).

    Uniform at a ``shift`` of 1. A larger one favours noisy steps, where it is decided what moves where, over clean
    ones, where texture is: the share u of steps, from the clean end, becomes shift u / (1 + (shift - 1) u). It is the
    timestep shift of Esser et al. (2024); the paper is silent.
    """
    offsets = torch.rand(batch, generator=generator)
    share = (torch.randperm(batch, generator=generator) + offsets) / batch
    return (shift * share / (1 + (shift - 1) * share) * STEPS).long().clamp(max=STEPS - 1)


def _frame_times(z: Tensor) -> Tensor:
    return torch.arange(z.shape[1], device=z.device, dtype=torch.float32)
