"""Analytic floating-point operations of the networks: one multiply-add counts as two, as torch's counter does.

Counted are matrix products, attention and convolutions; norms, activations and rotations are a fraction of a percent
at the paper's sizes. ``n`` is tokens of a frame with their row ends, h (w + 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from mardini.config import CodecConfig, MarDiniConfig
from mardini.masks import sample_masks
from mardini.stages import Stage
from mardini.vae import FACTOR, KERNEL

_PEAKS = {"H100": 989e12, "H200": 989e12, "B200": 2250e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}
"""Dense bfloat16 operations a second of NVIDIA devices, from their data sheets, by a part of the name."""


@dataclass(frozen=True)
class Flops:
    """Forward operations by kind.

    Attributes:
        linear: of matrix products and convolutions.
        attention: of attention's two products.
        first: the part of ``linear`` in layers whose input needs no gradient.
        blocks: the part of both that lies in blocks, done again with activation checkpointing.
    """

    linear: float = 0.0
    attention: float = 0.0
    first: float = 0.0
    blocks: float = 0.0

    def __add__(self, other: Flops) -> Flops:
        return Flops(
            self.linear + other.linear,
            self.attention + other.attention,
            self.first + other.first,
            self.blocks + other.blocks,
        )

    def __mul__(self, count: float) -> Flops:
        return Flops(self.linear * count, self.attention * count, self.first * count, self.blocks * count)

    @property
    def forward(self) -> float:
        return self.linear + self.attention

    @property
    def training(self) -> float:
        """Forward and backward: gradients of inputs and of weights cost a forward each.

        Attention kernels recompute their scores, which makes five products of two.
        """
        return 3 * self.linear - self.first + 3.5 * self.attention

    @property
    def training_checkpointed(self) -> float:
        """The same with activation checkpointing, which runs the blocks' forward twice."""
        return self.training + self.blocks

    @property
    def model_flops(self) -> float:
        """Of a training step by the usual definition of utilisation: three forwards, nothing recomputed."""
        return 3 * self.forward


def planner(config: MarDiniConfig, frames: int, masked: float, grid: tuple[int, int]) -> Flops:
    """The planner on one window: ``frames`` frames, ``masked`` of them masked, latents of ``grid`` (h, w).

    References do not attend in Identity Attention, so their share of its scores is never computed.
    """
    p, tokens, n = config.planner, grid[0] * grid[1], grid[0] * (grid[1] + 1)
    embed = 2 * frames * tokens * config.codec.channels * p.hidden
    linear = frames * n * (16 * p.hidden**2 + 4 * p.hidden * p.mlp) * p.depth
    attention = 4 * p.hidden * n * n * (frames + masked * frames) * p.depth
    return Flops(embed + linear, attention, embed, linear + attention)


def generator(
    config: MarDiniConfig, frames: int, masked: float, grid: tuple[int, int], plan_grid: tuple[int, int]
) -> Flops:
    """The generator on one window at one diffusion step; ``grid`` and ``plan_grid`` are latents (h, w)."""
    g, plan = config.generator, config.planner.hidden
    tokens, n, m = grid[0] * grid[1], grid[0] * (grid[1] + 1), plan_grid[0] * plan_grid[1]
    d, channels, frequencies = g.hidden, config.codec.channels, 256
    first = 2 * frames * (tokens * channels * d + frequencies * d)
    outer = (
        2 * frames * (d * d + plan * d + 2 * d * d + n * d * channels)
    )  # embeddings, last modulation, output
    a_token = (
        16 * d * d + 4 * d * d + 4 * d * g.mlp
    )  # two attentions, queries and output of the cross one, MLP
    block = frames * (n * a_token + 4 * m * plan * d + 12 * d * d)  # plan's keys and values, two modulations
    asking = masked if g.identity else frames
    across = n * n if g.attention == "spatio-temporal" else n
    attention = 4 * d * (frames * n * n + asking * frames * across + frames * n * m)
    linear = g.depth * block
    return Flops(first + outer + linear, g.depth * attention, first, linear + g.depth * attention)


def sampling(
    config: MarDiniConfig,
    frames: int,
    given: int,
    grid: tuple[int, int],
    plan_grid: tuple[int, int],
    steps: int,
    guided: bool = False,
) -> Flops:
    """Generating a window of ``frames`` frames, ``given`` of them references, as ``mardini/sampling.py`` does without
    skip guidance.

    The planner runs once; references, and what the plan brings to every block, are computed once; each of ``steps``
    steps runs the masked frames alone. ``guided``: all of the generator's work is done twice, with and without plan.
    """
    g, plan, masked = config.generator, config.planner.hidden, frames - given
    passes = 2 if guided else 1
    once = planner(config, frames, masked, plan_grid)
    if not g.identity:
        return once + generator(config, frames, masked, grid, plan_grid) * (steps * passes)
    tokens, n, m = grid[0] * grid[1], grid[0] * (grid[1] + 1), plan_grid[0] * plan_grid[1]
    d, channels = g.hidden, config.codec.channels
    a_frame = 2 * (tokens * channels * d + 256 * d + d * d) + g.depth * (
        n * (20 * d * d + 4 * d * g.mlp) + 12 * d * d
    )
    plans = frames * (2 * plan * d + g.depth * 4 * m * plan * d)
    within = 4 * d * (n * n + n * m) * g.depth
    across = 4 * d * frames * (n * n if g.attention == "spatio-temporal" else n) * g.depth
    prepared = Flops(given * a_frame + plans, given * within)
    output = 2 * (2 * d * d + n * d * channels)
    step = Flops(masked * (a_frame + output), masked * (within + across))
    return once + (prepared + step * steps) * passes


def encoder(config: CodecConfig, size: tuple[int, int]) -> Flops:
    """The codec's encoder on one frame of ``size`` pixels (height, width)."""
    blocks, values = size[0] * size[1] / FACTOR**2, 3 * FACTOR**2
    first = values * (config.channels + config.encoder)
    trunk = _trunk(config, config.encoder, config.encoder_blocks) + config.encoder * config.channels
    return Flops(2 * blocks * (first + trunk), first=2 * blocks * first)


def decoder(config: CodecConfig, size: tuple[int, int]) -> Flops:
    """The codec's decoder for one frame of ``size`` pixels (height, width)."""
    blocks, values = size[0] * size[1] / FACTOR**2, 3 * FACTOR**2
    trunk = 9 * config.channels * config.decoder + _trunk(config, config.decoder, config.decoder_blocks)
    return Flops(2 * blocks * (trunk + (config.decoder + config.channels) * values))


def _trunk(config: CodecConfig, width: int, blocks: int) -> int:
    """Multiply-adds of the codec's residual blocks at one latent."""
    dense = config.convolutions == "dense"
    return blocks * (2 * 9 * width**2 if dense else KERNEL**2 * width + 8 * width**2)


@dataclass(frozen=True)
class StepFlops:
    """One training step: ``trained`` runs forward and backward, ``frozen`` (the codec's encoder) forward."""

    trained: Flops
    frozen: Flops

    def total(self, activation_checkpointing: bool = False) -> float:
        own = self.trained.training_checkpointed if activation_checkpointing else self.trained.training
        return own + self.frozen.forward

    @property
    def model_flops(self) -> float:
        return self.trained.model_flops + self.frozen.forward


def mean_masked(stage: Stage, frames: int) -> float:
    """Masked frames of a window on average, by sampling the stage's masks 4096 times."""
    masks = sample_masks(4096, frames, stage.preserved, torch.Generator().manual_seed(0), stage.keep_one)
    return float(masks.sum(dim=1).float().mean())


def training_step(stage: Stage, config: MarDiniConfig, batch: int, frames: int, resolution: int) -> StepFlops:
    """A step of ``batch`` clips. Attention counts each window's own masked frames, not the padding of a batch."""
    high, low = resolution // FACTOR, resolution // config.low_ratio // FACTOR
    clips, size = batch * frames, (resolution, resolution)
    if stage.trains == "codec":
        return StepFlops((encoder(config.codec, size) + decoder(config.codec, size)) * clips, Flops())
    shrunk = resolution // config.low_ratio
    small = encoder(config.codec, (shrunk, shrunk))
    # Attention is linear in the number of masked frames, so the mean number gives the mean cost.
    masked = mean_masked(stage, frames)
    trained, frozen = Flops(), Flops()
    if stage.trains in ("planner", "both"):
        trained += planner(config, frames, masked, (low, low))
        frozen += small * frames
    if stage.trains == "planner":
        head = 2 * frames * low * low * config.planner.hidden * config.codec.channels
        trained += Flops(head)
    if stage.trains in ("generator", "both"):
        staged = _with_attention(config, stage)
        trained += generator(staged, frames, masked, (high, high), (low, low))
        frozen += encoder(config.codec, size) * frames
    return StepFlops(trained * batch, frozen * batch)


def peak_flops(device: torch.device) -> float | None:
    """Dense bfloat16 operations a second of a CUDA device by its data sheet; ``None`` if we do not know it."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in _PEAKS.items() if part in name), None)


def _with_attention(config: MarDiniConfig, stage: Stage) -> MarDiniConfig:
    return replace(config, generator=replace(config.generator, attention=stage.attention))
