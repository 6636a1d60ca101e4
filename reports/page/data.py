"""What the page knows, as JSON: tables, numbers of figures, clips, and the records that all of it is from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports.figure import Figure
from reports.records import Results, files, read_json
from reports.render import origin
from reports.style import as_csv
from reports.table import Block, Table

LONGEST = 40
"""Numbers of a list that are shown of a record; longer ones are curves and replicates."""
SHARED = 120
"""Letters of a part of a record that is kept once if it comes again."""


def of_table(table: Table) -> dict[str, Any]:
    """A table as the page shows it, with where every number is from."""
    blocks = [of_block(block) for block in table.blocks]
    return {"name": table.name, "title": table.called, "blocks": blocks, "notes": table.remarks}


def of_block(block: Block) -> dict[str, Any]:
    """A block."""
    rows = []
    for row in block.rows:
        cells = []
        for number, (cell, column) in enumerate(zip(row.cells, block.columns, strict=True)):
            told: dict[str, Any] = {"text": cell.text(column.decimals)}
            extra = {
                "value": cell.value,
                "interval": cell.interval(column.decimals),
                "n": cell.n,
                "best": block.is_best(row, number),
                "tied": cell.tied,
                "origin": list(cell.origin),
            }
            cells.append(
                told
                | {
                    name: value  # 0 is a value, False is none
                    for name, value in extra.items()
                    if not (value is None or value is False or value in ("", []))
                }
            )
        rows.append({"labels": list(row.labels), "cells": cells})
    return {
        "title": block.title,
        "reported": block.reported,
        "labels": list(block.labels),
        "columns": [{"heading": column.heading, "better": column.better} for column in block.columns],
        "rows": rows,
        "origin": origin(block),
        "source": block.source,
        "command": block.command,
        "again": list(block.again),
    }


def of_figures(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """Names, captions and plotted numbers."""
    return [
        {"name": f.name, "title": f.title, "numbers": as_csv(f.rows), "command": f.command} for f in figures
    ]


def records(tables: Sequence[Table], results: Results) -> dict[str, Any]:
    """The records that the tables are from: path -> record, and the parts that several of them share.

    A shared part stands as ``{"$": number}`` in its place.
    """
    cells = [cell for table in tables for block in table.blocks for row in block.rows for cell in row.cells]
    wanted = sorted({name.partition("#")[0] for cell in cells for name in cell.origin})
    paths = {}
    for folder in dict.fromkeys(name.split("/")[0] for name in wanted):
        paths |= files(results, f"{folder}/**/*.json")
    whole = {name: shortened(read_json(paths[name])) for name in wanted}
    seen: dict[str, int] = {}
    for record in whole.values():
        count(record, seen)
    shared: dict[str, int] = {}
    parts: list[Any] = []
    told = {name: folded(record, seen, shared, parts) for name, record in whole.items()}
    return {"records": told, "shared": parts}


def shortened(value: Any) -> Any:
    """Without long lists, which are curves and replicates."""
    if isinstance(value, Mapping):
        return {name: shortened(part) for name, part in value.items()}
    if isinstance(value, list):
        if len(value) > LONGEST:
            return f"{len(value)} values, see the record"
        return [shortened(part) for part in value]
    return value


def count(value: Any, seen: dict[str, int]) -> None:
    """How often each large part comes."""
    if isinstance(value, Mapping):
        text = json.dumps(value)
        if len(text) >= SHARED:
            seen[text] = seen.get(text, 0) + 1
        for part in value.values():
            count(part, seen)


def folded(value: Any, seen: Mapping[str, int], shared: dict[str, int], parts: list[Any]) -> Any:
    """With parts that come again replaced by their number."""
    if not isinstance(value, Mapping):
        return value
    text = json.dumps(value)
    if seen.get(text, 0) > 1:
        if text not in shared:
            shared[text] = len(parts)
            parts.append(value)
        return {"$": shared[text]}
    return {name: folded(part, seen, shared, parts) for name, part in value.items()}
