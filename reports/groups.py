"""Tables of our own: every column of a set of clips, differences between systems, and the speed of the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.paired import difference
from reports.records import MODEL, Group, Record, Results, read_cells, read_groups
from reports.table import MISSING, RANDOM, Block, Cell, Column, Row, Table
from reports.tables import RUN, metric_cells, of_cell, same

ORDER = ("psnr", "psnr_clip", "ssim", "lpips", "dists", "fid", "kid", "fvd")
"""Columns in the order of the field's tables, by the beginning of their names; others follow."""
ACROSS = 7
"""Columns of a block, so that it fits a page."""


def own_tables(results: Results) -> list[Table]:
    """A table for every set of clips, of the codec and of what it allows, and of the metrics' speed."""
    return [
        *(of_group(group) for group in read_groups(results)),
        *codec(read_cells(results, "codec")),
        *ceiling(read_cells(results, "ceiling")),
        *speed(read_cells(results, "metric-speed")),
    ]


def of_group(group: Group) -> Table:
    """All columns, those of the middle frame first; then the model's difference to every other system."""
    names = columns(group)
    middle = [name for name in names if name.endswith("_mid")]
    rest = [name for name in names if name not in middle]
    blocks = []
    for title, part in (("Middle frame", middle), ("All generated frames", rest)):
        parts = [part[start : start + ACROSS] for start in range(0, len(part), ACROSS)]
        for number, some in enumerate(parts, start=1):
            more = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
            blocks.append(scores(group, f"{title}, {counts(group, some)}{more}", some))
    blocks += differences(group, names)
    notes = [
        "Intervals: 95 %, over source videos; bootstrap for means of clips, jackknife for distances of sets."
    ]
    notes += floors(group, names)
    return Table(
        f"{group.task}-{group.name}", f"{group.first['protocol']}, {group.task}", tuple(blocks), notes
    )


def columns(group: Group) -> list[str]:
    """Every column that any system has, in the order of the field's tables."""
    names = dict.fromkeys(name for record in group.records.values() for name in record["metrics"])

    def place(name: str) -> tuple[int, str]:
        starts = [number for number, start in enumerate(ORDER) if name.startswith(start)]
        return (max(starts) if starts else len(ORDER)), name

    return sorted(names, key=place)


def heading(group: Group, name: str) -> Column:
    """A column of a group's table, named as the toolkit names it."""
    entry = entry_of(group, name)
    short = name.removesuffix("_mid").removesuffix("_all")
    short = short.replace("_random", "") + (RANDOM if "_random" in name else "")
    return Column(short, "higher" if entry["higher_is_better"] else "lower", entry["decimals"])


def counts(group: Group, names: Sequence[str]) -> str:
    """``8 clips of 8 videos, fid† on 56 frames``."""
    data = group.first["dataset"]
    entries = {heading(group, name).name: entry_of(group, name)["n"] for name in names}
    other = [f"{name} on {n} frames" for name, n in entries.items() if n != data["clips"]]
    return ", ".join([group.clips, *other])


def entry_of(group: Group, name: str) -> Mapping[str, Any]:
    """A metric's entry in the first record that has it."""
    return next(r["metrics"][name] for r in group.records.values() if name in r["metrics"])


def scores(group: Group, title: str, names: Sequence[str]) -> Block:
    """A row a system."""
    heads = tuple(heading(group, name) for name in names)
    found = [metric_cells(group, name) for name in names]
    rows = tuple(Row((variant,), tuple(column[variant] for column in found)) for variant in group.records)
    return Block(title, False, ("system",), heads, rows, group.path, group.command, group.again)


def differences(group: Group, names: Sequence[str]) -> list[Block]:
    """The model's score less every other system's, clip by clip, where per-clip rows are kept."""
    if MODEL not in group.records or len(group.records) < 2:
        return []
    shown = [name for name in names if name.endswith("_mid") or not name.endswith("_all")]
    found: dict[str, dict[str, Cell]] = {}
    for name in shown[: 2 * ACROSS]:
        for variant in group.records:
            known = None if variant == MODEL else difference(group, name, MODEL, variant)
            if known is not None and known.low is not None and known.high is not None:
                origins = tuple(group.origin(v, name) for v in (MODEL, variant))
                low, high = same(known.low), same(known.high)
                cell = Cell(same(known.value), low, high, signed=True, origin=origins)
                found.setdefault(name, {})[variant] = cell
    blocks = []
    kept = list(found)
    for start in range(0, len(kept), 5):
        part = kept[start : start + 5]
        heads = tuple(marked_middle(heading(group, name), name) for name in part)
        others = [v for v in group.records if any(v in found[name] for name in part)]
        rows = tuple(Row((v,), tuple(found[name].get(v, MISSING) for name in part)) for v in others)
        title = f"{MODEL} less each system, clip by clip, {group.clips}"
        blocks.append(Block(title, False, ("system",), heads, rows, group.path, group.command, group.again))
    return blocks


def marked_middle(column: Column, name: str) -> Column:
    """A column of differences: none is best, and the heading says whether it is of the middle frame."""
    return Column(f"{column.heading}{' mid' if name.endswith('_mid') else ''}", None, column.decimals)


def floors(group: Group, names: Sequence[str]) -> list[str]:
    """What no system can be told from the truth by."""
    found = []
    for name in names:
        entry = entry_of(group, name)
        if entry.get("floor"):
            middle = " (mid)" if name.endswith("_mid") else ""
            found.append(
                f"{heading(group, name).name}{middle} {entry['floor']['value']:.{entry['decimals']}f}"
            )
    if not found:
        return []
    return [f"Floor, one half of the true videos against the other (half the samples): {', '.join(found)}."]


def codec(cells: Sequence[Record]) -> list[Table]:
    """The shipped codecs and the best linear one on the frames of each data set."""
    columns = (
        Column("PSNR, dB", "higher", ranked=False),
        Column("PCA, dB", "higher", ranked=False),
        Column("gain, dB"),
    )
    titles = {"nano": "The codec of the models that ship", "mini-codec": "A larger one, for models to come"}
    found: dict[str, list[Row]] = {name: [] for name in titles}
    for record in sorted(
        cells, key=lambda r: [r["cell"][name] for name in ("dataset", "size", "refinement")]
    ):
        names = tuple(of_cell(record, name) for name in ("psnr", "psnr_pca", "gain"))
        cell = record["cell"]
        latents = f"refined, {cell['refinement']} steps" if cell["refinement"] else "encoded"
        row = Row((cell["dataset"], f"{cell['size']} px", latents), names)
        found.setdefault(cell["codec"], []).append(row)
    labels, command = ("frames of", "squares", "latents"), RUN.format("codec")
    blocks = [
        Block(
            f"{titles.get(name, 'Another')} ({name})", False, labels, columns, tuple(rows), "codec", command
        )
        for name, rows in found.items()
        if rows
    ]
    if not blocks:
        return []
    notes = (
        "PCA: of 8 x 8 x 3 blocks to as many numbers as the codec's, fitted to these very frames.",
        "Refined: moved along the decoder's gradient, from what the encoder says; as many numbers.",
    )
    return [Table("codec", "Reconstruction by codec and PCA", tuple(blocks), notes)]


CEILING = (
    ("PSNR, dB", "psnr_clip", 2),
    ("SSIM (mid)", "ssim_vidim_mid", 3),
    (f"LPIPS{RANDOM}", "lpips_alex_random_all", 3),
    (f"FID{RANDOM}", "fid_random_all", 2),
    (f"FVD{RANDOM}", "fvd_random", 2),
)


def ceiling(cells: Sequence[Record]) -> list[Table]:
    """What a perfect model on each shipped codec would score, beside the nearest given frame."""
    found: dict[tuple[str, int, int], dict[tuple[str, ...], Row]] = {}
    for record in sorted(
        cells, key=lambda r: [r["cell"][name] for name in ("dataset", "size", "codec", "detail")]
    ):
        cell = record["cell"]
        rows = found.setdefault((cell["dataset"], cell["size"], cell["clips"]), {})
        for prefix, label in (
            ("", (f"true frames, {cell['codec']}", "carried over" if cell["detail"] else "–")),
            ("repeat_", ("repeat", "–")),
        ):
            row = Row(label, tuple(of_cell(record, prefix + name) for _, name, _ in CEILING))
            rows[label] = rows.pop(label, row)  # repeat last; the same of all codecs
    columns = tuple(
        Column(name, "higher" if name[0] in "PS" else "lower", digits, ranked=False)
        for name, _, digits in CEILING
    )
    blocks = [
        Block(
            f"{dataset}, {size} px, {f'{clips} clips' if clips else 'all clips at hand'}",
            False,
            ("frames", "detail of given ones"),
            columns,
            tuple(rows.values()),
            "ceiling",
            RUN.format("ceiling"),
        )
        for (dataset, size, clips), rows in found.items()
    ]
    if not blocks:
        return []
    notes = (
        "True frames: coded and decoded, at 128 px on the shorter side, as the pipeline does: the frames of a "
        "model whose every latent is right. Those of repeat are real ones.",
    )
    return [Table("ceiling", "What the codec allows: interpolation by a perfect model", tuple(blocks), notes)]


def speed(cells: Sequence[Record]) -> list[Table]:
    """Our metrics against the tools that people use: seconds and memory, a block a machine."""
    blocks = []
    for machine in dict.fromkeys(record["machine"] for record in cells):
        own = [record for record in cells if record["machine"] == machine]
        heads = Column("seconds", None, 3), Column("GiB", None, 2), Column("value", None, 4)
        rows = []
        for record in sorted(
            own, key=lambda r: (r["cell"]["metric"], r["cell"]["frames"], r["cell"]["tool"])
        ):
            cell = record["cell"]
            shape = (
                ""
                if cell["metric"].startswith("frechet")
                else f"{cell['clips']}×{cell['frames']}×{cell['size']}"
            )
            names = ("seconds", "memory", "value")
            row = tuple(of_cell(record, name) for name in names)
            rows.append(Row((cell["metric"], shape, cell["tool"]), row))
        title = f"Seconds and peak memory on {machine}; clips × frames × pixels a side"
        labels = ("metric", "on", "tool")
        source = f"metric-speed/{machine}"
        blocks.append(Block(title, False, labels, heads, tuple(rows), source, RUN.format("metric-speed")))
    if not blocks:
        return []
    return [Table("metric-speed", "Our metrics and the tools that people use", tuple(blocks))]
