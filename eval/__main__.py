"""The toolkit's own pages: what there is to choose from, and what of it is on this machine.

python -m eval list                       datasets, protocols, systems and metrics, and what is here
python -m eval weights                    weight files: what is here, where the rest comes from
python -m eval weights --fetch            fetch what is missing
python -m eval table A/record.json B ...  records of several runs in one table, if they belong together
python -m eval calibrate                  all metrics against other implementations, into eval/README.md
python -m eval.interpolation --help       score frame-interpolation systems
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mardini.errors import UserError, command


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m eval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    pages = parser.add_subparsers(dest="page", metavar="{list,weights,table,calibrate}")
    names = pages.add_parser(
        "list",
        help="datasets, protocols, systems and metrics, and what is on this machine",
        allow_abbrev=False,
    )
    names.add_argument("--weights-dir", type=Path, metavar="DIR", help="looked in for weights first")
    weights = pages.add_parser("weights", help="weight files on this machine", allow_abbrev=False)
    weights.add_argument("--fetch", action="store_true", help="download what is missing")
    weights.add_argument("--weights-dir", type=Path, metavar="DIR", help="looked in first, fetched into")
    table = pages.add_parser("table", help="records of several runs in one table", allow_abbrev=False)
    table.add_argument("records", type=Path, nargs="+", help="record.json files, or folders with them below")
    calibrate = pages.add_parser(
        "calibrate", help="every metric against other implementations", allow_abbrev=False
    )
    calibrate.add_argument("--only", metavar="A,B", help="metrics to measure again; other rows are kept")
    calibrate.add_argument(
        "--real",
        type=Path,
        nargs="?",
        const=Path(os.environ.get("MARDINI_SHARED", "")),
        metavar="DIR",
        help="on frames of DAVIS in DIR (default: MARDINI_SHARED); nothing is written",
    )
    return parser


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = parser().parse_args(argv)
    if options.page == "list":
        return show_names(options.weights_dir)
    if options.page == "weights":
        return show_weights(options.weights_dir, options.fetch)
    if options.page == "table":
        return show_table(options.records)
    if options.page == "calibrate":
        from eval.calibration.page import calibrate

        return calibrate(options.only.split(",") if options.only else None, options.real)
    parser().print_help()
    return 0


def show_names(weights_dir: Path | None) -> int:
    """Print every name the commands accept, and what of it is here."""
    from eval.listing import lines

    for line in lines(weights_dir):
        print(line)
    return 0


def show_weights(weights_dir: Path | None, fetch: bool) -> int:
    """Print every weight file and whether it is here; status 2 if fetching one failed."""
    from eval.weights import fetch_all, rows

    failed = []
    if fetch:
        failed = [found.sentence for found in fetch_all(None, weights_dir).values() if found.path is None]
    for row in rows(weights_dir):
        print(f"{row['file']}  ({row['MB']} MB, for {row['users']})")
        for field in ("here", "url", "sha256", "licence"):
            print(f"  {field:8} {row[field]}")
    for sentence in failed:
        print(f"error: {sentence}", file=sys.stderr)
    return 2 if failed else 0


def show_table(paths: Sequence[Path]) -> int:
    """Print the columns that all records share, compared clip by clip; refused if they do not belong together."""
    from eval.comparison import check_rows, compare_with_best
    from eval.metrics import place_of
    from eval.results import Store, read_json
    from eval.table import notes, tables

    files = [
        file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("record.json")))
    ]
    records = {
        file: record for file in files if (record := read_json(file)) is not None and "metrics" in record
    }
    if not records or len(records) < len(files):
        unread = next((file for file in files if file not in records), paths[0])
        raise UserError(f"{unread} holds no record: give record.json files that the eval commands wrote")
    found = list(records.values())
    variants = [record["variant"] for record in found]
    if twice := sorted({variant for variant in variants if variants.count(variant) > 1}):
        raise UserError(f"two records are of system '{twice[0]}': give each system once")
    first = found[0]["metrics"]
    shared = [name for name in first if all(name in record["metrics"] for record in found)]
    shared.sort(key=lambda name: (place_of(first[name]["metric"]["name"]), name.endswith("_all")))
    if not shared:
        raise UserError("the records share no column: score them with the same --metrics")
    rows = {record["variant"]: Store(file.parent).rows for file, record in records.items()}
    for file, record in records.items():
        check_rows(record, rows[record["variant"]], shared, file)
    print(f"{found[0]['protocol']} on {found[0]['dataset']['name']}\n")
    print(tables(found, shared, to_best=compare_with_best(found, shared, rows)))
    print()
    for note in notes(found, shared):
        print(note)
    return 0


if __name__ == "__main__":
    sys.exit(main())
