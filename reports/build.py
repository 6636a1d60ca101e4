"""The report as files: tables, figures, one Markdown page and one HTML page, from records alone.

What is there already and still true is kept: a picture whose frames are not on this machine, but whose numbers and
hashes are those of the records, stays as it is. What no record speaks of any more is removed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from reports.latex import document, latex
from reports.page.build import data, data_of, page
from reports.records import Results
from reports.render import as_csv, markdown
from reports.report import FIGURES, PAGE, README, TABLES, Report
from reports.style import as_csv as numbers
from reports.table import Table

SUFFIXES = {TABLES: (".md", ".tex", ".csv"), FIGURES: (".pdf", ".png", ".csv")}


def build(results: Results, out: Path, tell: Callable[[str], None] = print) -> list[Path]:
    """Write the whole report; tells what is missing. The files of the report."""
    report, former = Report.of(results, out), listed(out)
    paths = write_tables(report.tables, out / TABLES)
    for figure in report.shown:
        if figure.frames is False:
            paths += figure.files(out / FIGURES)  # kept: its frames are not here
        else:
            paths += figure.write(out / FIGURES)
    paths.append(put(out / README, overview(report)))
    paths.append(put(out / PAGE, page(report, out / FIGURES)))
    for figure in report.missing:
        what = "the frames in it are not here" if figure.rows else "no records"
        tell(f"missing: {figure.title} ({what}): {figure.command}")
    for path in former - set(paths):
        path.unlink(missing_ok=True)
    return paths


def put(path: Path, text: str) -> Path:
    """Write a text file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8", newline="")
    temporary.replace(path)
    return path


def write_tables(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Markdown, LaTeX and CSV of each, and a document that holds them all."""
    paths = []
    for table in tables:
        for suffix, render in ((".md", markdown), (".tex", latex), (".csv", as_csv)):
            paths.append(put(folder / f"{table.name}{suffix}", render(table)))
    return [*paths, put(folder / "all.tex", document(tables))]


def listed(out: Path) -> set[Path]:
    """Files of the tables and figures that the page of a report speaks of: its own, and none that others put there."""
    known = data_of(out / PAGE)
    return {
        out / folder / f"{part['name']}{suffix}"
        for folder, suffixes in SUFFIXES.items()
        for part in known.get(folder, ())
        for suffix in suffixes
    }


def overview(report: Report) -> str:
    """All tables and figures on one Markdown page."""
    parts = [
        "# Report\n",
        "Built by `python -m reports` from the records under `benchmarks/results`; paths of records are below that "
        "folder. Every number is measured by this project unless its block says that it is reported by a publication. "
        "Best values are bold; – is missing, and the line below says what makes it. The same with sortable tables, a "
        f"player for all clips and the provenance of every number: [{PAGE}]({PAGE}), one file to download and open.\n",
        "## Tables\n",
        *(markdown(table) for table in report.tables),
        "## Figures\n",
    ]
    for figure in report.shown:
        links = f"[PDF]({FIGURES}/{figure.name}.pdf), [numbers]({FIGURES}/{figure.name}.csv)"
        parts.append(f"### {figure.title}\n\n![{figure.title}]({FIGURES}/{figure.name}.png)\n\n{links}\n")
    if report.missing:
        parts.append("## Missing figures\n")
        parts.append("".join(f"- {figure.title}: `{figure.command}`\n" for figure in report.missing))
    return "\n".join(parts)


def differing(results: Results, kept: Path) -> list[str]:
    """Files of a report that are not what the records give, that are missing, or that should not be there.

    Numbers are compared, and the words around them; of pictures only that they are there, since rasters differ in
    their last bits from machine to machine.
    """
    report = Report.of(results, kept)
    with tempfile.TemporaryDirectory() as folder:
        fresh = write_tables(report.tables, Path(folder))
        texts = {f"{TABLES}/{path.name}": path.read_bytes() for path in fresh}
    texts |= {f"{FIGURES}/{figure.name}.csv": numbers(figure.rows).encode() for figure in report.shown}
    texts[README] = overview(report).encode()
    pictures = {f"{FIGURES}/{figure.name}{end}" for figure in report.shown for end in (".pdf", ".png")}
    expected = {*texts, *pictures, PAGE}
    there = {path.relative_to(kept).as_posix() for path in listed(kept) if path.is_file()}
    wrong = {name for name in expected | there if name not in expected or not (kept / name).is_file()}
    wrong |= {
        name for name, text in texts.items() if name not in wrong and (kept / name).read_bytes() != text
    }
    if PAGE not in wrong and data_of(kept / PAGE) != data(report):
        wrong.add(PAGE)
    return sorted(wrong)
