"""Figure 10: the middle frames of all systems side by side, each with its difference to the truth below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.figures import strips
from reports.figures.strips import TRUTH, Row
from reports.frames import Frames
from reports.records import Group
from reports.style import PAGE

SYSTEM = "mardini"
HIDDEN = "mardini-"
"""Variants of the model stand in figures of their own."""
PLACES = (("best", -1), ("median", None), ("worst", 0))
TITLE = "Middle frames (Figure 10 of the paper): the model's best, median and worst clip by SSIM"


def rows(group: Group) -> list[dict[str, Any]]:
    """A pair of lines a clip: given frames, all systems, the truth; and below, differences."""
    middle, given = group.first["frames"]["middle"], group.first["frames"]["given"]
    clips = strips.ranked(group, SYSTEM, "ssim_vidim_mid")
    if middle is None or len(clips) < len(PLACES) or not group.complete:
        return []
    names = [name for name in group.records if not name.startswith(HIDDEN)]
    scores = {name: {row["clip"]: row["scores"] for row in group.rows(name)} for name in names}
    found: list[dict[str, Any]] = []
    for number, (word, place) in enumerate(PLACES):
        clip = clips[len(clips) // 2 if place is None else place]
        label = f"{word}:\n{clip}"
        ends = [(clip, given[0]), (clip, given[-1])]
        notes = [f"frame {frame}" for _, frame in ends]
        found += strips.line(group, 2 * number, label, TRUTH, ends, notes=notes)
        for name in names:
            note = f"SSIM {scores[name][clip]['ssim_vidim_mid']:.3f}"
            found += strips.line(group, 2 * number, label, name, [(clip, middle)], notes=[note])
        found += strips.line(group, 2 * number, label, TRUTH, [(clip, middle)], notes=[f"frame {middle}"])
        for blank in ends:
            found += strips.line(group, 2 * number + 1, "difference", TRUTH, [blank], show="nothing")
        for name in names:
            found += strips.line(
                group, 2 * number + 1, "difference", name, [(clip, middle)], show="difference"
            )
    return found


def size(rows: Sequence[Row]) -> tuple[float, float]:
    """Inches, with names above."""
    return strips.size(rows, PAGE, headings=True)


def draw(rows: Sequence[Row], axes: Sequence[Any], frames: Frames) -> None:
    """As every strip, with the systems' names above."""
    first = [row for row in rows if row["line"] == 0]
    headings = ["given" if str(row["given"]) == "True" else row["system"] for row in first]
    strips.draw(rows, axes, frames, headings)
