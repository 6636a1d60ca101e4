"""Training curves from logs: loss on training and held-out clips, stage after stage.

python -m reports.training mardini/checkpoints/nano/training --out mardini/checkpoints/nano/training.png
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

Row = Mapping[str, float]
LINES = (("loss", "#0072B2", "training"), ("held_out", "#D55E00", "held out, averaged weights"))


def read_logs(folder: Path) -> dict[str, list[Row]]:
    """``<number>-<stage>.jsonl`` files of a folder, in order: stage -> rows with clips, loss and held_out."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        print(
            f"error: no training logs (*.jsonl) in {folder}: give the folder that holds them", file=sys.stderr
        )
        raise SystemExit(2)
    return {
        file.stem.split("-", 1)[1]: [json.loads(line) for line in file.read_text().splitlines()]
        for file in files
    }


def draw(logs: Mapping[str, Sequence[Row]], axes: Sequence) -> None:
    """One panel a stage. Masked latents and velocities have unit variance, so 1 is the loss of a blind guess."""
    for ax, (stage, rows) in zip(axes, logs.items(), strict=True):
        for name, color, label in LINES:
            known = [row for row in rows if name in row]  # before the first step there is no training loss
            clips = [row["clips"] / 1000 for row in known]
            ax.plot(clips, [row[name] for row in known], color=color, label=label)
        ax.set_title(stage, fontsize=9)
        ax.set_xlabel("clips (thousands)", fontsize=8)
        ax.set_ylim(
            0, 1.08 * max(value for row in rows for key, value in row.items() if key in ("loss", "held_out"))
        )
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("loss", fontsize=8)
    axes[0].legend(fontsize=7, frameon=False, loc="lower left")


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
    logs = read_logs(options.logs)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(logs), figsize=(2.2 * len(logs), 2.3), squeeze=False, layout="constrained"
    )
    draw(logs, axes[0])
    figure.savefig(options.out, dpi=160)
    return 0


if __name__ == "__main__":
    sys.exit(main())
