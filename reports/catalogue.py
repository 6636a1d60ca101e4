"""Every figure of the report, in the order of the paper's: what it shows, of which records, and what makes them."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reports.figure import Figure, no_draw
from reports.figures import (
    ablations,
    efficiency,
    expansion,
    masks,
    middle,
    per_frame,
    planning,
    scaling,
    sharpness,
    slow_motion,
    speed,
    steps,
    strips,
    training,
    views,
    worst,
)
from reports.frames import Frames, may_be_shown
from reports.records import (
    Group,
    Record,
    Results,
    files,
    read_ablations,
    read_cells,
    read_groups,
    read_json,
)
from reports.style import COLUMN, PAGE
from reports.tables import RUN, run_on
from reports.training import read_logs

HIERARCHICAL = "slow-motion"
"""What the frames of ``mardini.generate slow-motion`` are called when they are scored."""


def all_figures(results: Results, kept: Path) -> list[Figure]:
    """All figures; ``kept``: a folder of figures made before, for what cannot be known without frames."""
    groups = read_groups(results)
    return [
        *pictures(groups, kept),
        *sweep(read_cells(results, "inference-steps")),
        *curves(read_ablations(results)),
        *losses(results),
        *mask_layouts(read_cells(results, "mask-configs")),
        *by_machine(read_cells(results, "efficiency"), costs),
        *by_machine(read_cells(results, "scaling"), functools.partial(scalings, results)),
        *by_machine(read_cells(results, "metric-speed"), speeds),
        *(figure for group in groups for figure in of_group(group)),
    ]


# -- pictures -----------------------------------------------------------------------------------------------------


def pictures(groups: Sequence[Group], kept: Path) -> list[Figure]:
    """Figures 5 and 7 to 11, and image-to-video."""
    main = find(groups, "interpolation", planning.WITH)
    both = find(groups, "interpolation", planning.WITHOUT)
    expanded, animated = (find(groups, task, expansion.SYSTEM) for task in ("expansion", "i2v"))
    slow = find(groups, "interpolation", HIERARCHICAL)
    score = "python -m eval.interpolation"
    found = [
        picture(
            "figure-5-planning", planning.TITLE, both, planning, f"{score} --systems mardini --guidance 0"
        ),
        picture("figure-7-views", views.TITLE, main, views, score),
        picture(
            "figure-8-expansion",
            expansion.TITLES["expansion"],
            expanded,
            expansion,
            "python -m eval.expansion",
        ),
        sharper(main, kept, score),
        picture("figure-10-middle", middle.TITLE, main, middle, score),
        picture(
            "figure-11-slow-motion",
            slow_motion.title(slow) if slow else "Four images to many frames (Figure 11 of the paper)",
            slow,
            slow_motion,
            "tox -e report",
            HIERARCHICAL,
        ),
        picture("image-to-video", expansion.TITLES["i2v"], animated, expansion, "python -m eval.i2v"),
    ]
    return found


def find(groups: Sequence[Group], task: str, variant: str) -> Group | None:
    """The records that pictures are made of: a whole set of clips before a part of one, and at its full size."""
    fit = [g for g in groups if g.task == task and variant in g.records and may_be_shown(g)]
    return min(
        fit,
        key=lambda g: (g.side is not None, g.first["dataset"].get("limit") is not None, g.name),
        default=None,
    )


def picture(name: str, title: str, group: Group | None, kind: Any, command: str, *more: str) -> Figure:
    """A figure of frames; without records it is missing, without frames it cannot be drawn."""
    if group is None:
        return Figure(name, title, [], no_draw, (PAGE, 2), command, frames=False)
    frames, rows = Frames(group), kind.rows(group, *more)
    draw = functools.partial(getattr(kind, "draw", strips.draw), frames=frames)
    size = getattr(kind, "size", strips.size)(rows) if rows else (PAGE, 2.0)
    ready = bool(rows) and strips.ready(rows, frames)
    return Figure(name, title, rows, draw, size, command, frames=ready)


def sharper(group: Group | None, kept: Path, command: str) -> Figure:
    """Figure 9, chosen by looking at frames: without them, the choice made before, if it is of the same frames."""
    name = "figure-9-sharpness"
    if group is None:
        return Figure(name, sharpness.TITLE, [], no_draw, (COLUMN, 2), command, frames=False)
    frames = Frames(group)
    clips = (
        [row["clip"] for row in group.rows(sharpness.BLURRED)] if sharpness.BLURRED in group.records else []
    )
    here = bool(clips) and frames.have(list(group.records), clips)
    kept_rows = [] if here else still_true(kept / f"{name}.csv", group)
    if kept_rows:  # words of a table, and never drawn
        return Figure(name, sharpness.TITLE, kept_rows, no_draw, (COLUMN, 2), command, frames=False)
    rows = sharpness.rows(group, frames)  # if not of all systems, of those whose frames are here
    draw = functools.partial(sharpness.draw, frames=frames)
    return Figure(name, sharpness.TITLE, rows, draw, sharpness.size(rows), command, frames=bool(rows))


def still_true(table: Path, group: Group) -> list[dict[str, Any]]:
    """Rows of a figure made before, if the frames in it are those that the records still speak of."""
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["system"] != strips.TRUTH:
            known = group.rows(row["system"]) if row["system"] in group.records else ()
            hashes = [clip["prediction"] for clip in known if clip["clip"] == row["clip"]]
            if not hashes or not hashes[0].startswith(row["clip_sha256"]):
                return []
    return rows


# -- plots --------------------------------------------------------------------------------------------------------


def sweep(cells: Sequence[Record]) -> list[Figure]:
    """Figure 6a on checkpoints that ship."""
    rows = steps.rows(cells)
    count = len(steps.panels(rows)) if rows else 1
    size = (PAGE, 1.75 * -(-count // 2) + 0.4)
    title = "Quality against inference steps (Figure 6a of the paper), checkpoints that ship"
    return [
        Figure(
            "figure-6a-steps",
            title,
            rows,
            steps.draw,
            size,
            RUN.format("inference-steps"),
            count,
            min(2, count),
        )
    ]


def curves(cells: Sequence[Record]) -> list[Figure]:
    """The panels of Figure 6 on small models."""
    fvd = "FVD† ↓"
    by_lpips = functools.partial(ablations.training, measure=ablations.LPIPS)
    panels = (
        ("6a-small", "quality against inference steps", ablations.steps, "inference steps", fvd, True),
        ("6b-training", "quality along training", ablations.training, "clips seen", fvd, False),
        ("6b-lpips", "quality along training", by_lpips, "clips seen", "LPIPS† ↓", False),
        ("6c-identity", "Identity Attention", ablations.identity, "clips seen", "held-out loss ↓", False),
    )
    found = []
    for name, title, rows, xlabel, ylabel, log in panels:
        draw = functools.partial(ablations.draw, xlabel=xlabel, ylabel=ylabel, log=log)
        title = f"Figure {name[:2]} of the paper on small models: {title}; thin lines: seeds"
        found.append(
            Figure(f"figure-{name}", title, rows(cells), draw, (COLUMN, 2.2), RUN.format("ablations"))
        )
    return found


def losses(results: Results) -> list[Figure]:
    """Training curves: of the models that ship, and of what lies under ``training-*``."""
    ships = Path(__file__).parent.parent / "mardini" / "checkpoints"
    logs = sorted(ships.glob("*/training/*.jsonl"))
    folders = {f"training-{path.parents[1].name}": path.parent for path in logs}
    folders |= {path.parent.name: path.parent for path in files(results, "training-*/*.jsonl").values()}
    found = []
    for name, folder in folders.items():
        rows = training.rows(read_logs(folder))
        stages = len({row["stage"] for row in rows})
        across = min(stages, 4)
        title = f"Losses of the stages of {name.removeprefix('training-')}"
        size = (PAGE, 1.55 * -(-stages // across) + 0.35)
        found.append(
            Figure(name, title, rows, training.draw, size, "python -m mardini.train", stages, across)
        )
    return found


def mask_layouts(cells: Sequence[Record]) -> list[Figure]:
    """One figure a data set."""
    command = RUN.format("mask-configs")
    found = []
    for dataset in dict.fromkeys(record["cell"]["dataset"] for record in cells) or ["synthetic"]:
        title = (
            f"Quality by which frames are given, {dataset}; boxes: the frames of a clip, given ones filled; "
            "mardini: nano, the paper's way"
        )
        rows = masks.rows(cells, dataset)
        found.append(Figure(f"mask-configs-{dataset}", title, rows, masks.draw, (PAGE, 5.2), command, 4, 2))
    return found


def by_machine(cells: Sequence[Record], make: Callable[[str, list[Record]], Figure]) -> list[Figure]:
    """One figure a machine; of none, one that is missing."""
    machines = dict.fromkeys(record["machine"] for record in cells) or ["any-machine"]
    return [
        make(machine, [record for record in cells if record["machine"] == machine]) for machine in machines
    ]


def costs(machine: str, cells: list[Record]) -> Figure:
    """Table 3 as a picture."""
    title = f"Latency and peak memory of image-to-video on {machine} (Table 3 of the paper, as a picture)"
    rows = efficiency.rows(cells)
    name = f"efficiency-{machine}"
    return Figure(name, title, rows, efficiency.draw, (PAGE, 2.4), run_on(machine, "efficiency"), 2, 2)


def scalings(results: Results, machine: str, cells: list[Record]) -> Figure:
    """Cost against size, with the exponents that the benchmark fitted."""
    rows = scaling.rows(cells)
    fits = {
        fit["over"]: (fit["exponent"], fit["standard_error"])
        for path in files(results, f"scaling/{machine}/fits.json").values()
        for fit in read_json(path)["fits"]
        if fit["column"] == "seconds"
    }
    panels = max(1, len({row["over"] for row in rows}))
    draw = functools.partial(scaling.draw, fits=fits)
    title = f"Seconds against size on {machine}, with fitted exponents"
    name = f"scaling-{machine}"
    return Figure(name, title, rows, draw, (PAGE, 1.9), run_on(machine, "scaling"), panels, panels)


def speeds(machine: str, cells: list[Record]) -> Figure:
    """Our metrics against others'."""
    rows = speed.rows(cells)
    title = f"Seconds and peak memory of metrics on {machine}"
    height = 1.0 + 0.2 * len({speed.label(row) for row in rows})
    command = RUN.format("metric-speed")
    return Figure(f"metric-speed-{machine}", title, rows, speed.draw, (PAGE, height), command, 2, 2)


def of_group(group: Group) -> list[Figure]:
    """Scores frame by frame and clip by clip, from per-clip rows."""
    name, called = f"{group.task}-{group.name}", f"{group.first['protocol']}, {group.clips}"
    given = group.first["frames"]["given"]
    draw = functools.partial(per_frame.draw, given=given)
    found = [
        Figure(
            f"per-frame-{name}",
            f"Score by place in the clip: {called}",
            per_frame.rows(group),
            draw,
            (PAGE, 2.1),
            group.command,
            3,
            3,
        )
    ]
    if group.first["dataset"]["clips"] > 1:
        title = f"Clip by clip, hardest first: {called}"
        size = (COLUMN, 2.6) if group.first["dataset"]["clips"] <= worst.NAMED else (PAGE, 2.6)
        found.append(Figure(f"clips-{name}", title, worst.rows(group), worst.draw, size, group.command))
    return found
