"""A report before it is written: tables and figures of some folders of records, and which of them can be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.catalogue import all_figures
from reports.claims import claims
from reports.figure import Figure
from reports.groups import own_tables
from reports.records import Group, Results, read_groups
from reports.table import Table
from reports.tables import paper_tables

TABLES, FIGURES, README, PAGE = "tables", "figures", "README.md", "report.html"
"""What lies where in a folder that holds a report."""


@dataclass(frozen=True)
class Report:
    """Everything in a report.

    Attributes:
        results: folders of records that it is of.
        groups: records of the toolkit among them.
        tables: the paper's first.
        shown: figures that can be drawn here or, of the same numbers, lie in ``kept``.
        missing: all others.
        kept: folder with a report made before, for what cannot be made without frames.
    """

    results: Results
    groups: Sequence[Group]
    tables: Sequence[Table]
    shown: Sequence[Figure]
    missing: Sequence[Figure]
    kept: Path

    @staticmethod
    def of(results: Results, kept: Path) -> Report:
        """Read all records."""
        tables = [*paper_tables(results), claims(results), *own_tables(results)]
        figures = all_figures(results, kept / FIGURES)
        shown = [f for f in figures if f.rows and (f.frames is not False or f.kept(kept / FIGURES))]
        names = {figure.name for figure in shown}
        missing = [figure for figure in figures if figure.name not in names]
        return Report(results, read_groups(results), tables, shown, missing, kept)
