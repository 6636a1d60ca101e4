"""Figure 6a: quality against the number of inference steps, by checkpoint, sampler and guidance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Record
from reports.style import MARKERS, SERIES

QUALITY = (
    (("fvd", "fvd_random"), "FVD{} ↓"),
    (("lpips_alex_all", "lpips_alex_random_all"), "LPIPS{} ↓"),
)
TITLES = {"interpolation": "interpolation", "i2v": "image-to-video"}
SAMPLERS = {
    "ddim": "DDIM",
    "DPMSolverMultistepScheduler": "DPM-Solver++",
    "UniPCMultistepScheduler": "UniPC",
}
Row = Mapping[str, Any]


def rows(cells: Sequence[Record]) -> list[dict[str, Any]]:
    """Dataset, task, checkpoint, sampler, guidance and steps of each finished cell, with its numbers and intervals."""
    found = []
    for record in cells:
        if record["status"] != "done":
            continue
        row = {"machine": record["machine"], **record["cell"]}
        for name, entry in record["values"].items():
            row |= {name: entry["value"], f"{name}.low": entry.get("low"), f"{name}.high": entry.get("high")}
        found.append(row)
    return sorted(found, key=place)


def place(row: Row) -> tuple[Any, ...]:
    """Order of the rows: the paper's task and sampler first."""
    task, sampler = (
        (names.index(row[name]) if row[name] in names else len(names), row[name])
        for name, names in (("task", list(TITLES)), ("sampler", list(SAMPLERS)))
    )
    return row["dataset"], task, row["checkpoint"], sampler, row["guidance"], row["steps"]


def panels(rows: Sequence[Row]) -> list[tuple[str, str, str, str]]:
    """(dataset, task, metric, title) of each panel."""
    found = []
    for dataset, task in dict.fromkeys((row["dataset"], row["task"]) for row in rows):
        for names, title in QUALITY:
            name = next((name for name in names if name in rows[0]), names[-1])
            sign = "†" if "_random" in name else ""
            found.append((dataset, task, name, f"{title.format(sign)}  {TITLES.get(task, task)}, {dataset}"))
    return found


def draw(rows: Sequence[Row], axes: Sequence[Any]) -> None:
    """A panel a task and metric; colour and marker: checkpoint and sampler; dashed: with guidance.

    Bands: 95 % intervals of DDIM.
    """
    kinds = dict.fromkeys((row["checkpoint"], row["sampler"]) for row in rows)  # alike in all panels
    for ax, (dataset, task, metric, title) in zip(axes, panels(rows), strict=True):
        own = [row for row in rows if (row["dataset"], row["task"]) == (dataset, task)]
        for number, made in enumerate(kinds):
            for guidance in dict.fromkeys(row["guidance"] for row in own):
                line = [r for r in own if (r["checkpoint"], r["sampler"], r["guidance"]) == (*made, guidance)]
                line = [r for r in line if r.get(metric) is not None]
                if line:
                    plot(ax, line, metric, number, guidance == min(row["guidance"] for row in own))
        ax.set_xscale("log")
        ticks = sorted({row["steps"] for row in own})
        shown = [str(tick) if tick != 8 or 10 not in ticks else "" for tick in ticks]  # 8 and 10 would touch
        ax.set_xticks(ticks, shown)
        ax.minorticks_off()
        ax.set_title(title)
        ax.set_xlabel("inference steps")


def plot(ax: Any, line: Sequence[Row], metric: str, number: int, first: bool) -> None:
    """One line; the band is drawn once a panel, so that lines stay legible."""
    sampler, guidance = line[0]["sampler"], line[0]["guidance"]
    steps = [row["steps"] for row in line]
    name = f"{line[0]['checkpoint']}, {SAMPLERS.get(sampler, sampler)}"
    ax.plot(
        steps,
        [row[metric] for row in line],
        color=SERIES[number % len(SERIES)],
        marker=MARKERS[number % len(MARKERS)],
        linestyle="-" if guidance == 1 else (0, (3, 1.5)),
        label=name if guidance == 1 else f"{name}, guidance {guidance:g}",
    )
    if first and sampler == "ddim" and all(row[f"{metric}.low"] is not None for row in line):
        low, high = ([row[f"{metric}.{end}"] for row in line] for end in ("low", "high"))
        ax.fill_between(steps, low, high, color=SERIES[number % len(SERIES)], alpha=0.12, linewidth=0)
