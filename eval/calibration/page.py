"""The calibration table in ``eval/README.md``, and the command that measures it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from eval.calibration.rows import WRITTEN_OUT, Check, Row, missing_packages, read_record, run, write_record
from mardini.errors import UserError, unknown
from mardini.files import atomic

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"
HEADER = ("metric", "convention", "reference", "inputs", "ours", "reference's", "difference", "tolerance", "")


def all_checks() -> list[Check]:
    """Every row there should be, in the order of the table."""
    from eval.calibration import algebra, images, perceptual, pixels, videos

    return [check for module in (pixels, perceptual, images, videos, algebra) for check in module.checks()]


def calibrate(only: Sequence[str] | None, real: Path | None) -> int:
    """Measure, print, and, unless other inputs were asked for or a row is missing, write record and page.

    Args:
        only: metrics to measure again; the rows of the others are kept.
        real: folder with frames of DAVIS, to measure on them and write nothing.

    Returns:
        0 if every row is within its tolerance, else 1.
    """
    checks = all_checks()
    names = {check.metric for check in checks}
    for name in only or ():
        if name not in names:
            raise unknown("metric", name, names)
    if real is not None:
        from eval.calibration.inputs import real_frames

        real_frames[:] = [real / "davis" if (real / "davis").is_dir() else real]
        checks = [check for check in checks if only is None or check.metric in only]
    recorded = [] if real else read_record()
    outcome = run(checks, recorded, only, notify=lambda row: print(line(row), flush=True))
    lacking = {key: missing for key, missing in outcome.kept.items() if missing}
    for key, missing in lacking.items():
        print(f"kept from the record: {key[0]}, {key[1]} ({', '.join(missing)} is not installed)")
    lost = {check.key: missing_packages(check) for check in outcome.lost}
    for key, missing in lost.items():
        print(f"not measured: {key[0]}, {key[1]} ({', '.join(missing) or 'not asked for'})")
    if absent := sorted({name for missing in (*lacking.values(), *lost.values()) for name in missing}):
        print(f"missing packages: {', '.join(absent)}: pip install 'mardini[calibration]'")
    failed = [row for row in outcome.rows if not row.passed]
    print(f"{len(outcome.rows) - len(failed)} of {len(checks)} rows are within their tolerance")
    if real is None and not outcome.lost:
        write_record(outcome.rows)
        write_page(outcome.rows)
        print(f"written: {README}", file=sys.stderr)
    return 0 if outcome.passed else 1


def line(row: Row) -> str:
    """One row for a terminal."""
    result = "ok  " if row.passed else "FAIL"
    return f"{result} {row.metric:20} {row.difference:8.1e} of {row.tolerance:.0e}  {row.convention} / {row.reference}"


def table(rows: Sequence[Row]) -> str:
    """All rows in Markdown."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    for row in rows:
        reference = "written out" if row.reference == WRITTEN_OUT else f"{row.reference} {row.version}"
        unit = " (relative)" if row.relative else ""
        cells = (
            f"`{row.metric}`",
            row.convention,
            f"{reference}: {row.detail}",
            row.inputs,
            f"{row.ours:.6g}",
            f"{row.theirs:.6g}",
            f"{row.difference:.1e}{unit}",
            f"{row.tolerance:.0e}",
            "pass" if row.passed else "**fail**",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_page(rows: Sequence[Row], path: Path = README) -> None:
    """Put the table between the markers of the page. Raises ``UserError`` where they are not."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise UserError(f"{path} has no place for the table: put the lines {BEGIN} and {END} into it")
    before, rest = text.split(BEGIN)
    with atomic(path) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{rest.split(END)[1]}", encoding="utf-8")
