"""Tables 2 to 5 of the paper with our rows beside the reported ones.

A block holds what may be compared: the paper's rows among themselves, ours on one set of clips with one kind of
features. The two are set under each other, never mixed.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reports.paired import tied
from reports.paper import ARXIV, TABLE_2, TABLE_3, TABLE_4, TABLE_5
from reports.records import (
    Group,
    Record,
    Results,
    files,
    metric,
    read_ablations,
    read_cells,
    read_groups,
    read_json,
)
from reports.table import MISSING, RANDOM, Block, Cell, Column, Row, Table

AS_REPORTED = "As reported in the paper"
RUN = "python -m benchmarks run {}"


def run_on(machine: str, suite: str) -> str:
    """The command that made a suite's records on a machine, whose name says how many cores if it is no GPU."""
    return RUN.format(suite) + ("" if re.search(r"-\d+cores?$", machine) else " --device cuda")


def paper_tables(results: Results) -> list[Table]:
    """Tables 2 to 5."""
    groups, efficiency = read_groups(results), read_cells(results, "efficiency")
    return [
        table_2(read_ablations(results)),
        table_3(efficiency),
        table_4(groups),
        table_5(results, efficiency),
    ]


def numbers(*values: float | str | None) -> tuple[Cell, ...]:
    """Cells from the paper's numbers and words."""
    return tuple(Cell(word=v) if isinstance(v, str) else Cell(v) for v in values)


def of_entry(entry: Mapping[str, Any] | None, origin: str, tied: bool = False) -> Cell:
    """A cell from an entry of a record, or an empty one."""
    if entry is None or entry.get("value") is None:
        return MISSING
    low, high = entry.get("low"), entry.get("high")
    return Cell(entry["value"], low, high, n=entry.get("n"), tied=tied, origin=(origin,))


def of_cell(record: Record | None, name: str) -> Cell:
    """A cell from a benchmark's record; a failure shows its reason in a word."""
    if record is None:
        return MISSING
    origin = f"{record['path']}#{name}"
    if record["status"] != "done":
        return Cell(word="OOM" if record["error"]["kind"] == "OutOfMemory" else "failed", origin=(origin,))
    return of_entry(record["values"].get(name), origin)


# -- Table 2 ------------------------------------------------------------------------------------------------------

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
    (Column(f"FVD{RANDOM}", "lower"), "fvd_random"),
    (Column(f"LPIPS{RANDOM}", "lower", 4), "lpips_alex_random_all"),
    (Column("PSNR", "higher"), "psnr_clip"),
    (Column(f"I2V FVD{RANDOM}", "lower"), "i2v_fvd_random"),
)


def table_2(cells: Sequence[Record]) -> Table:
    """Planner alone, generator alone, both; and the arms on masks and on Identity Attention."""
    columns = Column("DAVIS-7 FVD", "lower"), Column("UCF101-7 FVD", "lower")
    rows = tuple(Row((a or "–", b or "–"), numbers(*fvd)) for a, b, *fvd in TABLE_2)
    labels = ("planner", "generator")
    blocks = [
        Block(f"{AS_REPORTED}, Table 2", True, labels, columns, rows, ARXIV),
        arms(cells, ARMS, labels),
        arms(cells, VARIANTS, ("networks", "variant")),
    ]
    notes = ("Ours: interpolation of held-out clips; means over seeds with 95 % t intervals over seeds.",)
    return Table("table-2", "Planner and generator, each alone and together", tuple(blocks), notes)


def arms(cells: Sequence[Record], shown: Mapping[str, tuple[str, str]], labels: tuple[str, str]) -> Block:
    """Our small models, a row an arm: means over seeds with 95 % t intervals over seeds."""
    done = [record for record in cells if record["status"] == "done"]
    rows = []
    for arm, words in shown.items():
        own = [record for record in done if record["cell"]["arm"] == arm]
        rows.append(Row(words, tuple(over_seeds(own, name) for _, name in ARM_COLUMNS)))
    title = "Ours: small models trained on procedural video at 32 px"
    if done:
        seeds = {record["cell"]["seed"] for record in done}
        title += f", {done[0]['cell']['clips']} clips, {len(seeds)} seeds"
    heads = tuple(column for column, _ in ARM_COLUMNS)
    return Block(title, False, labels, heads, tuple(rows), "ablations", RUN.format("ablations"))


def over_seeds(records: Sequence[Record], name: str) -> Cell:
    """Mean over seeds with a 95 % interval by Student's t."""
    found = [(r["values"][name]["value"], f"{r['path']}#{name}") for r in records if name in r["values"]]
    known = [(value, origin) for value, origin in found if value is not None]
    return mean_over_seeds([value for value, _ in known], tuple(origin for _, origin in known))


def mean_over_seeds(values: Sequence[float], origins: tuple[str, ...], signed: bool = False) -> Cell:
    """Mean with a 95 % interval by Student's t; no interval of one seed, no value of none."""
    if not values:
        return MISSING
    mean = same(statistics.fmean(values))
    if len(values) < 2:
        return Cell(mean, n=1, signed=signed, origin=origins)
    from scipy import stats

    half = float(stats.t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return Cell(mean, same(mean - half), same(mean + half), n=len(values), signed=signed, origin=origins)


def same(value: float) -> float:
    """A number computed here, to as many digits as every machine agrees on."""
    return float(f"{value:.10g}")


# -- Table 3 ------------------------------------------------------------------------------------------------------

SYMMETRY = {True: "asymmetric", False: "symmetric", "T": "asymmetric", "ST": "symmetric"}


def table_3(cells: Sequence[Record]) -> Table:
    """Latency and memory by attention, resolution, frames and size."""
    labels = ("attention", "resolution", "frames")
    columns = tuple(
        Column(head, "lower", ranked=False) for head in ("256 px s", "256 px GiB", "512 px s", "512 px GiB")
    )
    rows = tuple(
        Row((SYMMETRY[attention], SYMMETRY[resolution], f"{frames} (1 → {frames - 1})"), numbers(*rest))
        for attention, resolution, frames, *rest in TABLE_3
    )
    title = f"{AS_REPORTED}, Table 3: one A100 80GB, bf16, 25 DDIM steps, seconds a clip"
    blocks = [Block(title, True, labels, columns, rows, ARXIV)]
    for machine, model in sorted({(c["machine"], c["cell"]["model"]) for c in cells}):
        own = [c for c in cells if (c["machine"], c["cell"]["model"]) == (machine, model)]
        blocks.append(costs(machine, model, own, labels))
    if not cells:
        row = Row(("not measured", "–", "–"), (MISSING,) * len(columns))
        blocks.append(Block("Ours", False, labels, columns, (row,), "efficiency", RUN.format("efficiency")))
    notes = (
        "Asymmetric attention: temporal attention in the generator. Asymmetric resolution: the planner works at low "
        "resolution; at 256 px the paper prints one cell for both. Ours: median, fastest and slowest of some repeats.",
    )
    return Table("table-3", "Latency and peak memory of image-to-video", tuple(blocks), notes)


def costs(machine: str, model: str, cells: Sequence[Record], labels: tuple[str, ...]) -> Block:
    """One of our models on one machine; its weights are random, since neither time nor memory depends on them."""
    places = ("attention", "resolution", "frames", "size")
    found = {tuple(record["cell"][name] for name in places): record for record in cells}
    sizes = sorted({size for *_, size in found})
    columns = tuple(
        Column(f"{size} px {unit}", "lower", decimals, ranked=False)
        for size in sizes
        for unit, decimals in (("s", 3), ("GiB", 2))
    )
    rows = []
    for attention, resolution, frames in sorted({key[:3] for key in found}, key=lambda key: (key[2], *key)):
        records = [found.get((attention, resolution, frames, size)) for size in sizes]
        row = tuple(of_cell(record, name) for record in records for name in ("latency", "memory"))
        rows.append(Row((SYMMETRY[attention], resolution, f"{frames} (1 → {frames - 1})"), row))
    title = f"Ours: {model} with random weights on {machine}, 25 DDIM steps, guidance 2.5, seconds a clip"
    source = f"efficiency/{machine}"
    return Block(title, False, labels, columns, tuple(rows), source, run_on(machine, "efficiency"))


# -- Table 4 ------------------------------------------------------------------------------------------------------

FOUR = (
    ("MidF-SSIM", "higher", 4, ("ssim_vidim_mid",)),
    ("MidF-LPIPS", "lower", 4, ("lpips_alex_mid", "lpips_alex_random_mid")),
    ("FID", "lower", 2, ("fid_all", "fid_random_all")),
    ("FVD", "lower", 2, ("fvd", "fvd_random")),
)
"""Columns of Table 4: name, direction, decimals, columns of our records (pretrained features before random ones)."""
SAME = {
    "DAVIS-7": {"davis": "DAVIS-7", "vidim": "DAVIS-7, clips of VIDIM's site"},
    "UCF101-7": {"ucf101": "UCF101-7"},
}
"""The paper's data sets: ours that are (a part of) them, and how these are called."""


def table_4(groups: Sequence[Group]) -> Table:
    """Zero-shot interpolation on DAVIS-7 and UCF101-7."""
    blocks = []
    for place, (dataset, ours) in enumerate(SAME.items(), start=1):
        columns = tuple(Column(name, better, decimals) for name, better, decimals, _ in FOUR)
        rows = tuple(Row((row[0],), numbers(*row[place])) for row in TABLE_4)  # type: ignore[misc]
        title = f"{AS_REPORTED}, Table 4: {dataset}, all clips, pretrained features"
        blocks.append(Block(title, True, ("method",), columns, rows, ARXIV))
        known = [
            four(group, ours[group.dataset])
            for group in groups
            if group.task == "interpolation" and group.dataset in ours
            if group.first["frames"]["given"] == [0, 8] and group.first["frames"]["clip"] == 9
            if group.side is None
        ]
        name = next(iter(ours))
        command = f"python -m eval.interpolation --dataset {name} --output benchmarks/results"
        none = Row(("not measured",), (MISSING,) * 4)
        empty = Block(f"Ours: {dataset}", False, ("method",), columns, (none,), "interpolation", command)
        blocks += known or [empty]
    notes = (
        "Ours are measured on the clips and with the features named in each block: they show the order of systems, "
        "and compare with no reported number.",
    )
    return Table("table-4", "Zero-shot interpolation on VIDIM-Bench", tuple(blocks), notes)


def four(group: Group, called: str) -> Block:
    """The four columns of Table 4 for one set of clips."""
    columns, cells = [], {variant: [] for variant in group.records}
    for name, better, decimals, ours in FOUR:
        known = [found for record in group.records.values() if (found := metric(record, ours))]
        random = bool(known) and "_random" in known[0][0]
        columns.append(Column(f"{name}{RANDOM if random else ''}", better, decimals))
        for variant, cell in metric_cells(group, known[0][0] if known else ours[0]).items():
            cells[variant].append(cell)
    rows = tuple(Row((variant,), tuple(row)) for variant, row in cells.items())
    title = f"Ours: {called}, {group.clips}"
    return Block(title, False, ("method",), tuple(columns), rows, group.path, group.command, group.again)


def metric_cells(group: Group, name: str) -> dict[str, Cell]:
    """Variant -> its cell of a metric; those that cannot be told from the best one are marked."""
    entries = {variant: record["metrics"].get(name) for variant, record in group.records.items()}
    known = {variant: entry for variant, entry in entries.items() if entry and entry["value"] is not None}
    ties: set[str] = set()
    if len(known) > 1:
        choose: Callable[..., str] = max if next(iter(known.values()))["higher_is_better"] else min
        ties = tied(group, name, choose(known, key=lambda variant: known[variant]["value"]))
    return {
        variant: of_entry(entry, group.origin(variant, name), variant in ties)
        for variant, entry in entries.items()
    }


# -- Table 5 ------------------------------------------------------------------------------------------------------

VBENCH = (
    ("I2V-Subj", "i2v_subject"),
    ("I2V-Bg", "i2v_background"),
    ("Quality with DD", "mardini_vq_dd"),
    ("Quality", "mardini_vq"),
    ("VBench Avg.", "vbench_avg"),
)


def table_5(results: Results, efficiency: Sequence[Record]) -> Table:
    """Image-to-video on VBench: scores of our videos of its pictures, and seconds a frame of our models."""
    labels = ("method", "resolution", "images")
    columns = (Column("s / frame", "lower"), *(Column(name, "higher") for name, _ in VBENCH))
    rows = tuple(
        Row((name, size.replace("x", "×"), "yes" if images else "no"), numbers(latency, *scores))
        for name, size, images, latency, scores in TABLE_5
    )
    title = f"{AS_REPORTED}, Table 5: VBench-I2V, latency on one A100"
    blocks = [Block(title, True, labels, columns, rows, ARXIV)]
    own = []
    for name, path in files(results, "vbench/*/record.json").items():
        record = read_json(path)
        scores = [of_entry(record["columns"].get(key), f"{name}#{key}") for _, key in VBENCH]
        size = record["resolution"].replace("x", "×")
        own.append(Row((record["variant"], size, "no"), (MISSING, *scores)))
    none = Row(("not measured", "–", "–"), (MISSING,) * len(columns))
    command = "python -m eval.vbench read JSON --results DIR --output benchmarks/results"
    blocks.append(Block("Ours: scores", False, labels, columns, tuple(own) or (none,), "vbench", command))
    blocks += [per_frame(machine, efficiency) for machine in dict.fromkeys(c["machine"] for c in efficiency)]
    notes = (
        "images: pre-trained on images. Ours, seconds a frame: with the codec, guidance 2.5, 25 DDIM steps.",
    )
    return Table("table-5", "Image-to-video on VBench-I2V", tuple(blocks), notes)


def per_frame(machine: str, cells: Sequence[Record]) -> Block:
    """Seconds a generated frame of our models on one machine."""
    columns = (Column("s / frame", "lower", 3, ranked=False),)
    own = [c for c in cells if c["machine"] == machine and c["cell"]["resolution"] == "asymmetric"]
    rows = []
    for record in sorted(own, key=lambda r: (r["cell"]["size"], r["cell"]["model"], r["cell"]["frames"])):
        cell = record["cell"]
        name = f"{cell['model']}/{cell['attention']}-{cell['frames']}"
        row = (of_cell(record, "seconds_per_frame"),)
        rows.append(Row((name, f"{cell['size']}×{cell['size']}"), row))
    title = f"Ours: seconds a frame with random weights on {machine}"
    labels = ("method", "resolution")
    return Block(
        title, False, labels, columns, tuple(rows), f"efficiency/{machine}", run_on(machine, "efficiency")
    )
