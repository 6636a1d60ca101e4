"""Tables as LaTeX (booktabs), in floats that fit a page of a two-column paper, whatever their number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.table import Block, Row, Table

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    "−": "$-$",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "±": r"$\pm$",
    "†": r"\textsuperscript{\dag}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
PREAMBLE = (r"\usepackage[utf8]{inputenc}", r"\usepackage{booktabs}")
"""What a document needs to hold the tables."""
SIZES = ("small", "footnotesize", "scriptsize")
WIDEST, HIGHEST = (82, 94), (46, 54)
"""Letters of a line, and lines of a page, up to which the first and the second size will do."""
TALLEST = 64
"""Lines of a float."""
ROWS = 32
"""Rows of a block that are set at a time."""


@dataclass(frozen=True)
class Part:
    """Some rows of a block, one below the other; ``first``: whether they begin it."""

    block: Block
    rows: tuple[Row, ...]
    first: bool

    @property
    def height(self) -> float:
        """Lines: a row with intervals takes one and a half."""
        rows = (1.6 if any(cell.low is not None for cell in row.cells) else 1 for row in self.rows)
        return 3.5 + sum(rows)


def latex(table: Table) -> str:
    """``table*`` floats; they need ``PREAMBLE``. Reported rows say so, the best are bold; notes stand in the last."""
    lines = ["% needs " + " ".join(PREAMBLE)]
    floats = arranged(table)
    for number, parts in enumerate(floats):
        lines += ["\\begin{table*}[t]", "\\centering"]
        if number:
            lines += ["\\addtocounter{table}{-1}", f"\\caption{{{escape(table.title)} (continued)}}"]
        else:
            lines += [f"\\caption{{{escape(table.title)}}}", f"\\label{{tab:{table.name}}}"]
        for part in parts:
            lines += _block(part, sum(other.height for other in parts))
        if table.remarks and number == len(floats) - 1:
            words = escape(" ".join(table.remarks))
            lines.append(f"\\par\\smallskip\\parbox{{\\linewidth}}{{\\scriptsize {words}}}")
        lines.append("\\end{table*}")
    return "\n".join([*lines, ""])


def arranged(table: Table) -> list[list[Part]]:
    """The parts of each float, so that every float fits a page."""
    floats: list[list[Part]] = [[]]
    for block in table.blocks:
        for start in range(0, max(1, len(block.rows)), ROWS):
            part = Part(block, block.rows[start : start + ROWS], start == 0)
            if floats[-1] and part.height + sum(other.height for other in floats[-1]) > TALLEST:
                floats.append([])
            floats[-1].append(part)
    return floats


def _block(part: Part, high: float) -> list[str]:
    """The block's title, and its rows in a ``tabular`` of their own; ``high``: lines of the whole float."""
    block = part.block
    header = [*map(escape, block.labels), *(escape(column.heading) for column in block.columns)]
    title = escape(block.title + ("" if part.first else ", continued"))
    lines = [
        f"\\par\\medskip\\parbox{{\\linewidth}}{{\\centering\\footnotesize\\itshape {title}}}\\par\\smallskip",
        f"{{\\{size(block, high)}\\setlength{{\\tabcolsep}}{{4pt}}%",
        f"\\begin{{tabular}}{{@{{}}{'l' * len(block.labels)}{'r' * len(block.columns)}@{{}}}}",
        "\\toprule",
        " & ".join(header) + " \\\\",
        "\\midrule",
    ]
    for row in part.rows:
        lines += _rows(block, row)
    return [*lines, "\\bottomrule", "\\end{tabular}}"]


def size(block: Block, high: float) -> str:
    """LaTeX's name of the largest size in which a block fits a page, by its letters and the lines of its float."""
    rows: list[Sequence[str]] = [[*block.labels, *(column.heading for column in block.columns)]]
    for row in block.rows:
        cells = zip(row.cells, block.columns, strict=True)
        wide = (max(cell.text(c.decimals), cell.interval(c.decimals)[:-4], key=len) for cell, c in cells)
        rows.append([*row.labels, *wide])
    letters = sum(max(map(len, column)) + 1.5 for column in zip(*rows, strict=True))
    steps = max(sum(letters > limit for limit in WIDEST), sum(high > limit for limit in HIGHEST))
    return SIZES[steps]


def _rows(block: Block, row: Row) -> list[str]:
    """The values of a row, and below them, small, its intervals, so that many columns fit a page."""
    values, intervals = [escape(label) for label in row.labels], [""] * len(row.labels)
    for place, (cell, column) in enumerate(zip(row.cells, block.columns, strict=True)):
        text = escape(cell.text(column.decimals))
        text = f"\\textbf{{{text}}}" if block.is_best(row, place) else text
        values.append(f"{text}\\rlap{{$\\approx$}}" if cell.tied else text)
        interval = cell.interval(column.decimals)
        intervals.append(f"{{\\tiny {interval}}}" if interval else "")
    lines = [" & ".join(values) + " \\\\"]
    return [*lines, " ".join(" & ".join(intervals).split()) + " \\\\"] if any(intervals) else lines


def document(tables: Sequence[Table]) -> str:
    """A two-column document that holds all tables; it lies beside their files."""
    lines = [r"\documentclass[twocolumn]{article}", r"\usepackage[margin=2cm]{geometry}", *PREAMBLE]
    lines += [r"\begin{document}", *(f"\\input{{{table.name}}}\n\\clearpage" for table in tables)]
    return "\n".join([*lines, r"\end{document}", ""])


def escape(text: str) -> str:
    """Plain text for LaTeX."""
    return "".join(_ESCAPES.get(letter, letter) for letter in text)
