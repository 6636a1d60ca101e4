"""Figure 5: the same clip generated with the planning signal and without it."""

from __future__ import annotations

from typing import Any

from reports.figures import strips
from reports.figures.strips import TRUTH
from reports.records import Group

WITH, WITHOUT = "mardini", "mardini-guidance0"
TITLE = "With and without the planning signal (Figure 5 of the paper): the clip of the median gain"


def rows(group: Group) -> list[dict[str, Any]]:
    """Truth, both systems and their differences, of the clip where the plan helps as much as it does on most."""
    scores = [
        {row["clip"]: row["scores"]["psnr_clip"] for row in group.rows(name) if "psnr_clip" in row["scores"]}
        for name in (WITH, WITHOUT)
    ]
    gains = sorted((scores[0][clip] - scores[1][clip], clip) for clip in scores[0].keys() & scores[1].keys())
    if not gains:
        return []
    clip = gains[(len(gains) - 1) // 2][1]
    cells = [(clip, frame) for frame in strips.some(group.first["frames"]["clip"], 9)]
    found = strips.line(group, 0, "truth", TRUTH, cells)
    for number, (label, system) in enumerate((("with plan", WITH), ("without", WITHOUT))):
        found += strips.line(group, 2 * number + 1, label, system, cells)
        found += strips.line(group, 2 * number + 2, "difference", system, cells, show="difference")
    return found
