"""Latency and peak memory by attention and resolution of planner and generator, as Table 3 in a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Record
from reports.style import OTHERS

PANELS = (("latency", "seconds a clip ↓"), ("memory", "peak memory, GiB ↓"))
KINDS = (("ST", "symmetric"), ("ST", "asymmetric"), ("T", "symmetric"), ("T", "asymmetric"))
Row = Mapping[str, Any]


def rows(cells: Sequence[Record]) -> list[dict[str, Any]]:
    """Machine and axes of every cell with its numbers; a failed one has its reason instead."""
    found = []
    for record in cells:
        row = {"machine": record["machine"], **record["cell"]}
        row |= {name: entry["value"] for name, entry in record["values"].items()}
        if record["status"] != "done":
            row["failed"] = record["error"]["sentence"]
        found.append(row)
    return sorted(found, key=lambda r: (r["machine"], r["model"], r["size"], r["frames"]))


def groups(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """(size, frames) of each group of bars."""
    return list(dict.fromkeys((row["size"], row["frames"]) for row in rows))


def draw(rows: Sequence[Row], axes: Sequence[Any]) -> None:
    """A panel a quantity, a group of bars a size and length, a bar a kind of model; what failed says so."""
    places = groups(rows)
    for ax, (name, title) in zip(axes, PANELS, strict=True):
        for number, (attention, resolution) in enumerate(KINDS):
            label = f"{'temporal' if attention == 'T' else 'spatio-temporal'}, {resolution} resolution"
            for row in (r for r in rows if (r["attention"], r["resolution"]) == (attention, resolution)):
                place = places.index((row["size"], row["frames"])) + (number - 1.5) * 0.2
                if row.get(name) is None:
                    ax.text(place, 0, "failed", rotation=90, ha="center", va="bottom", fontsize=6)
                else:
                    ax.bar(place, row[name], 0.18, color=OTHERS[number], label=label)
                label = None
        ax.set_xticks(range(len(places)), [f"{size} px\n{frames} frames" for size, frames in places])
        ax.set_title(title)
