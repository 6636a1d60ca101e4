"""Records as the tables of VIDIM-Bench: the middle frame, then all generated frames.

Only records of the same clips, protocol and metric definitions share a table; anything else is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mardini.errors import UserError

if TYPE_CHECKING:
    from eval.comparison import Comparison, Difference

WIDTH = 100  # characters
TITLES = {"middle": "Middle frame", "all": "All generated frames"}
BEST, TIED = "*", "≈"
SIGNIFICANT = 0.05
INSTEAD = {"psnr_all": "psnr_clip", "ssim_std_all": "ssim_vidim_all"}  # column -> printed in its place


def tables(
    records: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    absent: Sequence[str] = (),
    to_best: Comparison | None = None,
) -> str:
    """Both tables of the records of several systems, best value of each column marked ``*``.

    Args:
        records: as ``record.json`` holds them, in the order to print.
        columns: names of those to print, in order; each must be in every record.
        absent: names of columns that could not be had; they show ``n/a``.
        to_best: every system compared with the best of each column; those that cannot be told from it are
            marked ``≈``.

    Raises:
        UserError: the records are of different clips, protocols or metrics.
    """
    comparable(records, columns)
    shown = printed([*columns, *absent])
    blocks = []
    for where, title in TITLES.items():
        names = [name for name in shown if name.endswith("_mid") == (where == "middle")]
        if names:
            found = [name for name in names if name not in absent]
            missing = [label(name) for name in names if name in absent]
            blocks.append(table(f"{title}: {counts(records, found)}", records, found, missing, to_best or {}))
    return "\n\n".join(blocks)


def printed(columns: Sequence[str]) -> list[str]:
    """Columns without those that only the record shows: where a clip-wise or VIDIM form is there too."""
    hidden = {name for name, other in INSTEAD.items() if other in columns}
    return [name for name in columns if name not in hidden]


def label(column: str) -> str:
    """``psnr_mid`` -> ``psnr``: the table's title says which frames."""
    return column.removesuffix("_mid").removesuffix("_all")


def full_label(column: str) -> str:
    """``fid_mid`` -> ``fid (mid)``: where no title says which frames."""
    return label(column) + (" (mid)" if column.endswith("_mid") else "")


def counts(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """How much data stands behind a table: ``n = 30 clips of 10 videos, fid on 210 frames``."""
    data, first = records[0]["dataset"], records[0]["metrics"]
    samples = {label(name): first[name]["n"] for name in names}
    other = [f"{name} on {n} frames" for name, n in samples.items() if n != data["clips"]]
    return ", ".join([f"n = {data['clips']} clips of {data['sources']} videos", *other])


def comparable(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Refuse records whose numbers do not belong side by side."""
    first = records[0]
    for record in records[1:]:
        for what, value in (
            ("protocols", lambda r: r["protocol"]),
            ("clips", lambda r: (r["dataset"]["name"], r["dataset"]["clips"], r["dataset"]["pixels_sha256"])),
        ):
            if value(record) != value(first):
                raise UserError(
                    f"{first['variant']} and {record['variant']} are of different {what} ({told(value(first))} "
                    f"and {told(value(record))}): give each its own table"
                )
        for name in columns:
            if name not in record["metrics"] or name not in first["metrics"]:
                raise UserError(
                    f"{record['variant'] if name in first['metrics'] else first['variant']} has no {name}: "
                    "compute it with the same command and --metrics, or leave the column out"
                )
            ours, theirs = record["metrics"][name], first["metrics"][name]
            if ours["metric"] != theirs["metric"] or ours["n"] != theirs["n"]:
                raise UserError(
                    f"{name} of {first['variant']} and of {record['variant']} differ in version, variant, weights "
                    "or number of samples: score both with the same command"
                )


def told(value: Any) -> str:
    """A value of ``comparable`` in an error: hashes shortened."""
    return " ".join(str(part)[:12] for part in value) if isinstance(value, tuple) else str(value)


def table(
    title: str,
    records: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    missing: Sequence[str] = (),
    to_best: Comparison | None = None,
) -> str:
    """One table. Too long lines are avoided by intervals below the values, then by cutting it in two."""
    first = records[0]["metrics"]
    header = ["system", *(heading(name, first[name]) for name in names), *missing]
    rows: list[list[tuple[str, str]]] = []
    for record in records:
        cells = [(record["variant"], "")]
        for name in names:
            entry = record["metrics"][name]
            mark = marked(records, name, record["variant"], to_best or {})
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
                table(title, records, names[:half], (), to_best),
                table(f"{title}, continued", records, names[half:], missing, to_best),
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
    """``[20.1, 22.0]``, or nothing where there is none."""
    if entry["low"] is None or entry["high"] is None:
        return ""
    return bounds(entry["low"], entry["high"], entry["decimals"])


def bounds(low: float, high: float, decimals: int) -> str:
    """An interval with a decimal less than the value's ``decimals``, or as many where it is narrower than two steps."""
    less = max(0, decimals - 1)
    shown = less if high - low >= 2 * 10.0**-less else decimals
    return f"[{low:.{shown}f}, {high:.{shown}f}]"


def best(records: Sequence[Mapping[str, Any]], name: str) -> set[str]:
    """Variants whose printed value is the best of the column; none where there is nothing to compare."""
    entries = {record["variant"]: record["metrics"][name] for record in records}
    values = {v: round(e["value"], e["decimals"]) for v, e in entries.items() if e["value"] is not None}
    if len(values) < 2:
        return set()
    higher = next(iter(entries.values()))["higher_is_better"]
    top = max(values.values()) if higher else min(values.values())
    return {variant for variant, value in values.items() if value == top}


def marked(records: Sequence[Mapping[str, Any]], name: str, variant: str, to_best: Comparison) -> str:
    """``*`` for the best of a column, ``≈`` for what cannot be told from it."""
    if variant in best(records, name):
        return BEST
    difference = to_best.get(name, {}).get(variant)
    return (
        TIED if difference is not None and difference.p is not None and difference.p >= SIGNIFICANT else " "
    )


def differences(
    records: Sequence[Mapping[str, Any]], names: Sequence[str], found: Comparison, against: str
) -> str:
    """Every other system's difference to ``against``, with its interval and p-value."""
    title = (
        f"Difference to {against}, clip by clip: [low, high] 95 % interval over source videos, two-sided p"
    )
    first = records[0]["metrics"]
    blocks = []
    room = 3
    for start in range(0, len(names), room):
        part = names[start : start + room]
        rows = [["system", *(full_label(name) for name in part)]]
        for record in records:
            if record["variant"] != against:
                cells = [difference(found[name][record["variant"]], first[name]["decimals"]) for name in part]
                rows.append([record["variant"], *cells])
        blocks.append("\n".join(render(rows)))
    return "\n\n".join([f"{title}\n{blocks[0]}", *blocks[1:]])


def difference(found: Difference, decimals: int) -> str:
    """``+1.23 [0.9, 1.6] p 0.002``."""
    text = f"{found.value:+.{decimals}f}"
    if found.low is None or found.high is None or found.p is None:
        return text
    p = "p < 0.001" if found.p < 0.001 else f"p {found.p:.3f}"
    return f"{text} {bounds(found.low, found.high, decimals)} {p}"


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
        "*: best of the column; ≈: not to be told from it (paired over source videos, p >= 0.05).",
        "[low, high]: 95 % intervals over source videos: percentile bootstrap for means of clips, jackknife",
        "for distances of sets.",
    ]
    if any(entry["low"] is None for entry in entries.values()):
        lines.append("no interval: all clips come from one video, or too few are left when one is left out.")
    if random := [name for name in columns if "_random" in name]:
        lines.append(
            f"random weights: {', '.join(unique(label(name) for name in random))}. Such numbers compare with"
        )
        lines.append("nothing published; --features pretrained computes the real ones.")
    poor = {
        full_label(name): (entry["n"], entry["dimensions"])
        for name, entry in entries.items()
        if entry.get("dimensions")
        and entry["n"] <= entry["dimensions"]
        and not name.startswith("kid")  # which is unbiased
    }
    for name, (n, dimensions) in poor.items():
        lines.append(
            f"{name}: {n} samples of {dimensions} features: rank deficient, biased up, compare at equal n."
        )
    floors = {name: entry["floor"] for name, entry in entries.items() if entry.get("floor")}
    if floors:
        known = ", ".join(
            f"{full_label(n)} {f['value']:.{entries[n]['decimals']}f}" for n, f in floors.items()
        )
        lines.append(
            "floor, one half of the true videos against the other (half the samples, so biased up more):"
        )
        lines.append(f"{known}.")
    hidden = [name for name in columns if name not in printed(columns)]
    if hidden:
        lines.append(f"the records also hold {', '.join(hidden)}.")
    return lines


def unique(items: Iterable[str]) -> list[str]:
    """Items once each, in order."""
    return list(dict.fromkeys(items))
