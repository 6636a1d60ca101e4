"""Quality by which frames are given: fixed places, and random ones at preserved ratios from 0.1 to 0.9.

The paper's model takes any mask; so do the systems beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import quality
from benchmarks.suite import Context, Outcome, Shown, Suite, file_name
from mardini.errors import UserError

FRAMES = 9
FIXED = {
    "0+8": (0, 8),
    "0": (0,),
    "4": (4,),
    "0..3": (0, 1, 2, 3),
    "0+4+8": (0, 4, 8),
    "every-2nd": (0, 2, 4, 6, 8),
}
RATIOS = tuple(f"random-{tenths / 10:.1f}" for tenths in range(1, 10))
SYSTEMS = ("repeat", "blend", "flow", "minterpolate", "mardini")
CHECKPOINT = "nano"
"""Of system ``mardini``, sampled the paper's way."""


@dataclass(frozen=True)
class Cell:
    """A system on ``clips`` clips of which the frames ``given`` are shown; ``seed``: of random places and of systems.

    ``given``: a key of ``FIXED``, other places such as ``2+5``, or ``random-0.3``: so large a share of the frames.
    """

    dataset: str
    given: str
    system: str
    clips: int
    seed: int


def places(given: str, seed: int, frames: int = FRAMES) -> tuple[int, ...]:
    """Indices of the given frames; at least one is given and one is left to generate."""
    if given in FIXED:
        return FIXED[given]
    if found := re.fullmatch(r"random-(0\.\d+)", given):
        import numpy as np

        kept = min(max(round(float(found[1]) * frames), 1), frames - 1)
        random = np.random.default_rng([seed, round(1000 * float(found[1]))])
        return tuple(sorted(int(place) for place in random.choice(frames, kept, replace=False)))
    if re.fullmatch(r"\d+(\+\d+)*", given):
        return tuple(sorted({int(place) for place in given.split("+")}))
    raise UserError(f"given={given}: choose from {', '.join([*FIXED, *RATIOS])}, or places such as 2+5")


def measure(cell: Cell, context: Context) -> Outcome:
    """Score the system with the toolkit."""
    from eval.datasets import load_dataset
    from eval.protocols import protocol_for
    from eval.systems import build_systems

    given = places(cell.given, cell.seed)
    protocol = protocol_for("interpolation", cell.dataset, frames=FRAMES, given=given)
    dataset = load_dataset(
        cell.dataset, data_root=context.data_root, limit=cell.clips, seed=cell.seed, frames=FRAMES
    )
    (system,) = build_systems(
        [cell.system],
        dataset,
        protocol,
        checkpoint=Path(CHECKPOINT),
        skip_guidance=0,
        detail=0,
        device=context.device,
        limited=True,
    )
    output = context.cache / "mask-configs" / file_name(cell)
    device, limit, seed = context.device, cell.clips, cell.seed
    record = quality.score(dataset, protocol, system, output, limit=limit, seed=seed, device=device)
    details = {"places": given, "seconds": record["timing"]["total_seconds"]}
    return Outcome(quality.values(record), details, quality.provenance(record))


def axes(device: str) -> dict[str, tuple[Any, ...]]:
    """Values of every field of a cell, where ``--with`` gives no others."""
    return {
        "dataset": ("synthetic",),
        "given": (*FIXED, *RATIOS),
        "system": SYSTEMS,
        "clips": (8,),
        "seed": (0,),
    }


SUITE = Suite(
    name="mask-configs",
    line="quality by which frames are given, fixed or random, by dataset and system",
    cell=Cell,
    axes=axes,
    measure=measure,
    shown=(
        Shown("psnr_clip", "PSNR"),
        Shown("ssim_vidim_all", "SSIM", 4),
        Shown("lpips_alex_random_all", "LPIPS*", 4),
        Shown("fvd_random", "FVD*"),
    ),
    inputs=lambda cell: quality.weights(CHECKPOINT) if cell.system == "mardini" else {},
    work=lambda cell: cell.clips,
    alike=("system",),
)
