"""The toolkit's own pages: what there is to choose from, and which weights are on this machine.

python -m eval list                       datasets, protocols, systems and metrics
python -m eval weights                    detector weights: what is here, where the rest comes from
python -m eval weights --fetch            fetch what is missing
python -m eval calibrate                  all metrics against other implementations, into eval/README.md
python -m eval.interpolation --help       score frame-interpolation systems
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mardini.errors import command


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m eval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    pages = parser.add_subparsers(dest="page", metavar="{list,weights,calibrate}")
    pages.add_parser("list", help="datasets, protocols, systems and metrics")
    weights = pages.add_parser("weights", help="detector weights on this machine", allow_abbrev=False)
    weights.add_argument("--fetch", action="store_true", help="download what is missing")
    weights.add_argument("--weights-dir", type=Path, metavar="DIR", help="looked in first, fetched into")
    calibrate = pages.add_parser(
        "calibrate", help="every metric against other implementations", allow_abbrev=False
    )
    calibrate.add_argument("--only", metavar="A,B", help="metrics to compare; nothing is written")
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
        return show_names()
    if options.page == "weights":
        return show_weights(options.weights_dir, options.fetch)
    if options.page == "calibrate":
        from eval.calibration.page import calibrate

        return calibrate(options.only.split(",") if options.only else None, options.real)
    parser().print_help()
    return 0


def show_names() -> int:
    """Print every name the commands accept."""
    from eval.datasets import DATASETS
    from eval.metrics import FAMILIES, METRICS
    from eval.protocols import TASKS, protocol_for
    from eval.systems import SYSTEMS

    print("datasets (--dataset)")
    for info in DATASETS.values():
        print(f"  {info.name:14} {info.line}")
    print("\nprotocols")
    for task in TASKS:
        for info in DATASETS.values():
            if info.truth or task == "i2v":
                protocol = protocol_for(task, info.name)
                size = f"{protocol.size[0]}x{protocol.size[1]}" if protocol.size else "any size"
                given = ", ".join(map(str, protocol.given))
                print(
                    f"  {protocol.id:24} {protocol.frames} frames, {size}, given: {given}; {protocol.source}"
                )
    print("\nsystems (--systems); datasets may bring more, --predictions adds your own")
    for name, system in SYSTEMS.items():
        print(f"  {name:14} {system.line}")
    print("\nmetrics (--metrics)")
    for name, members in FAMILIES.items():
        print(f"  {name:14} {' and '.join(members)}")
    for name, entry in METRICS.items():
        if name not in FAMILIES:
            print(f"  {name:14} {entry.description}")
    return 0


def show_weights(weights_dir: Path | None, fetch: bool) -> int:
    """Print every weight file and whether it is here; status 2 if fetching one failed."""
    from eval.weights import fetch_all, rows

    failed = []
    if fetch:
        failed = [found.sentence for found in fetch_all(None, weights_dir).values() if found.path is None]
    for row in rows(weights_dir):
        print(f"{row['file']}  ({row['MB']} MB, for {row['metrics']})")
        for field in ("here", "url", "sha256", "licence"):
            print(f"  {field:8} {row[field]}")
    for sentence in failed:
        print(f"error: {sentence}", file=sys.stderr)
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
