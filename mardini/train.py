"""Train one stage of the training manual; run it again to resume.

    python -m mardini.train --stage codec --preset nano
    python -m mardini.train --stage initial-planner --preset nano
    python -m mardini.train --stage joint-task --preset nano --clips 20000

Each stage starts from the checkpoints of the stages before it, under the same --out, and leaves

    <out>/<preset>/<stage>/log.jsonl      a line every few steps: step, clips, loss, held-out loss, seconds
    <out>/<preset>/<stage>/state.pt       everything needed to go on after a kill, bit for bit on a CPU
    <out>/<preset>/<stage>/checkpoint/    averaged weights: model.safetensors and config.json
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from mardini.config import PRESETS
from mardini.errors import UserError, command
from mardini.stages import STAGES


@dataclass(frozen=True)
class Options:
    """What a run is determined by; kept in its state file, and a resumed run must agree."""

    stage: str
    preset: str
    clips: int
    batch: int
    lr: float
    resolution: int
    seed: int
    start: tuple[str, ...]


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line; ``None`` reads ``sys.argv``."""
    parser = argparse.ArgumentParser(
        prog="python -m mardini.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stage", required=True, help=f"one of {', '.join(STAGES)}")
    parser.add_argument("--preset", default="nano", help=f"one of {', '.join(PRESETS)} (default: nano)")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    parser.add_argument("--clips", type=int, help="clips to see; default: the manual's, scaled to the preset")
    parser.add_argument("--batch", type=int, default=16, help="clips a step (default: 16)")
    parser.add_argument(
        "--lr",
        type=float,
        help="peak learning rate (default: 1.4e-4 as in the paper, 1e-3 for small presets)",
    )
    parser.add_argument("--resolution", type=int, help="pixels per side (default: the preset's)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of data, masks, noise and initial weights (default: 0)"
    )
    parser.add_argument(
        "--start", type=Path, nargs="+", help="checkpoint folders to start from (default: the stages before)"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that make data (default: 1)")
    parser.add_argument(
        "--save-every", type=int, default=100, help="steps between state files (default: 100)"
    )
    return parser.parse_args(argv)


@command
def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    args = parse(argv)
    for flag in ("clips", "batch", "resolution", "save_every"):
        value = getattr(args, flag)
        if value is not None and value < 1:
            raise UserError(f"--{flag.replace('_', '-')} must be at least 1, got {value}")
    from mardini.trainer import run  # torch takes seconds to import; --help and mistakes need none of it

    return run(args)


if __name__ == "__main__":
    sys.exit(main())
