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

# Okabe and Ito's palette, told apart by colour-blind readers (without its yellow, too light on white), and for foreign
# methods the darker half of Paul Tol's "muted"; in grey, markers tell them apart.
COLOURS = {
    "repeat": "#8C8C8C",
    "blend": "#E69F00",
    "flow": "#009E73",
    "minterpolate": "#56B4E9",
    "mardini": "#D55E00",
    "amt": "#332288",
    "rife": "#882255",
    "film": "#44AA99",
    "ldmvfi": "#999933",
    "vidm": "#AA4499",
}
MARKS = {"repeat": "s", "blend": "^", "flow": "D", "minterpolate": "v", "mardini": "o"}
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of what is no system: settings, quantities, arms."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GIVEN = "#E66100"
"""Line around given frames, as in pictures of ``mardini.generate``."""
INK, FAINT = "#222222", "#D9D9D9"

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the same on every machine
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7,
    "axes.labelcolor": INK,
    "text.color": INK,
    "axes.edgecolor": "#555555",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # fonts embedded as TrueType, as publishers ask
    "svg.hashsalt": "mardini",  # ids in SVG files are the same every time
    "svg.fonttype": "none",  # text stays text: far smaller
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
}


def colour(name: str, number: int = 0) -> str:
    """Colour of a system, or the ``number``-th of those without one of their own."""
    return COLOURS.get(name.split("-")[0], SERIES[number % len(SERIES)])


def look(name: str, number: int = 0) -> dict[str, Any]:
    """Colour, marker and line of a system, the ``number``-th of those shown.

    A variant of one (``mardini-guidance0``) has its colour, is hollow and dashed, and has a marker by its number: there
    may be several.
    """
    variant = "-" in name and name.split("-")[0] in COLOURS
    own, color = MARKS.get(name, MARKERS[(number + 3 * (not variant)) % len(MARKERS)]), colour(name, number)
    return {
        "color": color,
        "marker": own,
        "markerfacecolor": "white" if variant else color,
        "linestyle": (0, (3, 1.5)) if variant else "-",
    }


@contextmanager
def styled() -> Iterator[Any]:
    """Matplotlib without a display, in the report's style; yields ``pyplot``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with matplotlib.rc_context(RC):
        yield pyplot
        pyplot.close("all")


def save(figure: Figure, folder: Path, name: str, dpi: int) -> list[Path]:
    """Write ``name``.pdf and .png; the same input gives the same bytes of both."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}{suffix}" for suffix in (".pdf", ".png")]
    figure.savefig(paths[0], metadata={"CreationDate": None})
    for ax in figure.axes:  # the PDF holds frames as they are, the PNG has pixels of its own
        for image in ax.images:
            image.set_interpolation("lanczos")
    figure.savefig(paths[1], dpi=dpi, metadata={"Software": None})
    return paths


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with a common header, in the order in which names first come up."""
    header = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
