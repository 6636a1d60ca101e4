"""How every figure of the report looks and is saved: column widths, embedded fonts, colours, stable bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.3, 6.9
"""Widths in inches of a column and of a page of a two-column paper."""

# Okabe and Ito's palette: told apart by colour-blind readers, and in grey by their markers.
COLOURS = {
    "repeat": "#999999",
    "blend": "#E69F00",
    "flow": "#009E73",
    "minterpolate": "#56B4E9",
    "mardini": "#D55E00",
    "truth": "#000000",
}
OTHERS = ("#0072B2", "#CC79A7", "#F0E442", "#009E73", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the same on every machine
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.labelsize": 7,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # fonts embedded as TrueType, as publishers ask
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
}


def colour(name: str, number: int = 0) -> str:
    """Colour of a system, or the ``number``-th of those without one of their own."""
    return COLOURS.get(name.split("-")[0], OTHERS[number % len(OTHERS)])


@contextmanager
def styled() -> Iterator[Any]:
    """Matplotlib without a display, in the report's style; yields ``pyplot``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with matplotlib.rc_context(RC):
        yield pyplot
        pyplot.close("all")


def save(figure: Figure, folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write ``name``.pdf, .png and .csv (the plotted numbers); the same input gives the same bytes of all three."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}{suffix}" for suffix in (".pdf", ".png", ".csv")]
    figure.savefig(paths[0], metadata={"CreationDate": None})
    figure.savefig(paths[1], metadata={"Software": None})
    paths[2].write_text(as_csv(rows), encoding="utf-8")
    return paths


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with a common header, in the order in which names first come up."""
    header = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
