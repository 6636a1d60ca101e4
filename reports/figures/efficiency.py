"""Latency and peak memory by attention and resolution of planner and generator, as Table 3 in a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Record
from reports.style import SERIES

PANELS = (("latency", "seconds a clip ↓"), ("memory", "peak memory, GiB ↓"))
KINDS = (("ST", "symmetric"), ("ST", "asymmetric"), ("T", "symmetric"), ("T", "asymmetric"))
Row = Mapping[str, Any]


def rows(cells: Sequence[Record]) -> list[dict[str, Any]]:
    """Axes of every cell with its numbers; a failed one has its reason instead."""
    found = []
    for record in cells:
        row = {"machine": record["machine"], **record["cell"]}
        row |= {name: entry["value"] for name, entry in record["values"].items()}
        if record["status"] != "done":
            row["failed"] = "OOM" if record["error"]["kind"] == "OutOfMemory" else "failed"
        found.append(row)
    return sorted(found, key=lambda r: (r["model"], r["size"], r["frames"], r["attention"], r["resolution"]))


def draw(rows: Sequence[Row], axes: Sequence[Any]) -> None:
    """A panel a quantity, a group of bars a model, size and length, a bar a kind; what failed says so."""
    places = list(dict.fromkeys((row["model"], row["size"], row["frames"]) for row in rows))
    several = len({model for model, _, _ in places}) > 1
    for ax, (name, title) in zip(axes, PANELS, strict=True):
        for number, (attention, resolution) in enumerate(KINDS):
            kind = (
                f"{'temporal' if attention == 'T' else 'spatio-temporal'} attention, {resolution} resolution"
            )
            style = {"color": SERIES[number % 2], "hatch": "" if attention == "T" else "////", "label": kind}
            bars, failed = [], []
            for row in (r for r in rows if (r["attention"], r["resolution"]) == (attention, resolution)):
                place = places.index((row["model"], row["size"], row["frames"])) + (number - 1.5) * 0.2
                if row.get(name) is None:
                    failed.append((place, row.get("failed", "–")))
                else:
                    bars.append((place, row[name]))
            if bars:
                ax.bar(*zip(*bars, strict=True), 0.18, edgecolor="white", linewidth=0.3, **style)
            for place, word in failed:
                ax.text(place, 0, f" {word}", rotation=90, ha="center", va="bottom", fontsize=6)
        names = [
            "\n".join([*([model] if several else []), f"{size} px", f"{frames} fr."])
            for model, size, frames in places
        ]
        ax.set_xticks(range(len(places)), names)
        ax.set_title(title)
