"""Figure 8: a clip is given and goes on, beside what really came and a rival; also image-to-video, from one frame."""

from __future__ import annotations

from typing import Any

from reports.figures import strips
from reports.figures.strips import TRUTH
from reports.records import Group

SYSTEM = "mardini"
RIVALS = ("flow", "repeat")
TITLES = {
    "expansion": "Video expansion (Figure 8 of the paper): the clip of the median score",
    "i2v": "Image-to-video: the clip of the median score",
}


def rows(group: Group) -> list[dict[str, Any]]:
    """Truth, the model, its difference, and the first rival that there is."""
    clips = strips.ranked(group, SYSTEM)
    if not clips:
        return []
    clip = clips[len(clips) // 2]
    cells = [(clip, frame) for frame in strips.some(group.first["frames"]["clip"], 9)]
    found = strips.line(group, 0, "truth", TRUTH, cells)
    found += strips.line(group, 1, SYSTEM, SYSTEM, cells)
    found += strips.line(group, 2, "difference", SYSTEM, cells, show="difference")
    rival = next((name for name in RIVALS if name in group.records), None)
    if rival is not None:
        found += strips.line(group, 3, rival, rival, cells)
    return found
