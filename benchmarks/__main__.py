"""Sweeps: what is measured once is recorded and skipped; and the check that nothing has moved.

python -m benchmarks list                              suites, their axes and numbers of cells
python -m benchmarks run efficiency --dry-run          what would be measured, and about how long it takes
python -m benchmarks run efficiency                    measure what is missing; again after a kill: goes on
python -m benchmarks table efficiency                  the records as a table
python -m benchmarks check                             compare with the committed numbers; exit 1 if any moved
python -m benchmarks check --update                    take today's numbers (say why in CHANGELOG.md, "Numbers")
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.suite import Suite
from mardini.errors import UserError, command

RESULTS = Path(__file__).parent / "results"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    whole = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=raw, allow_abbrev=False
    )
    commands = whole.add_subparsers(dest="command", metavar="{list,run,table,check}", required=True)
    commands.add_parser("list", help="suites, their axes and numbers of cells", allow_abbrev=False)
    run = commands.add_parser("run", help="measure what is missing of a suite", allow_abbrev=False)
    table = commands.add_parser("table", help="the records of a suite as a table", allow_abbrev=False)
    for sub in (run, table):
        sub.add_argument("suite", metavar="SUITE", help="see python -m benchmarks list")
        sub.add_argument(
            "--output", type=Path, default=RESULTS, metavar="DIR", help="default: benchmarks/results"
        )
    add = run.add_argument
    add(
        "--device", default="cpu", help="cpu, cuda, cuda:1 (default: cpu); decides the usual models and sizes"
    )
    add("--only", action="append", default=[], metavar="AXIS=A,B", help="cells with these values; repeatable")
    add(
        "--with",
        dest="others",
        action="append",
        default=[],
        metavar="AXIS=A,B",
        help="other values of an axis than the usual ones; repeatable",
    )
    add("--limit", type=int, metavar="N", help="measure at most N cells")
    add("--retry", action="store_true", help="also cells that failed before")
    add("--force", action="store_true", help="all cells, whatever is there")
    add("--dry-run", action="store_true", help="say what would be measured, and about how long it takes")
    add("--data-root", type=Path, metavar="DIR", help="folder of a dataset that is not embedded")
    add(
        "--cache", type=Path, metavar="DIR", help="of predictions and checkpoints (default: ~/.cache/mardini)"
    )
    check = commands.add_parser("check", help="compare with the committed numbers", allow_abbrev=False)
    check.add_argument("--update", action="store_true", help="write today's numbers as the committed ones")
    return whole


@command
def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = parser().parse_args(argv)
    if options.command == "list":
        return show_list()
    if options.command == "run":
        return run_suite(options)
    if options.command == "table":
        return show_table(options)
    from benchmarks.check import check

    return check(options.update)


def show_list() -> int:
    """Print every suite with its axes on a CPU."""
    from benchmarks.suites import NAMES, suite_of

    for name in NAMES:
        suite = suite_of(name)
        print(f"{name}: {suite.line}; {len(suite.cells())} cells")
        for axis, values in suite.axes("cpu").items():
            print(f"  {axis:12} {', '.join(map(str, values))}")
    return 0


def run_suite(options: argparse.Namespace) -> int:
    """Plan, then measure; 0 unless a cell failed."""
    if options.limit is not None and options.limit < 1:
        raise UserError(f"--limit {options.limit}: give at least 1")
    from benchmarks import run
    from benchmarks.suite import Context
    from benchmarks.suites import suite_of

    suite = suite_of(options.suite)
    others, only = run.assignments(options.others, "--with"), run.assignments(options.only, "--only")
    cells = suite.cells(options.device, others, only)
    if not cells:
        raise UserError("no cell of the suite has these values: see python -m benchmarks list")
    folder = run.folder_of(suite, options.output, options.device)
    made = run.plan(suite, cells, folder, limit=options.limit, retry=options.retry, force=options.force)
    if options.dry_run:
        print(run.describe(suite, made))
        return 0
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # so that the process of a cell ends with this one
    with cache_of(suite, options) as cache:
        context = Context(options.device, cache, folder, options.data_root)
        measured, failed = run.execute(suite, made, context)
    before = sum(state == "failed" for cell, state in made.states.items() if cell not in made.todo)
    print(f"{len(cells)} cells: {measured} measured, {failed} of them failed; records: {folder}")
    if before:
        print(f"{before} failed before: try them again with --retry")
    return 1 if failed else 0


@contextlib.contextmanager
def cache_of(suite: Suite, options: argparse.Namespace) -> Iterator[Path]:
    """Where predictions and checkpoints of a suite's cells are kept: those of a former version, and with ``--force``
    those of any former run, are not found again."""
    folder = options.cache or cache_folder()
    if options.force:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{suite.name}-", dir=folder) as afresh:
            yield Path(afresh)
    else:
        yield folder / f"version-{suite.version}"


def cache_folder() -> Path:
    """``mardini/benchmarks`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mardini" / "benchmarks"


def show_table(options: argparse.Namespace) -> int:
    """Print the records of a suite, machine by machine."""
    from benchmarks.run import current
    from benchmarks.suites import suite_of
    from benchmarks.table import table

    suite = suite_of(options.suite)
    root = options.output / suite.name
    folders = sorted(path for path in root.glob("*") if path.is_dir())
    found = {folder.name: current(suite, folder) for folder in folders}
    tables = [table(suite, name, records) for name, records in found.items() if records]
    if not tables:
        raise UserError(f"no records in {root}: make them with python -m benchmarks run {suite.name}")
    print("\n\n".join(tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
