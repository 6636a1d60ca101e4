"""Put the page together: template, style, script, and all data inside it."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from reports.page.clips import sets
from reports.page.data import of_figures, of_table, records
from reports.page.pictures import of_figure
from reports.report import PAGE, Report

HERE = Path(__file__).parent
SCRIPTS = ("data.js", "dialogs.js", "tables.js", "figures.js", "clips.js", "player.js", "main.js")
"""In the order in which they run."""


def page(report: Report, figures: Path) -> str:
    """The whole page. ``figures``: folder with the report's pictures as files.

    Clips whose frames are not here are shown from the page made before, where that one holds them.
    """
    before = embedded(report.kept / PAGE, "sheets")
    pictures = {figure.name: of_figure(figure, figures) for figure in report.shown}
    sheets = {
        sheet.name: before[sheet.name] if sheet.frames is None else sheet.picture()
        for _, found in sets(report.groups)
        for sheet in found
        if sheet.frames is not None or sheet.name in before
    }
    parts = {
        "style": (HERE / "style.css").read_text(encoding="utf-8"),
        "script": "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "data": as_json(data(report)),
        "sheets": as_json(sheets),
        "pictures": as_json(pictures),
        "missing": missing(report),
    }
    template = (HERE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def data(report: Report) -> dict[str, Any]:
    """All that the page knows but its pictures; what ``--check`` compares."""
    before = embedded(report.kept / PAGE, "sheets")
    galleries, sheets = [], set()
    for told, found in sets(report.groups):
        here = {sheet.name for sheet in found if sheet.frames is not None or sheet.name in before}
        clips = [clip for clip in told["clips"] if clip["truth"] in here]
        if clips:
            galleries.append({**told, "clips": clips})
            sheets |= here
    return {
        "tables": [of_table(table) for table in report.tables],
        "figures": of_figures(report.shown),
        "sets": galleries,
        "sheets": sorted(sheets),
        **records(report.tables, report.results),
    }


def data_of(path: Path) -> dict[str, Any]:
    """What a page made before knows; nothing where there is none."""
    return embedded(path, "data")


def embedded(path: Path, name: str) -> dict[str, Any]:
    """JSON inside a page made before."""
    if not path.is_file():
        return {}
    found = re.search(
        rf'<script type="application/json" id="{name}">(.*?)</script>', path.read_text("utf-8"), re.DOTALL
    )
    try:
        value = json.loads(found[1]) if found else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def as_json(value: Any) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")


def missing(report: Report) -> str:
    """List items: figures that are missing, and what makes them."""
    items = [
        f"<li>{html.escape(figure.title)}: <code>{html.escape(figure.command)}</code></li>"
        for figure in report.missing
    ]
    return "\n".join(items) or "<li>Nothing is missing.</li>"
