"""Training curves from logs: loss on training and held-out clips, stage after stage.

python -m reports.training mardini/checkpoints/nano/training --out mardini/checkpoints/nano/training.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from reports.records import ReportError, read_lines

Row = Mapping[str, float]
ACROSS = 5  # stages side by side


def read_logs(folder: Path) -> dict[str, Sequence[Row]]:
    """``<number>-<stage>.jsonl`` files of a folder, in order: stage -> rows with clips, loss and held_out."""
    found = [(file.stem.partition("-"), file) for file in sorted(folder.glob("*.jsonl"))]
    files = sorted((int(number), stage, file) for (number, _, stage), file in found if number.isdigit())
    if not files:
        raise ReportError(
            f"no training logs (<number>-<stage>.jsonl) in {folder}: give the folder that holds them"
        )
    logs: dict[str, Sequence[Row]] = {stage: rows for _, stage, file in files if (rows := read_lines(file))}
    if not logs:
        raise ReportError(f"the training logs in {folder} are empty: give others, or train first")
    return logs


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m reports.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("logs", type=Path, help="folder of <number>-<stage>.jsonl files")
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")
    options = parser.parse_args(argv)
    try:
        logs = read_logs(options.logs)
    except ReportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from reports.figure import legend
    from reports.figures.training import draw, rows
    from reports.style import styled

    with styled() as pyplot:
        across = min(len(logs), ACROSS)
        down = -(-len(logs) // across)
        figure, grid = pyplot.subplots(down, across, figsize=(1.9 * across, 1.8 * down + 0.2), squeeze=False)
        axes = list(grid.flat)
        for surplus in axes[len(logs) :]:
            surplus.remove()
        draw(rows(logs), axes[: len(logs)])
        legend(figure, axes[: len(logs)])
        figure.savefig(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
