"""Tables 2 to 5 of the paper with our rows beside the reported ones, and a table a data set of ours.

A block holds what may be compared: the paper's rows among themselves, ours on one set of clips with one kind of
features. The two are set under each other, never mixed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reports.paper import ARXIV, TABLE_2, TABLE_3, TABLE_4, TABLE_5
from reports.records import Group, Record, metric, read_cells, read_groups, read_json
from reports.table import MISSING, Block, Cell, Column, Row, Table

AS_REPORTED = "As reported in the paper"
SYMMETRY = {True: "asymmetric", False: "symmetric"}
FOUR = (
    ("MidF-SSIM", "higher", 4, ("ssim_vidim_mid",)),
    ("MidF-LPIPS", "lower", 4, ("lpips_alex_mid", "lpips_alex_random_mid")),
    ("FID", "lower", 2, ("fid_all", "fid_random_all")),
    ("FVD", "lower", 2, ("fvd", "fvd_random")),
)
"""Columns of Table 4: name, direction, decimals, columns of our records (pretrained features before random ones)."""


def all_tables(results: Path) -> list[Table]:
    """Every table of the report, from the records below ``results``."""
    groups = read_groups(results)
    return [
        table_2(read_cells(results, "ablations")),
        table_3(read_cells(results, "efficiency")),
        table_4(groups),
        table_5(results),
        *(of_group(group) for group in groups),
    ]


def entry(cell: Mapping[str, Any] | None) -> Cell:
    """A cell from an entry of a record."""
    if cell is None or cell.get("value") is None:
        return MISSING
    return Cell(cell["value"], cell.get("low"), cell.get("high"))


def numbers(*values: float | str | None) -> tuple[Cell, ...]:
    """Cells from the paper's numbers and words."""
    return tuple(Cell(word=v) if isinstance(v, str) else Cell(v) for v in values)


def value(record: Record, name: str) -> Cell:
    """A cell from a benchmark's record; a failure shows its reason in a word."""
    if record["status"] != "done":
        return Cell(word="OOM" if "memory" in record["error"]["sentence"] else "failed")
    return entry(record["values"].get(name))


def table_2(cells: Sequence[Record]) -> Table:
    """Planner alone, generator alone, both."""
    columns = Column("DAVIS-7 FVD", "lower"), Column("UCF101-7 FVD", "lower")
    rows = tuple(Row((a or "–", b or "–"), numbers(*fvd)) for a, b, *fvd in TABLE_2)
    blocks = [Block(f"{AS_REPORTED}, Table 2", True, ("planner", "generator"), columns, rows, ARXIV)]
    blocks += [arms(cells, ARMS, ("planner", "generator")), arms(cells, VARIANTS, ("networks", "variant"))]
    return Table("table-2", "Planner and generator, each alone and together", tuple(blocks))


ARMS = {
    "planner-small": ("small", "–"),
    "planner-large": ("large", "–"),
    "generator": ("–", "small"),
    "both-small": ("small", "small"),
    "both-large": ("large", "small"),
}
"""Arms of the benchmark ``ablations``: planner, generator."""
VARIANTS = {
    "both-small": ("both", "15 to 60 % of frames preserved from the start"),
    "both-small-curriculum": ("both", "35 to 100 % first"),
    "generator": ("generator", "with Identity Attention"),
    "generator-no-identity": ("generator", "without"),
}
"""The same benchmark's arms on masks (the paper's progressive training) and on Identity Attention."""
ARM_COLUMNS = (
    ("FVD, random features", "fvd_random", 2),
    ("LPIPS, random features", "lpips_alex_random_all", 4),
    ("PSNR, dB", "psnr_clip", 2),
    ("i2v FVD, random features", "i2v_fvd_random", 2),
)


def arms(cells: Sequence[Record], shown: Mapping[str, tuple[str, ...]], labels: tuple[str, ...]) -> Block:
    """Our small models, a row an arm: means over seeds with 95 % t intervals over seeds."""
    columns = tuple(
        Column(name, "higher" if name.startswith("PSNR") else "lower", decimals)
        for name, _, decimals in ARM_COLUMNS
    )
    done = [cell for cell in cells if cell["status"] == "done"]
    rows = []
    for arm, words in shown.items():
        own = [cell for cell in done if cell["cell"]["arm"] == arm]
        values = [over_seeds([cell["values"][key]["value"] for cell in own]) for _, key, _ in ARM_COLUMNS]
        rows.append(Row(words, tuple(values)))
    seeds = len({cell["cell"]["seed"] for cell in done})
    clips = " or ".join(map(str, sorted({cell["cell"]["clips"] for cell in done}))) or "no"
    title = f"Ours: small models after {clips} procedural clips at 32 px, {seeds} seeds; {labels[-1]}"
    command = "benchmarks/results/ablations; python -m benchmarks run ablations"
    return Block(title, False, labels, columns, tuple(rows), command)


def over_seeds(values: Sequence[float | None]) -> Cell:
    """Mean over seeds with a 95 % interval by Student's t."""
    from scipy import stats

    known = [v for v in values if v is not None]
    if not known:
        return MISSING
    mean = statistics.fmean(known)
    if len(known) < 2:
        return Cell(mean)
    half = float(stats.t.ppf(0.975, len(known) - 1)) * statistics.stdev(known) / math.sqrt(len(known))
    return Cell(mean, mean - half, mean + half)


def table_3(cells: Sequence[Record]) -> Table:
    """Latency and memory by attention, resolution, frames and size."""
    labels = ("attention", "resolution", "frames")
    heads = ("256 px s", "256 px GiB", "512 px s", "512 px GiB")
    columns = tuple(Column(head, "lower") for head in heads)
    rows = tuple(
        Row((SYMMETRY[attention], SYMMETRY[resolution], f"{frames} (1 → {frames - 1})"), numbers(*rest))
        for attention, resolution, frames, *rest in TABLE_3
    )
    title = f"{AS_REPORTED}, Table 3: one A100 80GB, bf16, 25 DDIM steps, seconds a clip"
    blocks = [Block(title, True, labels, columns, rows, ARXIV)]
    for machine, model in sorted({(c["machine"], c["cell"]["model"]) for c in cells}):
        own = [c for c in cells if (c["machine"], c["cell"]["model"]) == (machine, model)]
        sizes = sorted({c["cell"]["size"] for c in own})
        columns = tuple(
            Column(f"{size} px {unit}", "lower", 3 if unit == "s" else 2)
            for size in sizes
            for unit in ("s", "GiB")
        )
        found = {
            (
                c["cell"]["attention"],
                c["cell"]["resolution"],
                c["cell"]["frames"],
                c["cell"]["size"],
            ): c
            for c in own
        }
        keys = sorted({key[:3] for key in found}, key=lambda key: (key[2], key[0], key[1] == "asymmetric"))
        rows = tuple(
            Row(
                (
                    "asymmetric" if attention == "T" else "symmetric",
                    resolution,
                    f"{frames} (1 → {frames - 1})",
                ),
                tuple(
                    value(found[key], name)
                    if (key := (attention, resolution, frames, size)) in found
                    else MISSING
                    for size in sizes
                    for name in ("latency", "memory")
                ),
            )
            for attention, resolution, frames in keys
        )
        blocks.append(
            Block(
                f"Ours: {model} with random weights on {machine}, 25 DDIM steps, guidance 2.5, seconds a clip",
                False,
                labels,
                columns,
                rows,
                f"benchmarks/results/efficiency/{machine}; python -m benchmarks run efficiency",
            )
        )
    return Table(
        "table-3",
        "Latency and peak memory of image-to-video",
        tuple(blocks),
        (
            "Asymmetric attention: temporal attention in the generator. Asymmetric resolution: the planner works at "
            "low resolution.",
        ),
    )


def table_4(groups: Sequence[Group]) -> Table:
    """Zero-shot interpolation on DAVIS-7 and UCF101-7."""
    blocks = []
    for place, dataset in ((1, "DAVIS-7"), (2, "UCF101-7")):
        columns = tuple(Column(name, better, decimals) for name, better, decimals, _ in FOUR)
        rows = tuple(Row((row[0],), numbers(*row[place])) for row in TABLE_4)  # type: ignore[misc]
        title = f"{AS_REPORTED}, Table 4: {dataset}, all clips, pretrained features"
        blocks.append(Block(title, True, ("method",), columns, rows, ARXIV))
        for group in groups:
            name = group.first["dataset"]["name"]
            if group.task == "interpolation" and (
                (dataset == "DAVIS-7" and name in ("davis", "vidim"))
                or (dataset == "UCF101-7" and name == "ucf101")
            ):
                blocks.append(four(group))
        if not any(not b.reported and dataset in b.title for b in blocks):
            blocks.append(
                Block(
                    f"Ours: {dataset}", False, ("method",), columns, (Row(("not measured",), (MISSING,) * 4),)
                )
            )
    return Table(
        "table-4",
        "Zero-shot interpolation on VIDIM-Bench",
        tuple(blocks),
        (
            "Ours are measured on the clips named in each block, with the features named in each column's heading: "
            "they show the order of systems, and compare with no reported number.",
        ),
    )


def four(group: Group) -> Block:
    """The four columns of Table 4 for one set of clips."""
    columns, rows = [], {variant: [] for variant in group.records}
    for name, better, decimals, ours in FOUR:
        found = metric(group.first, ours)
        random = found is not None and "_random" in found[0]
        columns.append(Column(f"{name}, random features" if random else name, better, decimals))
        for variant, record in group.records.items():
            rows[variant].append(entry(record["metrics"].get(found[0])) if found else MISSING)
    dataset = {"davis": "DAVIS-7", "vidim": "DAVIS-7, clips of VIDIM's site", "ucf101": "UCF101-7"}
    title = f"Ours: {dataset[group.first['dataset']['name']]}, {group.clips}"
    made = tuple(Row((variant,), tuple(cells)) for variant, cells in rows.items())
    return Block(title, False, ("method",), tuple(columns), made, source(group))


def source(group: Group) -> str:
    """Where a group's records lie, and what made them."""
    name = group.first["dataset"]["name"]
    root = "" if name == "synthetic" else f" --dataset {name} --data-root DIR"
    command = f"python -m eval.{group.task}{root} --output benchmarks/results"
    return f"benchmarks/results/{group.task}/{group.name}; {command}"


VBENCH = (
    ("I2V-Subj", "i2v_subject"),
    ("I2V-Bg", "i2v_background"),
    ("Quality with DD", "mardini_vq_dd"),
    ("Quality", "mardini_vq"),
    ("VBench Avg.", "vbench_avg"),
)


def table_5(results: Path) -> Table:
    """Image-to-video on VBench."""
    labels = ("method", "resolution", "image pre-training")
    columns = (Column("s / frame", "lower"), *(Column(name, "higher") for name, _ in VBENCH))
    rows = tuple(
        Row((name, size, "yes" if images else "no"), numbers(latency, *scores))
        for name, size, images, latency, scores in TABLE_5
    )
    title = f"{AS_REPORTED}, Table 5: VBench-I2V, latency on one A100"
    blocks = [Block(title, True, labels, columns, rows, ARXIV)]
    own = []
    for path in sorted((results / "vbench").glob("*/record.json")):
        record = read_json(path)
        cells = tuple(entry(record["columns"].get(key)) for _, key in VBENCH)
        own.append(Row((path.parent.name, record.get("resolution", "–"), "no"), (MISSING, *cells)))
    own = own or [Row(("not measured", "–", "–"), (MISSING,) * len(columns))]
    blocks.append(
        Block("Ours", False, labels, columns, tuple(own), "benchmarks/results/vbench; python -m eval.vbench")
    )
    return Table("table-5", "Image-to-video on VBench-I2V", tuple(blocks))


def of_group(group: Group) -> Table:
    """All columns that all systems of a group have, a block of middle-frame and one of clip-wise columns."""
    shared = [
        name for name in group.first["metrics"] if all(name in r["metrics"] for r in group.records.values())
    ]
    blocks = []
    for title, names in (
        ("Middle frame", [name for name in shared if name.endswith("_mid")]),
        ("All generated frames", [name for name in shared if not name.endswith("_mid")]),
    ):
        if not names:
            continue
        entries = [group.first["metrics"][name] for name in names]
        columns = tuple(
            Column(
                name.removesuffix("_mid").removesuffix("_all"),
                "higher" if e["higher_is_better"] else "lower",
                e["decimals"],
            )
            for name, e in zip(names, entries, strict=True)
        )
        rows = tuple(
            Row((variant,), tuple(entry(record["metrics"][name]) for name in names))
            for variant, record in group.records.items()
        )
        blocks.append(Block(f"{title}, {group.clips}", False, ("system",), columns, rows, source(group)))
    return Table(
        f"{group.task}-{group.name}",
        f"{group.first['protocol']}, {group.task}",
        tuple(blocks),
        (
            "Intervals: 95 %, over source videos. Columns with random in their name compare with nothing published.",
        ),
    )
