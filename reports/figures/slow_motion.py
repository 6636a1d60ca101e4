"""Figure 11: four images become many frames, hierarchically."""

from __future__ import annotations

from typing import Any

from reports.figures import strips
from reports.figures.strips import TRUTH
from reports.records import Group

LINES, COLUMNS = 3, 9


def title(group: Group) -> str:
    """Caption, with how many images became how many frames."""
    frames = group.first["frames"]
    shown = min(LINES * COLUMNS, frames["clip"])
    return (
        f"{len(frames['given'])} images to {frames['clip']} frames (Figure 11 of the paper), {shown} of them shown; "
        "the last line is the truth at the places of the line above"
    )


def rows(group: Group, system: str) -> list[dict[str, Any]]:
    """Frames evenly spread over the clip, read like text; given ones always among them; then a line of the truth."""
    known = group.rows(system)
    if not known:
        return []
    frames = group.first["frames"]
    clip, places = known[0]["clip"], strips.some(frames["clip"], LINES * COLUMNS)
    for index in frames["given"]:
        nearest = min(range(len(places)), key=lambda place: abs(places[place] - index))
        places[nearest] = index
    found = []
    for number, start in enumerate(range(0, len(places), COLUMNS)):
        part = places[start : start + COLUMNS]
        cells, notes = [(clip, frame) for frame in part], [str(frame) for frame in part]
        found += strips.line(group, number, system, system, cells, notes=notes)
    number = 1 + max(row["line"] for row in found)
    cells = [(clip, frame) for frame in places[-COLUMNS:]]
    return [*found, *strips.line(group, number, "truth", TRUTH, cells)]
