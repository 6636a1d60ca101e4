"""Tables as Markdown, LaTeX (booktabs) and CSV."""

from __future__ import annotations

import csv
import io

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
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "±": r"$\pm$",
}


def markdown(table: Table) -> str:
    """A heading, a Markdown table a block, the notes."""
    parts = [f"### {table.title}\n"]
    for block in table.blocks:
        parts.append(f"**{block.title}**\n")
        header = [*block.labels, *(f"{column.name} {column.arrow}".strip() for column in block.columns)]
        rule = [*["---"] * len(block.labels), *["---:"] * len(block.columns)]
        parts.append("".join(f"| {' | '.join(line)} |\n" for line in [header, rule, *_cells(block)]))
        if block.source:
            parts.append(f"<sub>{block.source}</sub>\n")
    parts += [f"{note}\n" for note in table.notes]
    return "\n".join(parts)


def _cells(block: Block) -> list[list[str]]:
    """Each row as words, the best of a column in bold, intervals behind values."""
    lines = []
    for row in block.rows:
        line = list(row.labels)
        for number, (cell, column) in enumerate(zip(row.cells, block.columns, strict=True)):
            text = cell.text(column.decimals)
            text = f"**{text}**" if block.is_best(row, number) else text
            line.append(f"{text} {cell.interval(column.decimals)}".strip())
        lines.append(line)
    return lines


def latex(table: Table) -> str:
    """A ``table*`` float for a paper; needs the package booktabs. Reported rows say so, the best are bold."""
    widest = max((len(block.labels) + len(block.columns) for block in table.blocks), default=0)
    size = "small" if widest <= 6 else "footnotesize"
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table*}[t]",
        f"\\centering\\{size}\\setlength{{\\tabcolsep}}{{4pt}}",
        f"\\caption{{{escape(table.title)}}}",
        f"\\label{{tab:{table.name}}}",
    ]
    for number, block in enumerate(table.blocks):
        if number:
            lines.append("\\par\\medskip")
        columns = "l" * len(block.labels) + "r" * len(block.columns)
        width = len(columns)
        header = [
            *map(escape, block.labels),
            *(escape(f"{c.name} {c.arrow}".strip()) for c in block.columns),
        ]
        lines += [
            f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
            "\\toprule",
            f"\\multicolumn{{{width}}}{{@{{}}l}}{{\\itshape {escape(block.title)}}} \\\\",
            "\\midrule",
            " & ".join(header) + " \\\\",
            "\\midrule",
        ]
        for row in block.rows:
            lines += _latex_rows(block, row)
        lines += ["\\bottomrule", "\\end{tabular}"]
    if table.notes:
        lines.append(
            f"\\par\\smallskip\\parbox{{\\linewidth}}{{\\footnotesize {escape(' '.join(table.notes))}}}"
        )
    return "\n".join([*lines, "\\end{table*}", ""])


def _latex_rows(block: Block, row: Row) -> list[str]:
    """The values of a row, and below them, small, its intervals, so that many columns fit a page."""
    values, intervals = [escape(label) for label in row.labels], [""] * len(row.labels)
    for place, (cell, column) in enumerate(zip(row.cells, block.columns, strict=True)):
        text = escape(cell.text(column.decimals))
        values.append(f"\\textbf{{{text}}}" if block.is_best(row, place) else text)
        interval = cell.interval(column.decimals)
        intervals.append(f"{{\\tiny {interval}}}" if interval else "")
    lines = [" & ".join(values) + " \\\\"]
    return [*lines, " & ".join(intervals).strip() + " \\\\"] if any(intervals) else lines


def escape(text: str) -> str:
    """Plain text for LaTeX."""
    return "".join(_ESCAPES.get(letter, letter) for letter in text)


def as_csv(table: Table) -> str:
    """Every number unrounded, a line a cell: block, reported, labels, column, value, low, high, word, source."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["block", "reported", "row", "column", "value", "low", "high", "word", "source"])
    for block in table.blocks:
        for row in block.rows:
            for cell, column in zip(row.cells, block.columns, strict=True):
                writer.writerow(
                    [
                        block.title,
                        "yes" if block.reported else "no",
                        " / ".join(label for label in row.labels if label),
                        column.name,
                        *("" if v is None else repr(v) for v in (cell.value, cell.low, cell.high)),
                        cell.word,
                        block.source,
                    ]
                )
    return out.getvalue()
