"""How cost grows with frames, resolution and number of clips, and the exponent of the power law that fits.

Frames and resolution: generating one clip with the shipped model's architecture (random weights). Clips: scoring that
many with the toolkit, from decoding to intervals.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import efficiency
from benchmarks.suite import Context, Outcome, Record, Shown, Suite, entry
from mardini.files import write_json

STEPS = 10
FRAMES, RESOLUTION = 9, 64
LEVELS = {
    "frames": (5, 9, 17, 33),
    "resolution": (32, 64, 96, 128),
    "clips": (2, 4, 8, 16),
}
METRICS = ("psnr", "ssim", "lpips_alex", "fid")
FITTED = ("seconds", "memory")


@dataclass(frozen=True)
class Cell:
    """``size``: how many frames, pixels a side, or clips, by ``over``."""

    over: str
    size: int


def allowed(cell: Cell) -> bool:
    """Whether the series ``over`` has this size."""
    return cell.size in LEVELS.get(cell.over, ())


def measure(cell: Cell, context: Context) -> Outcome:
    """Seconds and peak memory at one size."""
    from benchmarks.timing import GIB, peak_memory, timed

    run, details = scoring(cell, context) if cell.over == "clips" else generating(cell, context)
    timing = timed(run, context.device)
    memory = peak_memory(context.device) / GIB
    values = {"size": entry(cell.size), "seconds": timing.entry(), "memory": entry(memory)}
    return Outcome(values, {**details, "repeats": timing.seconds}, {"seed": 0})


def generating(cell: Cell, context: Context) -> tuple[Any, dict[str, Any]]:
    """One image continued by a model with random weights."""
    import numpy as np

    from mardini.device import find_device

    frames = cell.size if cell.over == "frames" else FRAMES
    side = cell.size if cell.over == "resolution" else RESOLUTION
    config = efficiency.configuration(efficiency.Cell("nano", "ST", "asymmetric", frames, side))
    pipeline = efficiency.build(config, find_device(context.device))
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    details = {"frames": frames, "resolution": side, "steps": STEPS, "model": config.to_dict()}
    options: dict[str, Any] = {
        "steps": STEPS,
        "guidance": 1,
        "skip_guidance": 0,
        "detail": 0,
        "resolution": "native",
    }
    return lambda: pipeline.animate(image, frames - 1, **options), details


def scoring(cell: Cell, context: Context) -> tuple[Any, dict[str, Any]]:
    """A run of the toolkit, afresh each time."""
    import tempfile

    from benchmarks import quality
    from eval.datasets import load_dataset
    from eval.protocols import protocol_for
    from eval.systems.baselines import Blend

    dataset = load_dataset("synthetic", limit=cell.size)
    protocol = protocol_for("interpolation", "synthetic")

    def run() -> None:
        with quality.afresh(), tempfile.TemporaryDirectory() as folder:
            options = {"metrics": METRICS, "limit": cell.size, "device": context.device}
            quality.score(dataset, protocol, Blend(), Path(folder), **options)

    return run, {"metrics": METRICS, "system": "blend", "dataset": "synthetic"}


def fit(sizes: Sequence[float], costs: Sequence[float]) -> tuple[float, float | None]:
    """Exponent of cost ~ size^exponent by least squares on logarithms, and its standard error (from 3 points on)."""
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    slope, intercept = statistics.linear_regression(x, y)
    if len(x) < 3:
        return slope, None
    mean = statistics.fmean(x)
    residuals = sum((b - intercept - slope * a) ** 2 for a, b in zip(x, y, strict=True))
    return slope, math.sqrt(residuals / (len(x) - 2) / sum((a - mean) ** 2 for a in x))


def fits(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The exponent of every cost over every size that was measured at two points or more."""
    found = []
    for over in LEVELS:
        done = [r for r in records if r["cell"]["over"] == over and r["status"] == "done"]
        done.sort(key=lambda r: r["cell"]["size"])
        for column in FITTED if len(done) > 1 else ():
            # A GPU on which nothing was done used no memory.
            known = [r for r in done if r["values"][column]["value"] > 0]
            if len(known) < 2:
                continue
            sizes = [r["cell"]["size"] for r in known]
            exponent, error = fit(sizes, [r["values"][column]["value"] for r in known])
            found.append(
                {
                    "over": over,
                    "column": column,
                    "exponent": exponent,
                    "standard_error": error,
                    "sizes": sizes,
                }
            )
    return found


def finish(folder: Path, records: Sequence[Record]) -> None:
    """Write the fits beside the records."""
    write_json(folder / "fits.json", {"fits": fits(records)})


def summary(records: Sequence[Record]) -> str:
    """``seconds ~ frames^1.20 ± 0.05``."""
    lines = []
    for f in fits(records):
        error = "" if f["standard_error"] is None else f" ± {f['standard_error']:.2f}"
        lines.append(f"{f['column']} ~ {f['over']}^{f['exponent']:.2f}{error} ({len(f['sizes'])} sizes)")
    return "\n".join(lines)


def axes(device: str) -> dict[str, tuple[Any, ...]]:
    """Values of every field of a cell, where ``--with`` gives no others."""
    sizes = sorted({size for sizes in LEVELS.values() for size in sizes})
    return {"over": tuple(LEVELS), "size": tuple(sizes)}


SUITE = Suite(
    name="scaling",
    line="cost against frames, resolution and number of clips, with fitted exponents",
    cell=Cell,
    axes=axes,
    measure=measure,
    shown=(Shown("seconds", "seconds", 3), Shown("memory", "GiB", 3)),
    allowed=allowed,
    work=lambda cell: float(cell.size),
    alike=("over",),
    isolated=True,
    timed=True,
    summary=summary,
    finish=finish,
)
