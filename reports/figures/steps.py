"""Figure 6a: quality against the number of inference steps, by sampler; and what a step costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Record
from reports.style import MARKERS, OTHERS

QUALITY = (("fvd_random", "FVD, random features ↓"), ("lpips_alex_random_all", "LPIPS, random features ↓"))
TITLES = {"interpolation": "interpolation", "i2v": "image-to-video"}
Row = Mapping[str, Any]


def rows(cells: Sequence[Record]) -> list[dict[str, Any]]:
    """Dataset, task, sampler, guidance and steps of each finished cell, with its numbers and intervals."""
    found = []
    for record in cells:
        if record["status"] != "done":
            continue
        row = dict(record["cell"])
        for name, entry in record["values"].items():
            row |= {name: entry["value"], f"{name}.low": entry["low"], f"{name}.high": entry["high"]}
        found.append(row)
    return sorted(found, key=lambda r: (r["dataset"], r["task"], r["sampler"], r["guidance"], r["steps"]))


def panels(rows: Sequence[Row]) -> list[tuple[str, str, str, str]]:
    """(dataset, task, metric, title) of each panel."""
    found = dict.fromkeys((row["dataset"], row["task"]) for row in rows)
    return [(*key, name, f"{TITLES[key[1]]}, {key[0]}: {text}") for key in found for name, text in QUALITY]


def draw(rows: Sequence[Row], axes: Sequence[Any]) -> None:
    """A panel a task and metric; colour and marker: sampler; dashed: with guidance. Bands: 95 % intervals."""
    for ax, (dataset, task, metric, title) in zip(axes, panels(rows), strict=True):
        own = [row for row in rows if (row["dataset"], row["task"]) == (dataset, task)]
        for number, sampler in enumerate(dict.fromkeys(row["sampler"] for row in own)):
            for guidance in dict.fromkeys(row["guidance"] for row in own):
                line = [r for r in own if (r["sampler"], r["guidance"]) == (sampler, guidance)]
                line = [r for r in line if r[metric] is not None]
                if not line:
                    continue
                steps = [r["steps"] for r in line]
                ax.plot(
                    steps,
                    [r[metric] for r in line],
                    color=OTHERS[number],
                    marker=MARKERS[number],
                    linestyle="-" if guidance == 1 else "--",
                    label=sampler if guidance == 1 else f"{sampler}, guidance {guidance:g}",
                )
                if sampler == "ddim" and all(r[f"{metric}.low"] is not None for r in line):
                    low, high = ([r[f"{metric}.{end}"] for r in line] for end in ("low", "high"))
                    ax.fill_between(steps, low, high, color=OTHERS[number], alpha=0.08, linewidth=0)
        ax.set_xscale("log")
        ticks = sorted({row["steps"] for row in own})
        ax.set_xticks(ticks, [str(t) for t in ticks])
        ax.minorticks_off()
        ax.set_title(title)
        ax.set_xlabel("inference steps")
