"""The report: every table and figure from records, as Markdown, LaTeX, CSV, PDF and PNG, and as one HTML page.

python -m reports                                                from benchmarks/results into docs/report
python -m reports --results results --out report                 from other records
python -m reports --results benchmarks/results --results results   these, with fresh ones in the place of old ones
python -m reports --check                                        exit 1 if docs/report is not what the records give
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reports.records import ReportError

ROOT = Path(__file__).parent.parent
RESULTS, OUT = ROOT / "benchmarks" / "results", ROOT / "docs" / "report"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--results",
        type=Path,
        action="append",
        metavar="DIR",
        help="folder of records, with frames where they were kept; repeatable, the last one counts most "
        "(default: benchmarks/results)",
    )
    add("--out", type=Path, default=OUT, metavar="DIR", help="default: docs/report")
    add("--check", action="store_true", help="write nothing; exit 1 if OUT is not what the records give")
    options = parser.parse_args(argv)
    try:
        return run(options.results or [RESULTS], options.out, options.check)
    except ReportError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(
            f"error: cannot write {error.filename} ({error.strerror}): choose another --out", file=sys.stderr
        )
    return 2


def run(results: list[Path], out: Path, check: bool) -> int:
    """Build the report, or compare it."""
    for folder in results:
        if not folder.is_dir():
            raise ReportError(f"--results {folder} is no folder: give the one that holds the records")
    from reports.build import build, differing
    from reports.report import PAGE

    if check:
        if not out.is_dir():
            raise ReportError(f"--out {out} is no folder: build the report there first")
        wrong = differing(results, out)
        for name in wrong:
            print(f"{out / name} is not what the records give: run python -m reports")
        return 1 if wrong else 0
    paths = build(results, out)
    size = (out / PAGE).stat().st_size / 1e6
    print(f"{len(paths)} files; open {out / PAGE} ({size:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
