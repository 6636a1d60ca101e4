"""Tables of the report as Markdown, LaTeX and CSV: what is best is marked, nothing is rounded away, every page fits."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eval.table import bounds
from reports.build import write_tables
from reports.groups import own_tables
from reports.latex import PREAMBLE, document, escape, latex
from reports.page.data import of_block
from reports.paper import TABLE_4, TABLE_5
from reports.render import as_csv, markdown
from reports.table import MISSING, Block, Cell, Column, Row, Table
from reports.tables import over_seeds, paper_tables

ROOT = Path(__file__).parent.parent

RESULTS = ROOT / "benchmarks" / "results"

BLOCK = Block(
    "Ours: 3 clips",
    False,
    ("method",),
    (Column("PSNR", "higher", 2), Column("FVD_x", "lower", 1), Column("s", "lower", 1, ranked=False)),
    (
        Row(("a_1",), (Cell(20.004, 19.0, 21.0, origin=("x/record.json#psnr",)), Cell(5.04), Cell(1.0))),
        Row(("b",), (Cell(19.996), MISSING, Cell(2.0))),
        Row(("c",), (Cell(18.0, tied=True), Cell(word="OOM"), Cell(3.0, signed=True))),
    ),
    "somewhere",
    "make it",
)

TABLE = Table("t", "A title with 5 %", (BLOCK,), ("A note.",))


def test_best_values_are_those_printed_best() -> None:
    assert [BLOCK.is_best(row, 0) for row in BLOCK.rows] == [True, True, False]
    assert not any(BLOCK.is_best(row, 1) for row in BLOCK.rows)  # nothing to compare with
    assert not any(BLOCK.is_best(row, 2) for row in BLOCK.rows)  # rows of different tasks


def test_a_value_of_0_is_a_value_on_the_page() -> None:
    block = dataclasses.replace(BLOCK, rows=(Row(("a",), (Cell(0.0), MISSING, Cell(1.0))),))
    zero, missing, _ = of_block(block)["rows"][0]["cells"]
    assert zero["value"] == 0.0 and "value" not in missing and "best" not in zero


def test_markdown() -> None:
    text = markdown(TABLE)
    assert "| method | PSNR ↑ | FVD_x ↓ | s ↓ |" in text
    assert "| a_1 | **20.00** [19.0, 21.0] | 5.0 | 1.0 |" in text
    assert "| b | **20.00** | – | 2.0 |" in text and "| c | 18.00≈ | OOM | +3.0 |" in text
    assert "A note." in text and "1 missing (–). Records: somewhere. Made by `make it`" in text
    assert "≈: not to be told" in text


def test_latex_escapes_and_uses_booktabs() -> None:
    text = latex(TABLE)
    assert "a\\_1 & \\textbf{20.00} & 5.0 & 1.0 \\\\\n& {\\tiny [19.0, 21.0]} & & \\\\" in text
    assert r"\caption{A title with 5 \%}" in text and r"FVD\_x $\downarrow$" in text
    assert r"18.00\rlap{$\approx$}" in text
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert escape(r"a\b{c}^~") == r"a\textbackslash{}b\{c\}\textasciicircum{}\textasciitilde{}"


def test_csv_holds_unrounded_numbers_and_where_they_are_from() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(TABLE))))
    assert rows[0] == {
        "block": "Ours: 3 clips",
        "reported": "no",
        "row": "a_1",
        "column": "PSNR",
        "value": "20.004",
        "low": "19.0",
        "high": "21.0",
        "n": "",
        "word": "",
        "source": "somewhere",
        "origin": "x/record.json#psnr",
    }
    assert [row["word"] for row in rows][-2] == "OOM"


def test_narrow_intervals_have_the_decimals_of_the_value() -> None:
    """As in the tables of the evaluation: two that do not overlap must not look as if they did."""
    for low, high, decimals in (
        (13.5, 15.0, 2),
        (0.0456, 0.087, 2),
        (0.1094, 0.1291, 2),
        (1, 3, 0),
        (0.2, 0.21, 4),
    ):
        assert Cell(1.0, low, high).interval(decimals) == bounds(low, high, decimals)


def test_intervals_over_seeds_are_students() -> None:
    def records(*values: float) -> list[dict[str, Any]]:
        return [{"path": f"a/{v}.json", "values": {"x": {"value": v}}} for v in values]

    cell = over_seeds(records(1.0, 2.0, 3.0), "x")
    assert cell.value == 2 and cell.high == pytest.approx(2 + 4.302653 / 3**0.5, rel=1e-6)
    assert cell.n == 3 and cell.origin == ("a/1.0.json#x", "a/2.0.json#x", "a/3.0.json#x")
    assert over_seeds(records(1.0), "x").low is None and over_seeds([], "x") == MISSING


def test_reported_numbers_are_consistent_with_the_papers_own_average() -> None:
    """Table 5's average is (subject + background + 6 x quality) / 8, to rounding, in the rows of MarDini."""
    rows = [row for row in TABLE_5 if row[0].startswith("MarDini")]
    assert len(rows) == 8
    for _, _, _, _, (subject, background, _, quality, average) in rows:
        assert (subject + background + 6 * quality) / 8 == pytest.approx(average, abs=0.006)
    assert len(TABLE_4) == 10


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_tables([*paper_tables([RESULTS]), *own_tables([RESULTS]), TABLE], folder)
    return folder


def test_every_line_of_a_latex_table_has_the_cells_of_its_columns(written: Path) -> None:
    files = [path for path in written.glob("*.tex") if path.name != "all.tex"]
    assert len(files) >= 7
    for path in files:
        text = path.read_text()
        assert text.isascii() and text.count("{") - text.count("\\{") == text.count("}") - text.count("\\}")
        for begin in re.findall(r"\\begin\{(.*?)\}", text):
            assert text.count(f"\\begin{{{begin}}}") == text.count(f"\\end{{{begin}}}")
        blocks = re.findall(r"\\begin\{tabular\}\{@\{\}(l+r*)@\{\}\}(.*?)\\end\{tabular\}", text, re.DOTALL)
        assert blocks
        for columns, body in blocks:
            lines = re.findall(r"^(.*?) \\\\$", body, re.MULTILINE)
            assert lines and all(len(re.findall(r"(?<!\\)&", line)) == len(columns) - 1 for line in lines)
        assert f"\\input{{{path.stem}}}" in (written / "all.tex").read_text()


def long_table() -> Table:
    """More rows and blocks than a page holds, and many wide columns."""
    columns = tuple(Column(f"metric_{n}", "lower", 4) for n in range(7))
    cells = tuple(Cell(0.1234 + n, 0.1, 0.2) for n in range(7))
    rows = tuple(Row((f"system-{n}",), cells) for n in range(75))
    return Table(
        "long", "Long", (Block("A", False, ("system",), columns, rows), BLOCK, BLOCK, BLOCK), ("Note.",)
    )


def test_a_long_table_is_set_in_several_floats() -> None:
    text = latex(long_table())
    assert text.count("\\begin{table*}") == text.count("\\end{table*}") >= 3
    assert (
        text.count("\\label{tab:long}") == 1 and text.count("(continued)") == text.count("addtocounter") >= 2
    )
    assert [text.count(f"system-{n} &") for n in range(75)] == [1] * 75 and text.count("Note.") == 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles_and_every_table_fits_its_page(written: Path) -> None:
    (written / "long.tex").write_text(latex(long_table()))
    names = [path.stem for path in written.glob("*.tex") if path.stem != "all"]
    (written / "all.tex").write_text(document([Table(name, "", ()) for name in sorted(names)]))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "all.tex"]
    done = subprocess.run(command, cwd=written, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout and "too large for page" not in done.stdout
    assert set(PREAMBLE) <= set((written / "all.tex").read_text().splitlines())
