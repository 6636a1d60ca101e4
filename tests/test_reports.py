"""The report: tables and figures say what the records say, mark what is reported, and show what is missing."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from reports.__main__ import main
from reports.build import build
from reports.paper import TABLE_4, TABLE_5
from reports.render import as_csv, escape, latex, markdown
from reports.table import MISSING, Block, Cell, Column, Row, Table
from reports.tables import all_tables, over_seeds

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"

BLOCK = Block(
    "Ours: 3 clips",
    False,
    ("method",),
    (Column("PSNR", "higher", 2), Column("FVD_x", "lower", 1)),
    (
        Row(("a_1",), (Cell(20.004, 19.0, 21.0), Cell(5.04))),
        Row(("b",), (Cell(19.996), MISSING)),
        Row(("c",), (Cell(18.0), Cell(word="OOM"))),
    ),
    "somewhere",
)
TABLE = Table("t", "A title with 5 %", (BLOCK,), ("A note.",))


def test_best_values_are_those_printed_best() -> None:
    assert [BLOCK.is_best(row, 0) for row in BLOCK.rows] == [True, True, False]
    assert not any(BLOCK.is_best(row, 1) for row in BLOCK.rows)  # nothing to compare with


def test_markdown() -> None:
    text = markdown(TABLE)
    assert "| method | PSNR ↑ | FVD_x ↓ |" in text
    assert "| a_1 | **20.00** [19.0, 21.0] | 5.0 |" in text
    assert "| b | **20.00** | – |" in text and "| c | 18.00 | OOM |" in text
    assert "A note." in text and "somewhere" in text


def test_latex_escapes_and_uses_booktabs() -> None:
    text = latex(TABLE)
    assert "a\\_1 & \\textbf{20.00} & 5.0 \\\\\n& {\\tiny [19.0, 21.0]} & \\\\" in text
    assert r"\caption{A title with 5 \%}" in text and r"FVD\_x $\downarrow$" in text
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert escape(r"a\b{c}^~") == r"a\textbackslash{}b\{c\}\textasciicircum{}\textasciitilde{}"


def test_csv_holds_unrounded_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(TABLE))))
    assert rows[0] == {
        "block": "Ours: 3 clips",
        "reported": "no",
        "row": "a_1",
        "column": "PSNR",
        "value": "20.004",
        "low": "19.0",
        "high": "21.0",
        "word": "",
        "source": "somewhere",
    }
    assert [row["word"] for row in rows][-1] == "OOM"


def test_intervals_over_seeds_are_students() -> None:
    cell = over_seeds([1.0, 2.0, 3.0])
    assert cell.value == 2 and cell.high == pytest.approx(2 + 4.302653 / 3**0.5, rel=1e-6)
    assert over_seeds([1.0]) == Cell(1.0) and over_seeds([]) == MISSING


def test_reported_numbers_are_consistent_with_the_papers_own_average() -> None:
    """Table 5's average is (subject + background + 6 x quality) / 8, to rounding, in the rows of MarDini."""
    rows = [row for row in TABLE_5 if row[0].startswith("MarDini")]
    assert len(rows) == 8
    for _, _, _, _, (subject, background, _, quality, average) in rows:
        assert (subject + background + 6 * quality) / 8 == pytest.approx(average, abs=0.006)
    assert len(TABLE_4) == 10


def test_our_rows_are_those_of_the_records_and_never_in_a_reported_block() -> None:
    tables = {table.name: table for table in all_tables(RESULTS)}
    record = json.loads((RESULTS / "interpolation/synthetic-7-v1/flow/record.json").read_text())
    table = tables["interpolation-synthetic-7-v1"]
    shown = {
        column.name: row.cells[number].value
        for block in table.blocks
        for row in block.rows
        if row.labels == ("flow",)
        for number, column in enumerate(block.columns)
    }
    assert shown["psnr_clip"] == record["metrics"]["psnr_clip"]["value"]
    for table in tables.values():
        for block in table.blocks:
            assert block.reported == ("arXiv" in block.source) == block.title.startswith("As reported")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    out, told = tmp_path_factory.mktemp("report"), []
    build(RESULTS, out, told.append)
    return out, told


def test_a_report_is_the_same_to_the_last_byte_when_built_again(
    report: tuple[Path, list[str]], tmp_path: Path
) -> None:
    out, _ = report
    build(RESULTS, tmp_path, lambda sentence: None)
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    for name in files:
        assert (out / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_check_finds_a_changed_number_and_a_missing_file(
    report: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = report
    assert main(["--check", "--out", str(out)]) == 0
    table = out / "tables" / "table-4.csv"
    before = table.read_bytes()
    table.write_bytes(before.replace(b"0.5314", b"0.5315"))
    (out / "tables" / "table-5.md").rename(out / "tables" / "kept")
    assert main(["--check", "--out", str(out)]) == 1
    told = capsys.readouterr().out
    assert "table-4.csv" in told and "table-5.md" in told and "table-3" not in told
    (out / "tables" / "kept").rename(out / "tables" / "table-5.md")
    table.write_bytes(before)


def test_mistakes_are_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--results", str(tmp_path / "nothing")]) == 2
    assert "is no folder" in capsys.readouterr().err
    bad = tmp_path / "interpolation" / "x" / "y"
    bad.mkdir(parents=True)
    (bad / "record.json").write_text("{")
    assert main(["--results", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "record.json cannot be read" in capsys.readouterr().err
