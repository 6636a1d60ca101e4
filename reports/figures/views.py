"""Figure 7: the views between two views of a scene. Clips in which the whole picture turns or comes nearer."""

from __future__ import annotations

from typing import Any

from reports.figures import strips
from reports.figures.strips import TRUTH
from reports.records import Group

SYSTEM = "mardini"
CAMERA = ("perspective", "rotation", "zoom")
CLIPS = 2
TITLE = "Views between two views (Figure 7 of the paper): clips of camera-like motion"


def rows(group: Group) -> list[dict[str, Any]]:
    """Truth and the model, of the clips with most of the motions of a camera and no lights that change."""
    found: list[dict[str, Any]] = []

    def place(row: Any) -> tuple[int, int, str]:
        tags = row.get("tags", ())
        return -sum(tag in tags for tag in CAMERA), len(set(tags) - set(CAMERA)), row["clip"]

    chosen = [row for row in sorted(group.rows(SYSTEM), key=place) if place(row)[0] < 0][:CLIPS]
    for number, row in enumerate(chosen):
        cells = [(row["clip"], frame) for frame in strips.some(group.first["frames"]["clip"], 9)]
        found += strips.line(group, 2 * number, SYSTEM, SYSTEM, cells)
        found += strips.line(group, 2 * number + 1, "truth", TRUTH, cells)
    return found
