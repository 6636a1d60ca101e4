"""Records as the tables of VIDIM-Bench: the middle frame, then all generated frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WIDTH = 100  # characters
TITLES = {"middle": "Middle frame", "all": "All generated frames"}
INSTEAD = {"psnr_all": "psnr_clip", "ssim_std_all": "ssim_vidim_all"}  # column -> printed in its place


def tables(records: Sequence[Mapping[str, Any]], columns: Sequence[str], absent: Sequence[str] = ()) -> str:
    """Both tables of the records of several systems, best value of each column marked ``*``.

    Args:
        records: as ``record.json`` holds them, in the order to print.
        columns: names of those to print, in order; each must be in every record.
        absent: names of columns that could not be had; they show ``n/a``.
    """
    shown = printed([*columns, *absent])
    blocks = []
    for where, title in TITLES.items():
        names = [name for name in shown if name.endswith("_mid") == (where == "middle")]
        if names:
            found = [name for name in names if name not in absent]
            missing = [label(name) for name in names if name in absent]
            blocks.append(table(f"{title}: {counts(records, found)}", records, found, missing))
    return "\n\n".join(blocks)


def printed(columns: Sequence[str]) -> list[str]:
    """Columns without those that only the record shows: where a clip-wise or VIDIM form is there too."""
    hidden = {name for name, other in INSTEAD.items() if other in columns}
    return [name for name in columns if name not in hidden]


def label(column: str) -> str:
    """``psnr_mid`` -> ``psnr``: the table's title says which frames."""
    return column.removesuffix("_mid").removesuffix("_all")


def counts(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """How much data stands behind a table: ``n = 30 clips of 10 videos, fid on 210 frames``."""
    data, first = records[0]["dataset"], records[0]["metrics"]
    samples = {label(name): first[name]["n"] for name in names}
    other = [f"{name} on {n} frames" for name, n in samples.items() if n != data["clips"]]
    return ", ".join([f"n = {data['clips']} clips of {data['sources']} videos", *other])


def table(
    title: str, records: Sequence[Mapping[str, Any]], names: Sequence[str], missing: Sequence[str] = ()
) -> str:
    """One table. Too long lines are avoided by intervals below the values, then by cutting it in two."""
    first = records[0]["metrics"]
    header = ["system", *(heading(name, first[name]) for name in names), *missing]
    marks = {name: best(records, name) for name in names}
    rows: list[list[tuple[str, str]]] = []
    for record in records:
        cells = [(record["variant"], "")]
        for name in names:
            entry = record["metrics"][name]
            mark = "*" if record["variant"] in marks[name] else " "
            cells.append((number(entry["value"], entry["decimals"]) + mark, interval(entry)))
        rows.append(cells + [("n/a ", "")] * len(missing))
    beside = [[f"{value} {extra}".rstrip(" ") if extra else value for value, extra in row] for row in rows]
    lines = beside
    if length([header, *beside]) > WIDTH:
        lines = [line for row in rows for line in ([c[0] for c in row], [c[1] for c in row])]
    if length([header, *lines]) > WIDTH and len(names) > 1:
        half = (len(names) + 1) // 2
        return "\n\n".join(
            [
                table(title, records, names[:half]),
                table(f"{title}, continued", records, names[half:], missing),
            ]
        )
    return "\n".join([title, *render([header, *lines])])


def heading(column: str, entry: Mapping[str, Any]) -> str:
    """``psnr ↑`` or ``fid ↓``."""
    return f"{label(column)} {'↑' if entry['higher_is_better'] else '↓'}"


def number(value: float | None, decimals: int) -> str:
    """Fixed decimals; ``n/a`` for what could not be computed."""
    return "n/a" if value is None else f"{value:.{decimals}f}"


def interval(entry: Mapping[str, Any]) -> str:
    """``[20.1, 22.0]`` with a decimal less than the value, or nothing where there is none."""
    if entry["low"] is None or entry["high"] is None:
        return ""
    decimals = max(0, entry["decimals"] - 1)
    return f"[{entry['low']:.{decimals}f}, {entry['high']:.{decimals}f}]"


def best(records: Sequence[Mapping[str, Any]], name: str) -> set[str]:
    """Variants whose printed value is the best of the column; none where there is nothing to compare."""
    entries = {record["variant"]: record["metrics"][name] for record in records}
    values = {v: round(e["value"], e["decimals"]) for v, e in entries.items() if e["value"] is not None}
    if len(values) < 2:
        return set()
    higher = next(iter(entries.values()))["higher_is_better"]
    top = max(values.values()) if higher else min(values.values())
    return {variant for variant, value in values.items() if value == top}


def widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Characters of the widest cell of each column."""
    return [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]


def length(rows: Sequence[Sequence[str]]) -> int:
    """Characters of a line of the table."""
    return sum(widths(rows)) + 2 * (len(rows[0]) - 1)


def render(rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned lines with a rule under the header."""
    size = widths(rows)
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, size, strict=True)).rstrip() for row in rows]
    return [lines[0], "-" * min(WIDTH, length(rows)), *lines[1:]]


def notes(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """What a reader of the tables must know, one line each."""
    entries = {name: records[0]["metrics"][name] for name in columns}
    lines = [
        "*: best of the column. [low, high]: 95 % intervals over source videos: percentile bootstrap for",
        "means of clips, jackknife for fid and fvd.",
    ]
    if any(entry["low"] is None for entry in entries.values()):
        lines.append("no interval: all clips come from one video, or too few are left when one is left out.")
    if random := [name for name in columns if "_random" in name]:
        lines.append(
            f"random weights: {', '.join(unique(label(name) for name in random))}. Such numbers compare with"
        )
        lines.append("nothing published; --features pretrained computes the real ones.")
    poor = {
        label(name): (entry["n"], entry["dimensions"])
        for name, entry in entries.items()
        if entry.get("dimensions") and entry["n"] <= entry["dimensions"]
    }
    for name, (n, dimensions) in poor.items():
        lines.append(
            f"{name}: {n} samples of {dimensions} features: rank deficient, biased up, compare at equal n."
        )
    hidden = [name for name in columns if name not in printed(columns)]
    if hidden:
        lines.append(f"the records also hold {', '.join(hidden)}.")
    return lines


def unique(items: Iterable[str]) -> list[str]:
    """Items once each, in order."""
    return list(dict.fromkeys(items))
