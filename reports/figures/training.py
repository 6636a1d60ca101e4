"""The losses of a model's stages, on training and on held-out clips, from its logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.style import SERIES

LINES = (("loss", SERIES[0], "training"), ("held_out", SERIES[1], "held out, averaged weights"))
Row = Mapping[str, Any]


def rows(logs: Mapping[str, Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """Stage, clips seen, losses; before the first step there is none on training clips."""
    return [
        {"stage": stage, "clips": line["clips"], "loss": line.get("loss"), "held_out": line.get("held_out")}
        for stage, lines in logs.items()
        for line in lines
    ]


def draw(rows: Sequence[Row], axes: Sequence[Any]) -> None:
    """A panel a stage. Masked latents and velocities have unit variance, so 1 is the loss of a blind guess."""
    for ax, stage in zip(axes, dict.fromkeys(row["stage"] for row in rows), strict=True):
        own = [row for row in rows if row["stage"] == stage]
        values = [row[name] for row in own for name, _, _ in LINES if row[name] is not None]
        for name, color, label in LINES:
            known = [(row["clips"] / 1000, row[name]) for row in own if row[name] is not None]
            if known:
                ax.plot(*zip(*known, strict=True), color=color, label=label)
        ax.set_title(stage)
        ax.set_xlabel("clips, thousands")
        ax.set_ylim(0, 1.08 * max(values))
    axes[0].set_ylabel("loss ↓")
