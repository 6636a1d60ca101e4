"""Seconds against frames, resolution and number of clips, with the fitted power law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Record
from reports.style import INK, SERIES

Row = Mapping[str, Any]


def rows(cells: Sequence[Record]) -> list[dict[str, Any]]:
    """What is varied, its size, seconds and GiB."""
    found = [
        {
            "machine": r["machine"],
            "over": r["cell"]["over"],
            "size": r["cell"]["size"],
            "seconds": r["values"]["seconds"]["value"],
            "memory": r["values"].get("memory", {}).get("value"),
        }
        for r in cells
        if r["status"] == "done"
    ]
    return sorted(found, key=lambda row: (row["machine"], row["over"], row["size"]))


def draw(rows: Sequence[Row], axes: Sequence[Any], fits: Mapping[str, tuple[float, float | None]]) -> None:
    """A panel for what is varied; ``fits``: over -> (exponent, its standard error), as the benchmark fitted it."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    for number, (ax, over) in enumerate(zip(axes, dict.fromkeys(r["over"] for r in rows), strict=True)):
        line = [(row["size"], row["seconds"]) for row in rows if row["over"] == over]
        ax.plot(*zip(*line, strict=True), color=SERIES[number], marker="o")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks([size for size, _ in line], [f"{size:g}" for size, _ in line])
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
        ax.minorticks_off()
        ax.set_title(over)
        if over in fits:
            exponent, error = fits[over]
            known = "" if error is None else f" \\pm {error:.2f}"
            text = f"seconds ∝ {over}$^{{{exponent:.2f}{known}}}$"
            ax.text(0.04, 0.96, text, transform=ax.transAxes, va="top", color=INK)
        ax.set_xlabel(over)
    axes[0].set_ylabel("seconds ↓")
