"""Train one stage of the training manual, or a chain of them; run it again to resume.

    python -m mardini.train --stage codec --preset nano
    python -m mardini.train --stage initial-planner --preset nano --data videos --data shards
    python -m mardini.train --chain joint-task --preset tiny             all stages up to joint-task
    python -m mardini.train --chain joint-task --preset mini --init DIR  with the codec of a checkpoint
    python -m mardini.train --stage joint-task --preset L/ST --dry-run   what it would do, and cost
    torchrun --nproc-per-node 8 -m mardini.train --stage joint-task --preset L/ST --data shards

Each stage starts from the checkpoints of the stages before it, under the same --out, and leaves

    <out>/<preset>/<stage>/log.jsonl      a line every few steps: step, clips, loss, held-out loss, seconds
    <out>/<preset>/<stage>/state/         everything needed to go on after a kill, bit for bit on a CPU
    <out>/<preset>/<stage>/checkpoint/    averaged weights: model.safetensors and config.json
    <out>/<preset>/<stage>/samples/       strips of a held-out clip, with --sample-every
    <out>/<preset>/<stage>/kept/          checkpoints of the way there, with --keep-every
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from mardini.config import PRESETS, preset
from mardini.errors import UserError, command
from mardini.stages import STAGES, Optimizer, Stage, chain, scaled, stage

PROCEDURAL = ("synthetic", "synthetic-bank")
"""Names of data that is no files: rendered by workers, or drawn by them and rendered on the device."""


@dataclass(frozen=True)
class Options:
    """What a run's result is determined by; kept beside its state, and a resumed run must agree."""

    stage: str
    preset: str
    data: tuple[str, ...]
    clips: int
    batch: int
    lr: float
    optimizer: Optimizer
    noise_shift: float
    frames: int
    fps: float
    folder_fps: float
    resolution: int
    seed: int
    bf16: bool
    log_every: int
    start: tuple[str, ...]

    @property
    def steps(self) -> int:
        """Optimizer steps in all; clips that do not fill a last batch are left out."""
        return max(1, self.clips // self.batch)


def options_of(row: Stage, args: argparse.Namespace, bf16: bool) -> Options:
    """The recipe of a stage for the preset, with what the command line says otherwise."""
    config = preset(args.preset)
    recipe = scaled(row, config)
    result = Options(
        stage=row.name,
        preset=config.name,
        data=tuple(args.data),
        clips=args.clips or recipe.clips,
        batch=args.batch or recipe.batch,
        lr=args.lr or recipe.lr,
        optimizer=args.optimizer or recipe.optimizer,
        noise_shift=args.noise_shift,
        frames=recipe.frames,
        fps=recipe.fps,
        folder_fps=args.folder_fps,
        resolution=args.resolution or recipe.resolution,
        seed=args.seed,
        bf16=bf16,
        log_every=args.log_every,
        start=tuple(map(str, start_of(row, args) or ())),
    )
    unit = 8 * config.low_ratio
    if result.resolution % unit:
        raise UserError(
            f"--resolution {result.resolution} does not divide into latents: use a multiple of {unit}"
        )
    return result


def start_of(row: Stage, args: argparse.Namespace) -> list[Path] | None:
    """Folders given as the start of a stage; ``None``: those of the stages before it.

    In a chain they are that of the codec, and other stages start from one another.
    """
    return args.start if args.start and (not args.chain or row.start == ("codec",)) else None


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line; ``None`` reads ``sys.argv``."""
    parser = argparse.ArgumentParser(
        prog="python -m mardini.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--stage", help=f"one of {', '.join(STAGES)}")
    what.add_argument("--chain", metavar="STAGE", help="all stages up to this one, each from those before")
    add = parser.add_argument
    add("--preset", default="nano", help=f"one of {', '.join(PRESETS)} (default: nano)")
    add("--out", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    add(
        "--data",
        action="append",
        metavar="PATH",
        help="folder of videos, frame folders or .tar shards; may be repeated (default: synthetic, rendered by "
        "workers; synthetic-bank: on the device, with textures painted once)",
    )
    add("--folder-fps", type=float, default=24.0, help="frame rate of frame folders (default: 24)")
    add("--clips", type=int, help="clips to see (default: the manual's, scaled to the preset)")
    add("--batch", type=int, help="clips a step, over all processes (default: the manual's, scaled)")
    add("--lr", type=float, help="peak learning rate (default: 1.4e-4 as in the paper, more if small)")
    add("--optimizer", choices=("adamw", "muon"), help="default: adamw as in the paper, muon if small")
    add(
        "--noise-shift",
        type=float,
        default=1.0,
        help="above 1, noisy diffusion steps are learnt more often than clean ones (default: 1, all alike)",
    )
    add("--resolution", type=int, help="pixels per side (default: the manual's, scaled to the preset)")
    add("--seed", type=int, default=0, help="of data, masks, noise and initial weights (default: 0)")
    add(
        "--init",
        dest="start",
        metavar="DIR",
        type=Path,
        nargs="+",
        help="checkpoint folders to start from (default: stages before); with --chain: one whose codec is used, "
        "and none trained",
    )
    add("--workers", type=int, default=1, help="processes that make data, for each process (default: 1)")
    add("--log-every", type=int, default=25, help="steps between lines of the log (default: 25)")
    add("--save-every", type=int, default=100, help="steps between saved states (default: 100)")
    add("--sample-every", type=int, help="steps between strips of a generated held-out clip (default: none)")
    add(
        "--keep-every", type=int, help="steps between checkpoints that are kept (default: the last one alone)"
    )
    add("--accumulate", type=int, default=1, help="parts in which a process computes its batch (default: 1)")
    add("--device", choices=("cpu", "cuda"), help="default: cuda where there is one")
    add("--precision", choices=("fp32", "bf16"), help="of activations (default: bf16 on cuda, fp32 on cpu)")
    add("--activation-checkpointing", action="store_true", help="compute activations twice, keep few")
    add("--compile", action="store_true", help="compile the blocks with torch.compile")
    add("--tensorboard", action="store_true", help="also log to TensorBoard, in the run's folder")
    add("--wandb", metavar="PROJECT", help="also log to this project of Weights & Biases")
    add("--logs", type=Path, help="with --chain: folder for copies of the logs, <number>-<stage>.jsonl")
    add("--dry-run", action="store_true", help="print what would be done and what it costs; build nothing")
    args = parser.parse_args(argv)
    args.data = args.data or ["synthetic"]
    return args


def check(args: argparse.Namespace) -> list[Stage]:
    """The stages asked for, after all checks that cost nothing. Raises ``UserError``."""
    positive = ("clips", "batch", "resolution", "save_every", "log_every", "sample_every", "keep_every")
    for flag in (*positive, "accumulate"):
        value = getattr(args, flag)
        if value is not None and value < 1:
            raise UserError(f"--{flag.replace('_', '-')} must be at least 1, got {value}")
    if args.workers < 0:
        raise UserError(f"--workers must be 0 or more, got {args.workers}")
    for flag in ("lr", "folder_fps", "noise_shift"):
        value = getattr(args, flag)
        if value is not None and not value > 0:
            raise UserError(f"--{flag.replace('_', '-')} must be positive, got {value}")
    procedural = [name for name in args.data if name in PROCEDURAL]
    if procedural and len(args.data) > 1:
        raise UserError(f"--data {procedural[0]} cannot be mixed with other data: give either")
    if args.logs and not args.chain:
        raise UserError("--logs copies the logs of a chain: use it with --chain")
    preset(args.preset)
    if not args.chain:
        return [stage(args.stage)]
    rows = [row for row in chain(args.chain) if not args.start or row.trains != "codec"]
    if not rows:
        raise UserError("--init gives the codec, and --chain codec asks for no more: name a later stage")
    return rows


@command
def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    args = parse(argv)
    rows = check(args)
    # torch takes seconds to import; --help and mistakes need none of it
    if args.dry_run:
        from mardini.dry_run import describe

        for row in rows:
            print(describe(row, args))
        return 0
    from mardini.trainer import run

    return run(rows, args)


if __name__ == "__main__":
    sys.exit(main())
