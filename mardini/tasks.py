"""What each stage learns: its modules, its loss, and the randomness of a step.

Everything random is drawn for the whole batch, from the seed, the stage and the step alone; noise from the clip's
place in the batch too. So neither resumption nor the number of processes changes what a step computes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from mardini.files import sha256_of
from mardini.masks import sample_masks
from mardini.model import UNCONDITIONAL, MarDini, random_steps
from mardini.planner import ReconstructionHead
from mardini.stages import Stage
from mardini.vae import FACTOR, LatentCodec

LATENT_NOISE = 0.03
"""Standard deviation of the noise added to latents (of about unit variance) while the codec is trained."""


def seed_of(*parts: object) -> int:
    """A seed that depends on all ``parts`` (and on nothing else)."""
    return int(sha256_of([str(part) for part in parts])[:15], 16)


@dataclass(frozen=True)
class Draw:
    """Randomness of one step for a batch of B clips: mask (B, K), diffusion step (B,), dropped plans (B,)."""

    mask: Tensor
    step: Tensor
    drop: Tensor
    seed: int

    @staticmethod
    def of(stage: Stage, batch: int, frames: int, seed: int, noise_shift: float = 1.0) -> Draw:
        """That of ``seed``; ``noise_shift`` as in :func:`mardini.model.random_steps`."""
        generator = torch.Generator().manual_seed(seed)
        return Draw(
            sample_masks(batch, frames, stage.preserved, generator, stage.keep_one),
            random_steps(batch, generator, noise_shift),
            torch.rand(batch, generator=generator) < UNCONDITIONAL,
            seed,
        )

    def noise(self, clips: range, shape: tuple[int, ...], device: torch.device | str = "cpu") -> Tensor:
        """Standard normal noise (len(clips), *shape), the same for a clip whoever asks on that kind of device."""
        source = torch.Generator(device)
        return torch.stack(
            [
                torch.randn(shape, generator=source.manual_seed(seed_of(self.seed, clip)), device=device)
                for clip in clips
            ]
        )


class Task(nn.Module):
    """What a stage trains, as one module whose ``forward`` is the loss of part of a batch.

    ``forward(frames, draw, clips)``: ``frames`` (b, K, 3, H, W) in [0, 1] are the clips number ``clips`` of the
    batch that ``draw`` belongs to. Losses of all parts add up to that of the batch: each is already divided by the
    masked frames (for the codec: the clips) of the whole.
    """

    networks: tuple[MarDini, LatentCodec]
    """The model and codec that the task belongs to; a tuple, so that they are no submodules."""

    def forward(self, frames: Tensor, draw: Draw, clips: range) -> Tensor:
        raise NotImplementedError


class CodecTask(Task):
    """Squared error of reconstruction from latents with a little noise, plus a pull of latents to unit scale."""

    def __init__(self, model: MarDini, codec: LatentCodec) -> None:
        super().__init__()
        self.networks = (model, codec)
        self.codec = codec.requires_grad_(True).train()

    def forward(self, frames: Tensor, draw: Draw, clips: range) -> Tensor:
        share = len(clips) / len(draw.mask)
        shape = (frames.shape[1], self.codec.config.channels, *(side // FACTOR for side in frames.shape[-2:]))
        noise = draw.noise(clips, shape, frames.device).flatten(0, 1)
        frames = frames.flatten(0, 1)
        latents = self.codec.encode(frames)
        reconstruction = F.mse_loss(self.codec.decode(latents + LATENT_NOISE * noise), frames)
        return share * (reconstruction + 1e-5 * (latents**2).mean())


class MaskedTask(Task):
    """The three losses of the paper (section 3.3), by what the stage trains."""

    def __init__(self, stage: Stage, model: MarDini, codec: LatentCodec) -> None:
        super().__init__()
        self.kind = stage.trains
        # The codec is frozen, and of the model only what is trained becomes a submodule, and sharded.
        self.networks = (model, codec.requires_grad_(False).eval())
        model.requires_grad_(True).train()
        if self.kind in ("planner", "both"):
            self.planner = model.planner
        if self.kind in ("generator", "both"):
            self.generator = model.generator
        if self.kind == "planner":
            self.head = ReconstructionHead(model.config.planner, model.config.codec.channels)

    def forward(self, frames: Tensor, draw: Draw, clips: range) -> Tensor:
        model, codec = self.networks
        own = slice(clips.start, clips.stop)
        mask = draw.mask[own]
        share = float(mask.sum() / draw.mask.sum())
        step, drop = draw.step[own], draw.drop[own]
        low = [side // model.config.low_ratio for side in frames.shape[-2:]]
        if self.kind == "planner":
            return share * model.planner_loss(_latents(codec, frames, low), mask, self.head)
        z_high = _latents(codec, frames)
        noise = draw.noise(clips, tuple(z_high.shape[1:]), frames.device)
        if self.kind == "generator":
            grid = (low[0] // FACTOR, low[1] // FACTOR)
            return share * model.generator_loss(z_high, mask, step, noise, grid)
        return share * model.joint_loss(_latents(codec, frames, low), z_high, mask, step, noise, drop)


@torch.no_grad()
def _latents(codec: LatentCodec, frames: Tensor, size: list[int] | None = None) -> Tensor:
    """Latents (b, K, c, h, w) of frames (b, K, 3, H, W), shrunk to ``size`` first; always in float32."""
    flat = frames.flatten(0, 1)
    if size is not None:
        flat = F.interpolate(flat, size, mode="area")
    with torch.autocast(frames.device.type, enabled=False):
        return rearrange(codec.encode(flat), "(b k) c h w -> b k c h w", b=len(frames))


def make_task(stage: Stage, model: MarDini, codec: LatentCodec) -> Task:
    """The task of a stage; ``model`` and ``codec`` stay the owners of their weights."""
    return CodecTask(model, codec) if stage.trains == "codec" else MaskedTask(stage, model, codec)
