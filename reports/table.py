"""What a table of the report is: blocks of rows that may be compared with each other, and with nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

RANDOM = "†"
"""Behind the name of a column whose detector has random weights."""
RANDOM_NOTE = f"{RANDOM}: by a detector with seeded random weights; compares with nothing published."


@dataclass(frozen=True)
class Column:
    """A column of a block.

    Attributes:
        name: as printed, without the arrow.
        better: ``higher``, ``lower``, or ``None`` where neither is.
        decimals: as printed.
        ranked: whether its best value is marked; not where rows are of different tasks.
    """

    name: str
    better: str | None = None
    decimals: int = 2
    ranked: bool = True

    @property
    def arrow(self) -> str:
        return {"higher": "↑", "lower": "↓", None: ""}[self.better]

    @property
    def heading(self) -> str:
        """``PSNR ↑``."""
        return f"{self.name} {self.arrow}".strip()


@dataclass(frozen=True)
class Cell:
    """A number, or a word in place of one (``OOM``); neither: a number that is missing.

    Attributes:
        value: the number.
        low, high: its interval, where there is one.
        word: shown instead.
        n: samples behind it.
        tied: it cannot be told from the best of its column.
        signed: shown with its sign, as a difference is.
        origin: records that it is from, each ``path#name`` below the results.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    word: str = ""
    n: int | None = None
    tied: bool = False
    signed: bool = False
    origin: tuple[str, ...] = ()

    @property
    def missing(self) -> bool:
        return self.value is None and not self.word

    def text(self, decimals: int) -> str:
        """``0.4231``, a word, or ``–`` for what is missing."""
        sign = "+" if self.signed else ""
        return self.word or ("–" if self.value is None else f"{self.value:{sign}.{decimals}f}")

    def interval(self, decimals: int) -> str:
        """``[0.41, 0.44]``, or nothing: a digit less than the value, or as many where it is narrower than two steps."""
        if self.low is None or self.high is None:
            return ""
        fewer = max(0, decimals - 1)
        shown = fewer if self.high - self.low >= 2 * 10.0**-fewer else decimals
        return f"[{self.low:.{shown}f}, {self.high:.{shown}f}]"


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
        source: the publication, or the folder of records, that the numbers are from.
        command: what makes those records.
        again: options with which it is run once more for each further row.
    """

    title: str
    reported: bool
    labels: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    source: str = ""
    command: str = ""
    again: tuple[str, ...] = ()

    def best(self, column: int) -> float | None:
        """The best printed value of a column, if there are several to choose from."""
        better, decimals = self.columns[column].better, self.columns[column].decimals
        values = [row.cells[column].value for row in self.rows]
        known = [round(value, decimals) for value in values if value is not None]
        if better is None or not self.columns[column].ranked or len(known) < 2:
            return None
        return max(known) if better == "higher" else min(known)

    def is_best(self, row: Row, column: int) -> bool:
        """Whether a cell shows the best value of its column."""
        value = row.cells[column].value
        return value is not None and round(value, self.columns[column].decimals) == self.best(column)

    @property
    def missing(self) -> int:
        """How many of its numbers are missing."""
        return sum(cell.missing for row in self.rows for cell in row.cells)


@dataclass(frozen=True)
class Table:
    """A numbered table of the paper with our rows beside it, or a table of our own.

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

    @property
    def called(self) -> str:
        """Its title, behind the paper's number where it has one."""
        number = self.name.removeprefix("table-")
        return f"Table {number}: {self.title}" if number.isdigit() else self.title

    @property
    def remarks(self) -> list[str]:
        """Its notes, and what the signs in it mean."""
        cells = [cell for block in self.blocks for row in block.rows for cell in row.cells]
        headings = [column.name for block in self.blocks for column in block.columns]
        found = list(self.notes)
        if any(RANDOM in heading for heading in headings):
            found.append(RANDOM_NOTE)
        if any(cell.tied for cell in cells):
            found.append("≈: not to be told from the best (paired over source videos, p ≥ 0.05).")
        return found
