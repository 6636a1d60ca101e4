"""``--dry-run``: what a stage would do and what it would cost, without building any weights."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

import torch
from torch import nn

from mardini.config import MarDiniConfig, preset
from mardini.flops import mean_masked, training_step
from mardini.model import MarDini
from mardini.stages import Stage
from mardini.tasks import make_task
from mardini.train import Options, options_of
from mardini.vae import FACTOR, LatentCodec

GIB = 2**30


def describe(row: Stage, args: argparse.Namespace) -> str:
    """A table of the stage: data, sizes, steps, parameters, memory and operations."""
    bf16 = args.precision != "fp32" if args.device == "cuda" or not args.device else args.precision == "bf16"
    options = options_of(row, args, bf16)
    config = preset(args.preset)
    config = replace(config, generator=replace(config.generator, attention=row.attention))
    with torch.device("meta"):
        model, codec = MarDini(config), LatentCodec(config.codec)
        task = make_task(row, model, codec)
    trainable = _count(task)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    part = options.batch / processes / args.accumulate
    low = options.resolution // config.low_ratio
    tokens = {
        "planner": options.batch * options.frames * _tokens(low),
        "generator": options.batch * options.frames * _tokens(options.resolution),
    }
    used = [name for name in tokens if row.trains in (name, "both")]
    step = training_step(row, config, options.batch, options.frames, options.resolution)
    cost = step.total(args.activation_checkpointing)
    full, kept = (_activations(row, config, options, part, thrifty) for thrifty in (False, True))
    fixed = 16 * trainable / processes
    frozen = 4 * (_count(model) + _count(codec) - _trained_of_model(task, row))
    low_p, high_p = row.preserved
    lines = {
        "stage": f"{row.name}: trains {row.trains}, {row.attention} attention in the generator",
        "model": f"{config.name}",
        "starts from": ", ".join(options.start or row.start) or "fresh weights",
        "data": ", ".join(options.data),
        "clips": f"{options.frames} frames at {options.fps:g} FPS, {options.resolution} px (planner: {low} px)",
        "preserved frames": f"{low_p:.0%} to {high_p:.0%}, on average {mean_masked(row, options.frames):.2f} masked",
        "steps": f"{options.steps:,} of {options.batch} clips ({options.clips:,} clips), "
        f"{processes} processes x {args.accumulate} parts x {part:g} clips",
        "learning rate": f"{options.lr:g}, warm-up {max(1, min(6000, options.steps // 20)):,} steps, cosine to 0",
        "noise shift": f"{options.noise_shift:g}" if row.trains in ("generator", "both") else "none",
        "tokens per step": ", ".join(f"{name} {tokens[name]:,}" for name in used) or "none (codec)",
        "parameters": f"planner {_count(model.planner):,}, generator {_count(model.generator):,}, "
        f"codec {_count(codec):,}",
        "trainable": f"{trainable:,}",
        "memory a process": f"weights, gradients, AdamW, average: 4 + 4 + 8 + 4 bytes each, "
        f"{(fixed + 4 * trainable / processes) / GIB:.2f} GiB; frozen {frozen / GIB:.2f} GiB",
        "activations": f"about {full / GIB:.2f} GiB, with --activation-checkpointing about {kept / GIB:.2f} GiB",
        "FLOPs": f"{cost:.4g} a step, {cost * options.steps:.4g} in all",
    }
    return "\n".join(f"{name:<18}{text}" for name, text in lines.items()) + "\n"


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _trained_of_model(task: nn.Module, row: Stage) -> int:
    head = _count(task.head) if row.trains == "planner" else 0  # pyright: ignore[reportArgumentType]
    return _count(task) - head


def _tokens(resolution: int) -> int:
    """Tokens of a square frame, row ends included."""
    side = resolution // FACTOR
    return side * (side + 1)


def _activations(
    row: Stage, config: MarDiniConfig, options: Options, clips: float, checkpointing: bool
) -> float:
    """Bytes kept for the backward pass, an estimate from what each layer of a block keeps.

    A self-attention keeps about 11 numbers per token and width (input, norm, q, k, v, normed and rotated q and k,
    output), a cross-attention 6, an MLP 2 and two of its own width. With checkpointing a block keeps its input,
    and one block at a time everything.
    """
    size = 2 if options.bf16 else 4
    frames = clips * options.frames
    total = 0.0
    if row.trains == "codec":
        pixels = (options.resolution / FACTOR) ** 2
        c = config.codec
        return size * frames * pixels * 12 * (c.encoder * c.encoder_blocks + c.decoder * c.decoder_blocks)
    networks = []
    if row.trains in ("planner", "both"):
        p = config.planner
        networks.append(
            (p.depth, p.hidden, 24 * p.hidden + 2 * p.mlp, _tokens(options.resolution // config.low_ratio))
        )
    if row.trains in ("generator", "both"):
        g = config.generator
        networks.append((g.depth, g.hidden, 36 * g.hidden + 2 * g.mlp, _tokens(options.resolution)))
    for depth, width, whole, tokens in networks:
        a_token = depth * width + whole if checkpointing else depth * whole
        total += size * frames * tokens * a_token
    return total
