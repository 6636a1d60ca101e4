"""What a table of the report is: blocks of rows that may be compared with each other, and with nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Column:
    """A column of a block.

    Attributes:
        name: as printed, without the arrow.
        better: ``higher``, ``lower``, or ``None`` where neither is.
        decimals: as printed.
    """

    name: str
    better: str | None = None
    decimals: int = 2

    @property
    def arrow(self) -> str:
        return {"higher": "↑", "lower": "↓", None: ""}[self.better]


@dataclass(frozen=True)
class Cell:
    """A number with its 95% interval where there is one, or a word (``OOM``); neither: a number that is missing."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    word: str = ""

    def text(self, decimals: int) -> str:
        """``0.4231``, a word, or ``–`` for what is missing."""
        return self.word or ("–" if self.value is None else f"{self.value:.{decimals}f}")

    def interval(self, decimals: int) -> str:
        """``[0.41, 0.44]``, a digit less than the value, or nothing."""
        if self.low is None or self.high is None:
            return ""
        fewer = max(0, decimals - 1)
        return f"[{self.low:.{fewer}f}, {self.high:.{fewer}f}]"


MISSING = Cell()


@dataclass(frozen=True)
class Row:
    """The words that say what a row is, and its cells."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Block:
    """Rows that were measured alike.

    Attributes:
        title: whose numbers these are, on what.
        reported: copied from a publication, not measured here.
        labels: headings of the rows' labels.
        columns: of the cells.
        rows: each with as many labels and cells.
        source: the record or publication the numbers are from, and the command that makes them.
    """

    title: str
    reported: bool
    labels: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    source: str = ""

    def best(self, column: int) -> float | None:
        """The best printed value of a column, if there are several to choose from."""
        better, decimals = self.columns[column].better, self.columns[column].decimals
        values = [row.cells[column].value for row in self.rows]
        known = [round(value, decimals) for value in values if value is not None]
        if better is None or len(known) < 2:
            return None
        return max(known) if better == "higher" else min(known)

    def is_best(self, row: Row, column: int) -> bool:
        """Whether a cell shows the best value of its column."""
        value = row.cells[column].value
        return value is not None and round(value, self.columns[column].decimals) == self.best(column)


@dataclass(frozen=True)
class Table:
    """A numbered table of the paper with our rows beside it.

    Attributes:
        name: of its files, e.g. ``table-4``.
        title: caption.
        blocks: the reported rows first.
        notes: sentences below it.
    """

    name: str
    title: str
    blocks: tuple[Block, ...]
    notes: Sequence[str] = field(default=())
