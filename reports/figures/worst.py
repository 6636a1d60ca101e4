"""Every clip's score by every system, hardest clips first: where a system fails, and on which clips."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Group
from reports.style import look

METRICS = ("ssim_vidim_mid", "ssim_vidim_all", "psnr_all")
TITLES = {
    "ssim_vidim_mid": "SSIM of the middle frame ↑",
    "ssim_vidim_all": "SSIM ↑",
    "psnr_all": "PSNR, dB ↑",
}
NAMED = 20
"""Clips that can be named along a column's width; of more, the hardest of them are."""
CROWDED = 75
"""Clips beyond which two names side by side would touch on a page: the hardest alone is named."""
Row = Mapping[str, Any]


def rows(group: Group) -> list[dict[str, Any]]:
    """Clip, system and score, clips by their mean over systems, from the per-clip rows beside the records."""
    found: dict[str, dict[str, float]] = {}
    name = next((name for name in METRICS if name in group.first["metrics"]), METRICS[0])
    for variant in group.pictured if group.complete else ():
        for clip in group.rows(variant):
            if name in clip["scores"]:
                found.setdefault(clip["clip"], {})[variant] = clip["scores"][name]
    hardest = sorted(found, key=lambda clip: (statistics.fmean(found[clip].values()), clip))
    return [
        {"clip": clip, "system": variant, "metric": name, "value": value}
        for clip in hardest
        for variant, value in found[clip].items()
    ]


def draw(rows: Sequence[Row], axes: Sequence[Any]) -> None:
    """A column of marks a clip; the hardest clips are named."""
    (ax,) = axes
    clips = list(dict.fromkeys(row["clip"] for row in rows))
    systems = list(dict.fromkeys(row["system"] for row in rows))
    for place, clip in enumerate(clips):
        values = [row["value"] for row in rows if row["clip"] == clip]
        ax.plot([place] * 2, [min(values), max(values)], color="#DDDDDD", linewidth=0.8, zorder=1)
    for number, system in enumerate(systems):
        own = [(clips.index(row["clip"]), row["value"]) for row in rows if row["system"] == system]
        small = 3.2 if len(clips) <= NAMED else 2.0
        style = look(system, number) | {"linestyle": "", "markersize": small}
        ax.plot(*zip(*own, strict=True), label=system, **style)
    named = clips if len(clips) <= NAMED else clips[: NAMED // 3 if len(clips) <= CROWDED else 1]
    ax.set_xticks(range(len(named)), named, rotation=90)
    ax.set_xlim(-0.7, len(clips) - 0.3)
    ax.set_xlabel("clips, hardest first", loc="right")
    ax.set_title(TITLES[rows[0]["metric"]])
