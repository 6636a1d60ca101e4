"""The training loop: one for all stages. ``mardini/train.py`` is its command line.

Read with ``tasks.py`` (what a step computes), ``run_state.py`` (what a kill must not lose) and ``parallel.py``.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset

from mardini import checkpoint, optimizer, parallel, stages
from mardini.config import CodecConfig, MarDiniConfig, preset
from mardini.data import Item, Pictures, Problems, SyntheticClips, batches, first_clip, keep_memory, to_batch
from mardini.errors import UserError
from mardini.files import write_json
from mardini.model import MarDini
from mardini.parallel import Processes, whole
from mardini.run_state import RunState, latest
from mardini.samples import write_strip
from mardini.scene_bank import SceneBank, Scenes
from mardini.synthetic import HELD_OUT
from mardini.tasks import Draw, Task, make_task, seed_of
from mardini.temporal import to_temporal
from mardini.train import PROCEDURAL, Options, options_of, start_of
from mardini.training_log import Log
from mardini.vae import LatentCodec
from mardini.video_data import VideoClips, split

CLIP_NORM = 1.0
"""Largest norm of a gradient. The paper says nothing of clipping."""
HELD_OUT_CLIPS = 32
_bank = functools.cache(SceneBank.painted)
"""A chain's stages share one bank: it takes a quarter of a minute to paint."""


def run(rows: list[stages.Stage], args: argparse.Namespace) -> int:
    """Train the stages one after the other, each from the start, from its last state, or not at all if it is done."""
    processes = parallel.start(args.device)
    if processes.device.type == "cpu":
        keep_memory()
    bf16 = args.precision == "bf16" if args.precision else processes.device.type == "cuda"
    home = args.out / args.preset.replace("/", "-")
    try:
        for number, row in enumerate(rows, start=1):
            options, folder = options_of(row, args, bf16), home / row.name
            parts = processes.count * args.accumulate
            if options.batch % parts:
                raise UserError(
                    f"a batch of {options.batch} clips does not divide into {parts} parts (processes x "
                    "--accumulate): choose another --batch"
                )
            _claim(folder, options, processes)
            if (
                latest(folder / "state") == options.steps
                and (folder / "checkpoint" / checkpoint.CONFIG).is_file()
            ):
                if processes.first:
                    print(f"{row.name}: done before")
            else:
                train(row, options, args, folder, home, processes)
            if args.logs and processes.first:
                args.logs.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / "log.jsonl", args.logs / f"{number}-{row.name}.jsonl")
    finally:
        parallel.stop()
    return 0


def _claim(folder: Path, options: Options, processes: Processes) -> None:
    """Note the options in a new run's folder; refuse a folder that holds the state of a run with others."""
    path, wanted = folder / "options.json", json.loads(json.dumps(asdict(options)))
    if latest(folder / "state"):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept != wanted:
            other = ", ".join(key for key in wanted if kept.get(key) != wanted[key])
            raise UserError(
                f"{folder} holds a run with other options ({other}): repeat those, or choose another --out"
            )
    elif processes.first:
        write_json(path, wanted)


def train(
    row: stages.Stage,
    options: Options,
    args: argparse.Namespace,
    folder: Path,
    home: Path,
    processes: Processes,
) -> None:
    """Train one stage and write its checkpoint."""
    torch.manual_seed(seed_of(options.seed, options.stage, "weights"))
    start = start_of(row, args)
    model, codec = initial(row, preset(options.preset), home, start)
    if row.trains != "codec":
        model.config = replace(
            model.config, frames=options.frames, fps=options.fps, resolution=options.resolution
        )
    codec.to(processes.device)
    clips, held_out = _data(options)
    if row.trains == "codec" and not start and latest(folder / "state") == 0:
        codec.start_linear(_first_frames(clips, options).to(processes.device))
    task = make_task(row, model, codec)
    parallel.prepare(task, processes, args.activation_checkpointing, args.compile, options.bf16)
    state = RunState(folder, task, optimizer.make(options.optimizer, task, options.lr, options.bf16))
    done = state.load()
    with Log(folder, row, options, done, args, processes) as log:
        _loop(row, options, args, task, state, (clips, held_out), done, log, processes)
    state.swap()
    averaged = gathered(model, codec, processes)
    if averaged is not None:
        if row.trains == "codec":
            averaged[1].rescale(_first_frames(clips, options))
        checkpoint.save(folder / "checkpoint", *averaged)
        print(f"checkpoint: {folder / 'checkpoint'}")
    torch.distributed.barrier()  # the next stage reads what the first process writes


def _first_frames(clips: Dataset[Item], options: Options) -> torch.Tensor:
    """All frames (N, 3, H, W) of the first 256 clips."""
    first = next(batches(clips, [range(min(256, options.clips))], 0))
    return torch.cat([to_batch([item])[0] for item in first])


def gathered(model: MarDini, codec: LatentCodec, processes: Processes) -> tuple[MarDini, LatentCodec] | None:
    """Whole copies of both, on the CPU, in the first process (``None`` in others); all processes must call this."""
    parts: list[dict[str, torch.Tensor]] = [{}, {}]
    for tensors, module in zip(parts, (model, codec), strict=True):
        for name, tensor in module.state_dict().items():
            together = whole(tensor.detach())
            if processes.first:  # others keep none of them: many processes may share a machine's memory
                tensors[name] = together.cpu()
    if not processes.first:
        return None
    with torch.device("meta"):
        copies = MarDini(model.config), LatentCodec(model.config.codec)
    for module, tensors in zip(copies, parts, strict=True):
        module.load_state_dict(tensors, assign=True)
        module.requires_grad_(False).eval()
    return copies


def initial(
    row: stages.Stage, config: MarDiniConfig, home: Path, start: list[Path] | None
) -> tuple[MarDini, LatentCodec]:
    """Weights a stage starts from: fresh, or those of the stages before (the planner's from its own branch).

    A stage with temporal attention turns a spatio-temporal generator into a temporal one (section 7's swap).
    """
    config = replace(config, generator=replace(config.generator, attention=row.attention))
    folders = start or [home / name / "checkpoint" for name in row.start]
    for folder in folders:
        if not folder.is_dir():
            raise UserError(
                f"stage {row.name} starts from {folder}, which is not there: run that stage first or give --init"
            )
    if not folders:
        return MarDini(config), LatentCodec(config.codec)
    if row.start == ("codec",) and checkpoint.holds_codec_alone(folders[0]):
        codec = checkpoint.load_codec_alone(folders[0])
        return MarDini(_on(codec.config, config, folders[0])), codec
    model, codec = checkpoint.load(folders[0])
    for folder in folders[1:]:
        model.planner.load_state_dict(checkpoint.load(folder)[0].planner.state_dict())
    if row.attention == "temporal":
        model = to_temporal(model)
    if model.config.generator != config.generator or model.config.planner != config.planner:
        if row.start == ("codec",):  # of another model only the codec is of use, and all that is needed
            return MarDini(_on(model.config.codec, config, folders[0])), codec
        raise UserError(
            f"{folders[0]} holds another model than stage {row.name} of preset {config.name} trains: give its own"
        )
    return model, codec


def _on(codec: CodecConfig, config: MarDiniConfig, folder: Path) -> MarDiniConfig:
    """``config`` with the codec of ``folder`` for its own, which may be of another size but not of other channels."""
    if codec.channels != config.codec.channels:
        raise UserError(
            f"{folder} makes {codec.channels} channels, but preset {config.name} needs {config.codec.channels}: "
            "give another codec"
        )
    return replace(config, codec=codec)


def _data(options: Options) -> tuple[Dataset[Item], Dataset[Item]]:
    """Training and held-out clips."""
    count, shape = options.steps * options.batch, (options.frames, options.fps, options.resolution)
    procedural, first = options.data[0] in PROCEDURAL, first_clip(options.seed)
    if procedural and options.stage == "codec":
        crops = (options.frames, options.resolution)
        return Pictures(count, *crops, first=first), Pictures(HELD_OUT_CLIPS, *crops, first=HELD_OUT)
    if procedural:
        rendered = options.data == ("synthetic",)
        training = (
            SyntheticClips(count, *shape, first=first) if rendered else Scenes(count, *shape[:2], first=first)
        )
        return training, SyntheticClips(HELD_OUT_CLIPS, *shape, first=HELD_OUT)
    videos, held_out = split([Path(path) for path in options.data])
    return (
        VideoClips(videos, count, *shape, seed_of(options.seed, options.stage), options.folder_fps),
        VideoClips(held_out, HELD_OUT_CLIPS, *shape, seed_of("held out"), options.folder_fps),
    )


def _loop(
    row: stages.Stage,
    options: Options,
    args: argparse.Namespace,
    task: Task,
    state: RunState,
    data: tuple[Dataset[Item], Dataset[Item]],
    done: int,
    log: Log,
    processes: Processes,
) -> None:
    """AdamW with warm-up and cosine decay, averaged weights, a log and saved states."""
    total, own = options.steps, processes.own(options.batch)
    size = len(own) // args.accumulate
    parts = [own[i : i + size] for i in range(0, len(own), size)]
    indices = [
        range(step * options.batch + part.start, step * options.batch + part.stop)
        for step in range(done, total)
        for part in parts
    ]
    singly = [[number] for number in range(HELD_OUT_CLIPS)]
    held_batches = batches(data[1], singly, args.workers, "files held out of the data")
    held_items = [item for batch in held_batches for item in batch]
    problems: Problems = log.problems
    log.warn(problems.add(held_items, 0))
    bank = None
    if isinstance(data[0], Scenes):
        bank = _bank(options.resolution, processes.device, args.workers)
    began = time.monotonic() - float(state.window[2])

    def loss_of(items: list[Item], draw: Draw, clips: range) -> torch.Tensor:
        frames = to_batch(items, processes.device, bank)
        with torch.autocast(processes.device.type, torch.bfloat16, enabled=options.bf16):
            return task(frames, draw, clips)

    @torch.no_grad()
    def held_out() -> float:
        draw = Draw.of(row, HELD_OUT_CLIPS, options.frames, seed_of(options.seed, options.stage, -1))
        share = math.ceil(HELD_OUT_CLIPS / processes.count)
        rank = min(processes.rank, math.ceil(HELD_OUT_CLIPS / share) - 1)  # surplus processes repeat the last
        mine = range(rank * share, min((rank + 1) * share, HELD_OUT_CLIPS))
        state.swap()
        value = loss_of(held_items[mine.start : mine.stop], draw, mine).double()
        state.swap()
        return float(processes.sum(value if rank == processes.rank else torch.zeros_like(value)))

    if done == 0:
        log.write(0, {"held_out": held_out()}, 0.0)
    loader = batches(data[0], indices, args.workers)
    losses = torch.zeros((), dtype=torch.float64, device=processes.device)
    for step in range(done, total):
        for group in state.optimizer.param_groups:
            group["lr"] = options.lr * schedule(step, total)
        seed = seed_of(options.seed, options.stage, step)
        draw = Draw.of(row, options.batch, options.frames, seed, options.noise_shift)
        state.optimizer.zero_grad(set_to_none=True)
        value = torch.zeros((), device=processes.device)
        for number, part in enumerate(parts):
            items = next(loader)
            log.warn(problems.add(items, step + 1))
            task.set_requires_gradient_sync(number == len(parts) - 1)  # pyright: ignore[reportCallIssue]
            loss = loss_of(items, draw, part)
            (loss * processes.count).backward()  # sharding averages gradients over processes; losses add up
            value += loss.detach()
        losses += processes.sum(value).double()
        norm = nn.utils.clip_grad_norm_(task.parameters(), CLIP_NORM)
        state.optimizer.step()
        state.update_average(step)
        state.window[1] += 1
        state.window[2] = time.monotonic() - began
        log.advance()
        finished = step + 1 == total
        logged = (step + 1) % options.log_every == 0 or finished
        saved = (step + 1) % args.save_every == 0 or finished
        if logged or saved:  # not at each step: reading a number waits for all that a GPU still has to do
            if not math.isfinite(float(losses) + float(whole(norm))):
                raise UserError(
                    f"stage {row.name} diverged before step {step + 1}: its loss or gradient is no finite number; "
                    "train again under another --out with a smaller --lr, or look at the data"
                )
            state.window[0] += float(losses)
            losses.zero_()
            log.gather()
        if logged:
            mean = float(state.window[0] / state.window[1])
            state.window[:2] = 0
            log.write(step + 1, {"loss": mean, "held_out": held_out()}, time.monotonic() - began)
        sampled = row.trains in ("generator", "both") and is_due(step + 1, args.sample_every)
        kept = is_due(step + 1, args.keep_every)
        if sampled or kept:
            state.swap()
            averaged = gathered(*task.networks, processes)
            name = f"step-{step + 1:06d}"
            if averaged is not None and sampled:
                write_strip(log.folder / "samples" / f"{name}.png", *averaged, held_items[0], row)
            if averaged is not None and kept:
                checkpoint.save(log.folder / "kept" / name, *averaged)
            state.swap()  # not before: on a CPU what was gathered is no copy
        if saved:
            state.save(step + 1, background=processes.device.type == "cuda")
    state.wait()


def is_due(step: int, every: int | None) -> bool:
    """Whether something that is done ``every`` so many steps, or never, is done after ``step`` steps."""
    return every is not None and step % every == 0


def schedule(step: int, total: int) -> float:
    """Learning rate at ``step`` over its peak: linear warm-up (6000 steps or 5%, whichever is less), cosine to zero."""
    warm = max(1, min(6000, total // 20))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
