"""A figure of the report: the plotted numbers, how they are drawn, and what makes them where they are missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.style import as_csv, save, styled

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        name: of its files.
        title: caption.
        rows: the plotted numbers; none: nothing is drawn.
        draw: from rows and axes to a picture.
        size: inches.
        command: what makes the records.
        panels: axes, ``across`` a row.
        frames: whether the frames that it shows are here; ``None``: it shows none.
    """

    name: str
    title: str
    rows: Rows
    draw: Callable[[Rows, Sequence[Any]], None]
    size: tuple[float, float]
    command: str
    panels: int = 1
    across: int = 1
    frames: bool | None = None

    def files(self, folder: Path) -> tuple[Path, Path, Path]:
        """Its PDF, PNG and CSV."""
        pdf, png, table = (folder / f"{self.name}.{suffix}" for suffix in ("pdf", "png", "csv"))
        return pdf, png, table

    def kept(self, folder: Path) -> bool:
        """Whether its files lie there already, of the same numbers."""
        *pictures, table = self.files(folder)
        same = table.is_file() and table.read_bytes() == as_csv(self.rows).encode()
        return same and all(path.is_file() for path in pictures)

    def drawn(self, pyplot: Any) -> Any:
        """The Matplotlib figure."""
        down = -(-self.panels // self.across)
        made, axes = pyplot.subplots(down, self.across, figsize=self.size, squeeze=False)
        flat = list(axes.flat)
        for ax in flat[self.panels :]:
            ax.set_axis_off()
        self.draw(self.rows, flat[: self.panels])
        legend(made, flat[: self.panels])
        return made

    def write(self, folder: Path) -> list[Path]:
        """Write PDF, PNG and CSV."""
        with styled() as pyplot:
            paths = save(self.drawn(pyplot), folder, self.name, 200 if self.frames is None else 150)
        *_, table = self.files(folder)
        table.write_text(as_csv(self.rows), encoding="utf-8", newline="")
        return [*paths, table]


def no_draw(rows: Rows, axes: Sequence[Any]) -> None:
    """Of a figure without rows."""


def legend(figure: Any, axes: Sequence[Any]) -> None:
    """One legend below all panels, each label once."""
    entries: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        wide = 0.45 + 0.055 * max(map(len, entries))  # inches of an entry, about
        columns = max(1, min(len(entries), int(figure.get_figwidth() / wide)))
        figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)
