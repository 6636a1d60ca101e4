"""The training loop: one for all stages. ``mardini/train.py`` is its command line."""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn
from tqdm import tqdm

from mardini import checkpoint, stages
from mardini.config import MarDiniConfig, preset
from mardini.data import HELD_OUT, SyntheticClips, batches
from mardini.errors import UserError
from mardini.files import atomic, sha256_of
from mardini.masks import sample_masks
from mardini.model import UNCONDITIONAL, MarDini, random_steps
from mardini.planner import ReconstructionHead
from mardini.train import Options
from mardini.vae import FACTOR, LatentCodec

SMALL_CLIPS = 2e-4
"""Share of the manual's clips that the small presets see by default."""

Loss = Callable[[Tensor, torch.Generator], Tensor]


def run(args: argparse.Namespace) -> int:
    """Train the stage that ``args`` (of :func:`mardini.train.parse`) names, from the start or from its last state."""
    stage, config = stages.stage(args.stage), preset(args.preset)
    small = args.preset in ("nano", "tiny")
    options = Options(
        stage=stage.name,
        preset=config.name,
        clips=args.clips or int(stage.clips * (SMALL_CLIPS if small else 1)),
        batch=args.batch,
        lr=args.lr or (1e-3 if small else 1.4e-4),
        resolution=args.resolution or (config.resolution if small else stage.resolution),
        seed=args.seed,
        start=tuple(map(str, args.start or ())),
    )
    pixels = FACTOR * config.low_ratio
    if options.resolution % pixels:
        raise UserError(
            f"--resolution {options.resolution} does not divide into latents: use a multiple of {pixels}"
        )
    folder = args.out / config.name.replace("/", "-") / stage.name
    torch.manual_seed(_seed(options, "weights"))
    model, codec = _initial(stage, config, args.out, args.start)
    trainee, loss = _task(stage, model, codec, options)
    _loop(folder, options, args, trainee, loss)
    checkpoint.save(folder / "checkpoint", model, codec)
    print(f"checkpoint: {folder / 'checkpoint'}")
    return 0


def _initial(
    stage: stages.Stage, config: MarDiniConfig, out: Path, start: list[Path] | None
) -> tuple[MarDini, LatentCodec]:
    """Weights a stage starts from: fresh, or those of the stages before (the planner's from its own branch)."""
    config = replace(config, generator=replace(config.generator, attention=stage.attention))
    model, codec = MarDini(config), LatentCodec(config.codec)
    folders = start or [out / config.name.replace("/", "-") / name / "checkpoint" for name in stage.start]
    for number, folder in enumerate(folders):
        if not folder.is_dir():
            raise UserError(
                f"stage {stage.name} starts from {folder}, which is not there: run that stage first or give --start"
            )
        earlier, codec = checkpoint.load(folder)
        if number == 0:
            model.load_state_dict(earlier.state_dict())
        else:
            model.planner.load_state_dict(earlier.planner.state_dict())
    return model, codec.requires_grad_(True)


def _task(
    stage: stages.Stage, model: MarDini, codec: LatentCodec, options: Options
) -> tuple[nn.ModuleList, Loss]:
    """The modules a stage trains and its loss: (frames (B, K, 3, H, W), generator of randomness) -> scalar."""
    if stage.trains == "codec":
        clips = SyntheticClips(256, 1, options.resolution, first=HELD_OUT - 10_000)
        codec.start_linear(torch.cat(list(batches(clips, 64, 0, 4, 0)))[:, 0])
        return nn.ModuleList([codec]), lambda frames, generator: _codec_loss(
            codec, frames.flatten(0, 1), generator
        )

    codec.requires_grad_(False).eval()
    head = ReconstructionHead(model.config.planner, model.config.codec.channels)
    low = options.resolution // model.config.low_ratio

    def loss(frames: Tensor, generator: torch.Generator) -> Tensor:
        batch, count = frames.shape[:2]
        mask = sample_masks(batch, count, stage.preserved, generator, stage.keep_one)
        with torch.no_grad():
            flat = frames.flatten(0, 1)
            z_high = rearrange(codec.encode(flat), "(b k) c h w -> b k c h w", b=batch)
            small = nn.functional.interpolate(flat, (low, low), mode="area")
            z_low = rearrange(codec.encode(small), "(b k) c h w -> b k c h w", b=batch)
        if stage.trains == "planner":
            return model.planner_loss(z_low, mask, head)
        step = random_steps(batch, generator)
        noise = torch.randn(z_high.shape, generator=generator)
        if stage.trains == "generator":
            return model.generator_loss(z_high, mask, step, noise, (low // FACTOR, low // FACTOR))
        drop = torch.rand(batch, generator=generator) < UNCONDITIONAL
        return model.joint_loss(z_low, z_high, mask, step, noise, drop)

    trained = {
        "planner": [model.planner, head],
        "generator": [model.generator],
        "both": [model.planner, model.generator],
    }
    return nn.ModuleList(trained[stage.trains]), loss


def _codec_loss(codec: LatentCodec, frames: Tensor, generator: torch.Generator) -> Tensor:
    """Squared error of reconstruction from latents with a little noise, plus a pull of latents to unit scale."""
    latents = codec.encode(frames)
    noise = torch.randn(latents.shape, generator=generator)
    reconstruction = nn.functional.mse_loss(codec.decode(latents + 0.05 * noise), frames)
    return reconstruction + 1e-5 * (latents**2).mean()


def _loop(
    folder: Path, options: Options, args: argparse.Namespace, trainee: nn.ModuleList, loss: Loss
) -> None:
    """AdamW with warm-up and cosine decay, averaged weights, a log and a state file; ends with the averaged weights."""
    stage = stages.stage(options.stage)
    batch = options.batch
    total = max(1, options.clips // batch)
    optimizer = torch.optim.AdamW(trainee.parameters(), lr=options.lr, betas=(0.9, 0.95), weight_decay=0.01)
    average = copy.deepcopy(trainee).requires_grad_(False)
    first, seconds = _resume(folder, options, trainee, average, optimizer)
    held_out = next(batches(SyntheticClips(32, stage.frames, options.resolution, HELD_OUT), 32, 0, 1, 0))
    clips = SyntheticClips(total * batch, stage.frames, options.resolution, options.seed * 1_000_000)
    log = folder / "log.jsonl"
    began, window = time.monotonic() - seconds, []
    bar = tqdm(total=total, initial=first, desc=stage.name, unit="step", dynamic_ncols=True)
    for step, frames in enumerate(batches(clips, batch, first, total, args.workers), start=first):
        for group in optimizer.param_groups:
            group["lr"] = options.lr * schedule(step, total)
        value = loss(frames, _generator(options, step))
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(trainee.parameters(), 1.0)
        optimizer.step()
        _average(average, trainee, step)
        window.append(value.item())
        bar.update()
        if (step + 1) % args.save_every == 0 or step + 1 == total:
            with torch.no_grad():
                held = _with(average, trainee, lambda: loss(held_out, _generator(options, -1)).item())
            row = {
                "step": step + 1,
                "clips": (step + 1) * batch,
                "loss": sum(window) / len(window),
                "held_out": held,
            }
            row["seconds"] = round(time.monotonic() - began, 1)
            window = []
            bar.set_postfix(loss=f"{row['loss']:.4f}", held_out=f"{held:.4f}")
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            state = {
                "options": json.dumps(asdict(options)),
                "step": step + 1,
                "seconds": row["seconds"],
                "trainee": trainee.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
            }
            with atomic(folder / "state.pt") as temporary:
                torch.save(state, temporary)
    bar.close()
    trainee.load_state_dict(average.state_dict())


def _resume(
    folder: Path,
    options: Options,
    trainee: nn.ModuleList,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> tuple[int, float]:
    """Load the last state, if any: the step to go on from, and the seconds spent so far."""
    path, log = folder / "state.pt", folder / "log.jsonl"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        return 0, 0.0
    state = torch.load(path, weights_only=True)
    if state["options"] != json.dumps(asdict(options)):
        raise UserError(f"{folder} holds a run with other options: repeat those, or choose another --out")
    trainee.load_state_dict(state["trainee"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    rows = log.read_text(encoding="utf-8").splitlines(keepends=True)
    with atomic(log) as temporary:  # lines of steps that the state does not cover are done again
        temporary.write_text(
            "".join(row for row in rows if row.endswith("\n") and json.loads(row)["step"] <= state["step"])
        )
    return state["step"], state["seconds"]


def schedule(step: int, total: int) -> float:
    """Learning rate at ``step`` over its peak: linear warm-up (6000 steps or 5%, whichever is less), cosine to zero."""
    warm = max(1, min(6000, total // 20))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


@torch.no_grad()
def _average(average: nn.Module, trainee: nn.Module, step: int) -> None:
    """Exponential moving average of the weights; its memory grows with the run up to 1000 steps."""
    decay = min(0.999, (1 + step) / (10 + step))
    for kept, new in zip(average.parameters(), trainee.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)
    for kept, new in zip(average.buffers(), trainee.buffers(), strict=True):
        kept.copy_(new)


def _with(average: nn.Module, trainee: nn.Module, compute: Callable[[], float]) -> float:
    """``compute()`` with the averaged weights in place of the trained ones."""
    current = copy.deepcopy(trainee.state_dict())
    trainee.load_state_dict(average.state_dict())
    try:
        return compute()
    finally:
        trainee.load_state_dict(current)


def _generator(options: Options, step: int) -> torch.Generator:
    """Randomness of one step: masks, noise, dropped plans. Depends on nothing that ran before."""
    return torch.Generator().manual_seed(_seed(options, str(step)))


def _seed(options: Options, what: str) -> int:
    return int(sha256_of([str(options.seed), options.stage, what])[:15], 16)
