"""Regression checks of the evaluation: what was measured before must be measured again.

python -m benchmarks check             compare with the committed record; exit 1 and a table of what moved
python -m benchmarks check --update    take today's numbers as the new record (say why in CHANGELOG.md, "Numbers")
"""

from __future__ import annotations

import argparse
import sys

from mardini.errors import command


@command
def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="check", required=True)
    check = commands.add_parser(
        "check", help="a small fixed case of the main job against its committed record"
    )
    check.add_argument("--update", action="store_true", help="write today's numbers as the record")
    options = parser.parse_args(argv)
    from benchmarks.check import check_interpolation

    return check_interpolation(options.update)


if __name__ == "__main__":
    sys.exit(main())
