"""Every clip's score of one system against another's: where a system fails, and on which clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Group, read_lines
from reports.style import colour

METRIC = "ssim_vidim_mid"
Row = Mapping[str, Any]


def rows(group: Group) -> list[dict[str, Any]]:
    """System, clip and middle-frame SSIM, from the per-clip rows beside the records."""
    return [
        {"system": variant, "clip": clip["clip"], "value": clip["scores"][METRIC]}
        for variant in group.records
        for clip in read_lines(group.folder / variant / "clips.jsonl")
        if METRIC in clip["scores"]
    ]


def draw(rows: Sequence[Row], axes: Sequence[Any]) -> None:
    """Clips from the hardest to the easiest (mean over systems); the five hardest are named."""
    (ax,) = axes
    clips = list(dict.fromkeys(row["clip"] for row in rows))
    mean = {c: sum(r["value"] for r in rows if r["clip"] == c) for c in clips}
    clips.sort(key=lambda clip: mean[clip])
    for number, system in enumerate(dict.fromkeys(row["system"] for row in rows)):
        own = {row["clip"]: row["value"] for row in rows if row["system"] == system}
        ax.plot(
            range(len(clips)),
            [own[clip] for clip in clips],
            color=colour(system, number),
            marker="o",
            markersize=2.5,
            linestyle="",
            label=system,
        )
    ax.set_xticks(range(len(clips))[:5], clips[:5], rotation=60, ha="right")
    ax.set_xlabel("clips, hardest first", loc="right")
    ax.set_ylabel("SSIM of the middle frame ↑")
