"""A suite's records as text of at most 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.suite import Record, Suite

WIDTH = 100
Row = tuple[Sequence[str], Sequence[str] | str]
"""Labels, and cells or the sentence that stands in their place."""


def table(suite: Suite, machine: str, records: Sequence[Record]) -> str:
    """What all cells share in a line, then a row a cell: its axes and its numbers, or why it has none; the summary."""
    cells = [record["cell"] for record in records]
    shared = [name for name in suite.fields if len({str(cell[name]) for cell in cells}) == 1]
    varied = [name for name in suite.fields if name not in shared]
    common = ", ".join(f"{name} {cells[0][name]}" for name in shared)
    title = f"{suite.name} on {machine}" + (f": {common}" if common else "")
    shown = [column for column in suite.shown if any(has(record, column.name) for record in records)]
    ordered = sorted(records, key=lambda record: [position(record["cell"][name]) for name in varied])
    rows: list[Row] = [(varied, [column.heading for column in shown])]
    for record in ordered:
        labels = [str(record["cell"][name]) for name in varied]
        if record["status"] != "done":
            rows.append((labels, f"failed: {record['error']['sentence']}"))
        else:
            rows.append((labels, [number(record, c.name, c.decimals, c.scale) for c in shown]))
    parts = [fold(title), layout(rows)]
    if any("*" in column.heading for column in shown):
        parts.append("* of detectors with random weights: these compare with nothing published")
    if suite.summary is not None and (told := suite.summary(records)):
        parts.append("\n".join(fold(line) for line in told.splitlines()))
    return "\n\n".join(part for part in parts if part)


def position(value: Any) -> tuple[int, float, str]:
    """Order of axis values: numbers by size, then words."""
    return (0, value, "") if isinstance(value, int | float) else (1, 0.0, str(value))


def has(record: Record, name: str) -> bool:
    """Whether a record holds a number under ``name``."""
    return record["values"].get(name, {}).get("value") is not None


def number(record: Record, name: str, decimals: int, scale: float) -> str:
    """A value as printed; ``-`` where a record has none."""
    entry: Mapping[str, Any] = record["values"].get(name, {})
    value = entry.get("value")
    return "-" if value is None else f"{scale * value:.{decimals}f}"


def layout(rows: Sequence[Row]) -> str:
    """Aligned columns, the header first; those beyond the width follow in further blocks with the labels repeated."""
    whole = [row[1] for row in rows if not isinstance(row[1], str)]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    places = [max(map(len, column)) for column in zip(*(labels for labels, _ in rows), strict=True)]
    left = sum(width + 2 for width in places)
    blocks, start = [], 0
    while start < len(widths) or not blocks:
        stop, width = start, left
        while stop < len(widths) and (stop == start or width + widths[stop] <= WIDTH):
            width += widths[stop] + 2
            stop += 1
        lines = [line(row, places, widths, range(start, stop)) for row in rows]
        lines.insert(1, "-" * min(WIDTH, max(0, width - 2)))
        blocks.append("\n".join(lines))
        start = stop
    return "\n\n".join(blocks)


def line(row: Row, places: Sequence[int], widths: Sequence[int], shown: range) -> str:
    """One line of a block: labels to the left, numbers to the right; a sentence is written out and cut."""
    labels, cells = row
    words = [label.ljust(width) for label, width in zip(labels, places, strict=True)]
    words += [cells] if isinstance(cells, str) else [cells[i].rjust(widths[i]) for i in shown]
    return "  ".join(words).rstrip()[:WIDTH]


def fold(text: str) -> str:
    """A text broken at spaces into lines of the width."""
    import textwrap

    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_long_words=False)
