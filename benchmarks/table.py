"""A suite's records as text of at most 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.suite import Record, Suite

WIDTH = 100


def table(suite: Suite, machine: str, records: Sequence[Record]) -> str:
    """What all cells share in a line, then a row a cell: its axes and its numbers, or why it has none; the summary."""
    cells = [record["cell"] for record in records]
    shared = [name for name in suite.fields if len({str(cell[name]) for cell in cells}) == 1]
    varied = [name for name in suite.fields if name not in shared]
    common = ", ".join(f"{name} {cells[0][name]}" for name in shared)
    title = f"{suite.name} on {machine}" + (f": {common}" if common else "")
    shown = [column for column in suite.shown if any(has(record, column.name) for record in records)]
    ordered = sorted(records, key=lambda record: [position(record["cell"][name]) for name in varied])
    header = [*varied, *(column.heading for column in shown)]
    rows = []
    for record in ordered:
        labels = [str(record["cell"][name]) for name in varied]
        if record["status"] != "done":
            rows.append([*labels, f"failed: {record['error']['sentence']}"])
        else:
            rows.append([*labels, *(number(record, c.name, c.decimals, c.scale) for c in shown)])
    parts = [fold(title), layout(header, rows, len(varied))]
    if any("*" in column.heading for column in shown):
        parts.append("* of detectors with random weights: these compare with nothing published")
    if suite.summary is not None and (told := suite.summary(records)):
        parts.append("\n".join(fold(line) for line in told.splitlines()))
    return "\n\n".join(part for part in parts if part)


def position(value: Any) -> tuple[int, float, str]:
    """Order of axis values: numbers by size, then words."""
    return (0, value, "") if isinstance(value, int | float) else (1, 0.0, str(value))


def has(record: Record, name: str) -> bool:
    return record["values"].get(name, {}).get("value") is not None


def number(record: Record, name: str, decimals: int, scale: float) -> str:
    """A value as printed; ``-`` where a record has none."""
    entry: Mapping[str, Any] = record["values"].get(name, {})
    value = entry.get("value")
    return "-" if value is None else f"{scale * value:.{decimals}f}"


def layout(header: Sequence[str], rows: Sequence[Sequence[str]], labels: int) -> str:
    """Aligned columns; those beyond the width follow in further blocks with the labels repeated.

    A row that ends early holds a sentence in its last place, which is cut at the width.
    """
    whole = [row for row in rows if len(row) == len(header)]
    widths = [max(len(line[i]) for line in [header, *whole]) for i in range(len(header))]
    for i in range(labels):
        widths[i] = max(widths[i], *(len(row[i]) for row in rows))
    blocks, start = [], labels
    while start < len(header) or not blocks:
        places, width = list(range(labels)), sum(widths[:labels]) + 2 * max(0, labels - 1)
        while start < len(header) and (len(places) == labels or width + 2 + widths[start] <= WIDTH):
            width += 2 + widths[start]
            places.append(start)
            start += 1
        lines = [line(header, places, widths, labels), "-" * min(WIDTH, width)]
        lines += [line(row, places, widths, labels) for row in rows]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def line(row: Sequence[str], places: Sequence[int], widths: Sequence[int], labels: int) -> str:
    """One line of a block: labels to the left, numbers to the right; a sentence is written out and cut."""
    words = [row[i].ljust(widths[i]) for i in places[:labels]]
    if len(row) > labels and len(row) < len(widths) and max(places) >= len(row):
        words.append(row[-1])
    else:
        words += [row[i].rjust(widths[i]) for i in places[labels:] if i < len(row)]
    return "  ".join(words).rstrip()[:WIDTH]


def fold(text: str) -> str:
    """A text broken at spaces into lines of the width."""
    import textwrap

    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_long_words=False)
