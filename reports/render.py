"""Tables as Markdown and CSV."""

from __future__ import annotations

import csv
import io

from reports.table import Block, Row, Table


def markdown(table: Table) -> str:
    """A heading, a Markdown table a block, the notes."""
    parts = [f"### {table.called}\n"]
    for block in table.blocks:
        parts.append(f"**{block.title}**\n")
        header = [*block.labels, *(column.heading for column in block.columns)]
        rule = [*["---"] * len(block.labels), *["---:"] * len(block.columns)]
        lines = [header, rule, *(_cells(block, row) for row in block.rows)]
        parts.append("".join(f"| {' | '.join(line)} |\n" for line in lines))
        parts.append(f"<sub>{origin(block)}</sub>\n")
    parts += [f"{note}\n" for note in table.remarks]
    return "\n".join(parts)


def _cells(block: Block, row: Row) -> list[str]:
    """A row as words, the best of a column in bold, intervals behind values."""
    line = list(row.labels)
    for number, (cell, column) in enumerate(zip(row.cells, block.columns, strict=True)):
        text = cell.text(column.decimals)
        text = f"**{text}**" if block.is_best(row, number) else f"{text}≈" if cell.tied else text
        line.append(f"{text} {cell.interval(column.decimals)}".strip())
    return line


def origin(block: Block) -> str:
    """``from arXiv:2410.20280``, or ``benchmarks/results/...: `command` ``."""
    if block.reported:
        return f"as reported in {block.source}"
    missing = f"{block.missing} missing (–). " if block.missing else ""
    again = "".join(f", and again with `{options}`" for options in block.again)
    return f"{missing}Records: {block.source}. Made by `{block.command}`{again}"


def as_csv(table: Table) -> str:
    """Every number unrounded, a line a cell, with the records that it is from."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["block", "reported", "row", "column", "value", "low", "high", "n", "word", "source", "origin"]
    )
    for block in table.blocks:
        for row in block.rows:
            for cell, column in zip(row.cells, block.columns, strict=True):
                writer.writerow(
                    [
                        block.title,
                        "yes" if block.reported else "no",
                        " / ".join(label for label in row.labels if label),
                        column.name,
                        *("" if v is None else repr(v) for v in (cell.value, cell.low, cell.high, cell.n)),
                        cell.word,
                        block.source,
                        " ".join(cell.origin),
                    ]
                )
    return out.getvalue()
