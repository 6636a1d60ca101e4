"""Figures 6a, 6b and 6c on small models: steps, training, Identity Attention; a thin line a seed, a thick mean."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Record
from reports.style import MARKERS, SERIES

FVD, LPIPS = "fvd_random", "lpips_alex_random_all"
TASKS = {"interpolation": "interpolation", "i2v": "image-to-video"}
IDENTITY = {"generator": "with Identity Attention", "generator-no-identity": "without"}
Row = Mapping[str, Any]


def steps(cells: Sequence[Record]) -> list[dict[str, Any]]:
    """Figure 6a: seed, inference steps, FVD."""
    return [
        {"line": "interpolation", "seed": c["cell"]["seed"], "x": int(number), "y": scores[FVD]}
        for c in done(cells)
        if len(c["details"]["sweep"]) > 1
        for number, scores in sorted(c["details"]["sweep"].items(), key=lambda item: int(item[0]))
    ]


def training(cells: Sequence[Record], measure: str = FVD) -> list[dict[str, Any]]:
    """Figure 6b: task, seed, clips seen, a score; of the arms that were scored on the way."""
    return [
        {"line": TASKS[task], "seed": c["cell"]["seed"], "x": point["clips"], "y": point[task][measure]}
        for c in done(cells)
        if len(c["details"]["points"]) > 1
        for task in TASKS
        for point in c["details"]["points"]
    ]


def identity(cells: Sequence[Record]) -> list[dict[str, Any]]:
    """Figure 6c: with or without, seed, clips seen, held-out loss of the generator alone."""
    return [
        {
            "line": IDENTITY[c["cell"]["arm"]],
            "seed": c["cell"]["seed"],
            "x": row["clips"],
            "y": row["held_out"],
        }
        for c in done(cells)
        if c["cell"]["arm"] in IDENTITY
        for row in c["details"]["curve"]
        if "held_out" in row
    ]


def done(cells: Sequence[Record]) -> list[Record]:
    """The cells that hold numbers."""
    return [cell for cell in cells if cell["status"] == "done"]


def draw(rows: Sequence[Row], axes: Sequence[Any], xlabel: str, ylabel: str, log: bool = False) -> None:
    """Lines over x: thin ones for seeds, thick ones for their mean."""
    (ax,) = axes
    for number, name in enumerate(dict.fromkeys(row["line"] for row in rows)):
        own = [row for row in rows if row["line"] == name]
        places = sorted({row["x"] for row in own})
        for seed in dict.fromkeys(row["seed"] for row in own):
            line = sorted((row["x"], row["y"]) for row in own if row["seed"] == seed)
            ax.plot(*zip(*line, strict=True), color=SERIES[number], linewidth=0.5, alpha=0.45)
        means = [statistics.fmean(row["y"] for row in own if row["x"] == x) for x in places]
        mark = MARKERS[number] if len(places) <= 10 else None
        ax.plot(places, means, color=SERIES[number], marker=mark, label=name)
    if log:
        ticks = sorted({row["x"] for row in rows})
        ax.set_xscale("log")
        ax.set_xticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
