"""Seconds of our metrics and of the tools that people use, on the same frames: a line a metric, a mark a tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Record
from reports.style import COLOURS, MARKERS, SERIES

OURS = "mardini"
OTHERS = (*(color for color in SERIES if color != COLOURS[OURS]), "#777777")
Row = Mapping[str, Any]


def rows(cells: Sequence[Record]) -> list[dict[str, Any]]:
    """Metric, shape of the clips, tool, seconds and GiB of each finished cell."""
    return [
        {
            "machine": record["machine"],
            **record["cell"],
            "seconds": record["values"]["seconds"]["value"],
            "memory": record["values"]["memory"]["value"],
        }
        for record in cells
        if record["status"] == "done"
    ]


def label(row: Row) -> str:
    """``fvd, 16 frames``: the frames only where they are not the usual nine."""
    return row["metric"] if row["frames"] == 9 else f"{row['metric']}, {row['frames']} frames"


def draw(rows: Sequence[Row], axes: Sequence[Any]) -> None:
    """Seconds and GiB; ours first."""
    from matplotlib.ticker import FuncFormatter

    metrics = list(dict.fromkeys(label(row) for row in rows))
    tools = [OURS, *sorted({row["tool"] for row in rows} - {OURS})]
    for ax, (name, title) in zip(axes, (("seconds", "seconds ↓"), ("memory", "peak GiB ↓")), strict=True):
        for place, metric in enumerate(metrics):
            values = [row[name] for row in rows if label(row) == metric]
            ax.plot([min(values), max(values)], [place] * 2, color="#DDDDDD", linewidth=0.8, zorder=1)
        for number, tool in enumerate(tools):
            own = [(row[name], metrics.index(label(row))) for row in rows if row["tool"] == tool]
            color = OTHERS[(number - 1) % len(OTHERS)] if number else COLOURS[OURS]
            style = {"color": color, "marker": MARKERS[number % len(MARKERS)]}
            if own:
                ax.plot(*zip(*own, strict=True), linestyle="", label=tool, **style)
        if name == "seconds":
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
        else:
            ax.set_xlim(left=0)
        ax.set_yticks(range(len(metrics)), metrics if ax is axes[0] else [])
        ax.set_ylim(len(metrics) - 0.5, -0.5)
        ax.grid(axis="x")
        ax.set_title(title)
