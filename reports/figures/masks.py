"""Quality by which frames are given: fixed places, and random ones at preserved ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Record
from reports.style import MARKERS, colour

PANELS = (
    ("psnr_clip", "PSNR, dB ↑"),
    ("ssim_vidim_all", "SSIM ↑"),
    ("lpips_alex_random_all", "LPIPS, random features ↓"),
    ("fvd_random", "FVD, random features ↓"),
)
Row = Mapping[str, Any]


def rows(cells: Sequence[Record], dataset: str) -> list[dict[str, Any]]:
    """Given frames, system and numbers of each finished cell of a data set, in the order of given frames."""
    found = []
    for record in cells:
        if record["status"] == "done" and record["cell"]["dataset"] == dataset:
            row = {name: record["cell"][name] for name in ("given", "system")}
            for name, entry in record["values"].items():
                row |= {name: entry["value"], f"{name}.low": entry["low"], f"{name}.high": entry["high"]}
            found.append(row)
    return sorted(found, key=lambda row: (_place(row["given"]), row["system"]))


FIXED = ("0+8", "0", "4", "0..3", "0+4+8", "every-2nd")


def _place(given: str) -> tuple[int, str]:
    """Fixed masks in the order in which the suite lists them, then random ones by their share."""
    return (FIXED.index(given), given) if given in FIXED else (len(FIXED), given)


def draw(rows: Sequence[Row], axes: Sequence[Any]) -> None:
    """A panel a metric, a mark a system; the layouts stand along the bottom."""
    layouts = list(dict.fromkeys(row["given"] for row in rows))
    systems = list(dict.fromkeys(row["system"] for row in rows))
    for ax, (metric, title) in zip(axes, PANELS, strict=True):
        for number, system in enumerate(systems):
            shift = (number - (len(systems) - 1) / 2) * 0.15
            for row in (r for r in rows if r["system"] == system and r.get(metric) is not None):
                place = layouts.index(row["given"]) + shift
                ax.plot(
                    place,
                    row[metric],
                    color=colour(system, number),
                    marker=MARKERS[number],
                    linestyle="",
                    label=system if row["given"] == layouts[0] else None,
                )
                if row[f"{metric}.low"] is not None:
                    ends = row[f"{metric}.low"], row[f"{metric}.high"]
                    ax.plot([place] * 2, ends, color=colour(system, number), linewidth=0.8)
        ax.set_xticks(range(len(layouts)), [str(layout) for layout in layouts], rotation=60, ha="right")
        ax.set_title(title)
