"""Records of every suite of the benchmarks, with values of known shape."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reports.figures import ablations

SAMPLERS = ("ddim", "DPMSolverMultistepScheduler")
LAYOUTS = {
    "0+8": [0, 8],
    "0": [0],
    "0..3": [0, 1, 2, 3],
    "every-2nd": [0, 2, 4, 6, 8],
    "random-0.3": [1, 4, 7],
}


def record(cell: Mapping[str, Any], values: Mapping[str, float], **more: Any) -> dict[str, Any]:
    """A record of a cell, as the benchmarks write it."""
    entries = {name: {"value": v, "low": 0.9 * v, "high": 1.1 * v, "n": 8} for name, v in values.items()}
    whole = {
        "schema": 1,
        "version": "1",
        "cell": dict(cell),
        "status": "done",
        "values": entries,
        "details": {},
    }
    return {
        **whole,
        "error": None,
        "seconds": 1.0,
        "provenance": {"commit": "0123456789ab", "seed": 0},
        **more,
    }


def failed(cell: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A record of a cell that could not be measured."""
    return record(cell, {}, status="failed", error={"kind": kind, "sentence": "it was too much"})


def write(results: Path, suite: str, machine: str, records: list[dict[str, Any]]) -> None:
    folder = results / suite / machine
    folder.mkdir(parents=True)
    for number, one in enumerate(records):
        (folder / f"{number:03d}.json").write_text(json.dumps({"suite": suite, **one}))


def quality(good: float) -> dict[str, float]:
    """Values of a suite on quality."""
    return {
        "psnr_clip": 15 + 10 * good,
        "ssim_vidim_all": 0.3 + 0.5 * good,
        "lpips_alex_random_all": 0.5 - 0.4 * good,
        "fvd_random": 40 * (1 - good) + 1,
    }


def make_steps() -> list[dict[str, Any]]:
    cells = [
        {
            "dataset": "synthetic",
            "task": t,
            "sampler": s,
            "guidance": g,
            "steps": n,
            "clips": 8,
            "checkpoint": "nano",
        }
        for t in ("interpolation", "i2v")
        for s in SAMPLERS
        for g in (1.0, 2.5)
        for n in (1, 2, 4, 8, 10, 25, 50, 100)
    ]
    made = []
    for cell in cells:
        better = 0.6 if cell["sampler"] == "ddim" else 0.9
        good = 1 - 0.9 * math.exp(-better * math.log2(cell["steps"] + 1)) - 0.04 * (cell["guidance"] > 1)
        made.append(record(cell, {**quality(good), "seconds_per_frame": 0.01 * cell["steps"]}))
    return made


def make_ablations() -> list[dict[str, Any]]:
    arms = {"planner-small": 0.1, "planner-large": 0.2, "generator": 0.3, "generator-no-identity": 0.0}
    arms |= {"both-small": 0.6, "both-large": 0.8, "both-small-curriculum": 0.65}
    made = []
    for arm, good in arms.items():
        for seed in range(3):
            values = quality(good + 0.02 * seed)
            values |= {f"i2v_{name}": value for name, value in quality(0.8 * good).items()}
            floor = 0.9 if "no-identity" in arm else 0.3
            curve = [
                {"clips": c, "held_out": floor + (1 - floor) * math.exp(-c / 600) + 0.01 * seed}
                for c in range(0, 2401, 160)
            ]
            marks = (600, 1200, 1800, 2400) if arm == "both-small" else (2400,)
            points = [
                {
                    "clips": c,
                    **{
                        task: {"fvd_random": fvd, "lpips_alex_random_all": fvd / 100}
                        for task in ablations.TASKS
                    },
                }
                for c in marks
                for fvd in [50 - c / 80 + seed]
            ]
            counts = (1, 4, 10, 25) if arm == "both-small" else (25,)
            sweep = {str(n): {"fvd_random": 10 + 30 / n + seed} for n in counts}
            details = {"sweep": sweep, "points": points, "curve": curve}
            made.append(record({"arm": arm, "seed": seed, "clips": 2400}, values, details=details))
    return made


def make_masks() -> list[dict[str, Any]]:
    systems = {"repeat": 0.2, "blend": 0.4, "flow": 0.7, "minterpolate": 0.68, "mardini": 0.5}
    return [
        record(
            {"dataset": "synthetic", "given": given, "system": system, "clips": 8, "seed": 0},
            quality(good * (0.6 + 0.08 * len(places))),
            details={"places": places},
        )
        for given, places in LAYOUTS.items()
        for system, good in systems.items()
    ]


def make_efficiency() -> list[dict[str, Any]]:
    made = []
    for attention in ("ST", "T"):
        for resolution in ("symmetric", "asymmetric"):
            for frames in (9, 13):
                for size in (256, 512):
                    cell = {"model": "S", "attention": attention, "resolution": resolution}
                    cell |= {"frames": frames, "size": size}
                    cost = (
                        frames * size * size * (1 + (attention == "ST")) * (1 + (resolution == "symmetric"))
                    )
                    if cost > 9e6:
                        made.append(failed(cell, "OutOfMemory"))
                        continue
                    values = {"latency": cost / 1e6, "memory": cost / 2e5}
                    made.append(record(cell, {**values, "seconds_per_frame": cost / 1e6 / (frames - 1)}))
    return made


def make_scaling() -> list[dict[str, Any]]:
    levels = {"frames": (5, 9, 17), "resolution": (64, 128, 256), "clips": (2, 4, 8, 16)}
    powers = {"frames": 1.2, "resolution": 2.1, "clips": 1.0}
    return [
        record({"over": over, "size": size}, {"seconds": 0.01 * size ** powers[over], "memory": 0.5})
        for over, sizes in levels.items()
        for size in sizes
    ]


def make_speed() -> list[dict[str, Any]]:
    tools = {
        "psnr": ("mardini", "scikit-image", "torchmetrics", "common_metrics"),
        "lpips_alex": ("mardini", "lpips", "torchmetrics"),
        "fid": ("mardini", "pytorch-fid", "torch-fidelity", "clean-fid"),
        "fvd": ("mardini", "cd-fvd", "common_metrics"),
        "frechet-4096x2048": ("mardini", "pytorch-fid", "cd-fvd"),
    }
    made = []
    for number, (metric, names) in enumerate(tools.items()):
        for place, tool in enumerate(names):
            cell = {"metric": metric, "tool": tool, "clips": 8, "frames": 9, "size": 256}
            values = {
                "seconds": 0.2 * 3**number * (1 + 0.4 * place),
                "memory": 0.5 + 0.2 * place,
                "value": 1.0,
            }
            made.append(record(cell, values))
    return [*made, failed({**made[0]["cell"], "tool": "piq"}, "UserError")]


SUITES: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "inference-steps": make_steps,
    "ablations": make_ablations,
    "mask-configs": make_masks,
    "efficiency": make_efficiency,
    "scaling": make_scaling,
    "metric-speed": make_speed,
}


def make_results(folder: Path) -> Path:
    """Records of every suite on one machine."""
    for suite, make in SUITES.items():
        write(folder, suite, "a-machine", make())
    fits = [
        {"over": "frames", "column": "seconds", "exponent": 1.2, "standard_error": 0.05},
        {"over": "frames", "column": "memory", "exponent": 0.1, "standard_error": 0.0},
        {"over": "resolution", "column": "seconds", "exponent": 2.1, "standard_error": None},
    ]
    (folder / "scaling" / "a-machine" / "fits.json").write_text(json.dumps({"fits": fits}))
    return folder
