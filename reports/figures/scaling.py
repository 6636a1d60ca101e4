"""Seconds against frames, resolution and number of clips, with the fitted power law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Record
from reports.style import OTHERS

Row = Mapping[str, Any]


def rows(cells: Sequence[Record]) -> list[dict[str, Any]]:
    """What is varied, its size, and seconds."""
    found = [
        {
            "machine": r["machine"],
            "over": r["cell"]["over"],
            "size": r["values"]["size"]["value"],
            "seconds": r["values"]["seconds"]["value"],
        }
        for r in cells
        if r["status"] == "done"
    ]
    return sorted(found, key=lambda row: (row["machine"], row["over"], row["size"]))


def draw(rows: Sequence[Row], axes: Sequence[Any], fits: Mapping[str, tuple[float, float]]) -> None:
    """A panel for what is varied; ``fits``: over -> (exponent, its standard error), as the benchmark fitted it."""
    for number, (ax, over) in enumerate(zip(axes, dict.fromkeys(r["over"] for r in rows), strict=True)):
        line = [(row["size"], row["seconds"]) for row in rows if row["over"] == over]
        ax.plot(*zip(*line, strict=True), color=OTHERS[number], marker="o")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks([size for size, _ in line], [f"{size:g}" for size, _ in line])
        ax.minorticks_off()
        text = f": exponent {fits[over][0]:.2f} ± {fits[over][1]:.2f}" if over in fits else ""
        ax.set_title(f"{over}{text}")
        ax.set_xlabel(over)
    axes[0].set_ylabel("seconds")
