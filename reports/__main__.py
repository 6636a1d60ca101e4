"""The report: every table and figure from records, as Markdown, LaTeX, CSV, PDF and PNG.

python -m reports                                    from benchmarks/results into reports/latest
python -m reports --results results --out report     from other records
python -m reports --check                            whether the committed report is that of the committed records
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from reports.records import ReportError

HERE = Path(__file__).parent


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
        default=HERE.parent / "benchmarks" / "results",
        metavar="DIR",
        help="folder of records (default: benchmarks/results)",
    )
    add("--out", type=Path, default=HERE / "latest", metavar="DIR", help="default: reports/latest")
    add("--check", action="store_true", help="write nothing; exit 1 if OUT is not what the records give")
    options = parser.parse_args(argv)
    try:
        return run(options)
    except ReportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run(options: argparse.Namespace) -> int:
    """Build the report, or compare it."""
    if not options.results.is_dir():
        raise ReportError(f"--results {options.results} is no folder: give the one that holds the records")
    from reports.build import build, changed

    if options.check:
        if not options.out.is_dir():
            raise ReportError(f"--out {options.out} is no folder: build the report there first")
        with tempfile.TemporaryDirectory() as fresh:
            build(options.results, Path(fresh), tell=lambda sentence: None)
            differing = changed(Path(fresh), options.out)
        for name in differing:
            print(f"{options.out / name} is not what the records give: run python -m reports")
        return 1 if differing else 0
    paths = build(options.results, options.out)
    print(f"{len(paths)} files; begin with {options.out / 'README.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
