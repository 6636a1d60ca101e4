"""Figure 9: a sharper frame can score worse. The clip and system that show it most, found among all by rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reports.figures import strips
from reports.figures.strips import TRUTH, Row
from reports.records import Group
from reports.style import COLUMN

if TYPE_CHECKING:
    import numpy as np

    from reports.frames import Frames

BLURRED = "blend"
LOSS = 0.02
"""SSIM that a frame must lie below the cross-fade to count."""
TITLE = (
    "A sharper frame can score worse (Figure 9 of the paper): of all middle frames whose SSIM is below a "
    "cross-fade's, the one whose sharpness is nearest to the truth's"
)


def rows(group: Group, frames: Frames | None) -> list[dict[str, Any]]:
    """Truth, the cross-fade and the sharper frame, each with its sharpness and scores; none if there is no such pair.

    Sharpness is measured on frames, so the choice needs them; ``None``: they are not here.
    """
    middle = group.first["frames"]["middle"]
    if (
        frames is None
        or middle is None
        or BLURRED not in group.records
        or not (group.complete and frames.truth)
    ):
        return []
    made = {name: frames.made(name) for name in group.records}
    scores = {name: {row["clip"]: row["scores"] for row in group.rows(name)} for name in group.records}
    best: tuple[float, str, str] | None = None
    for clip, truth in frames.truth.items():
        wanted = sharpness(truth[middle])
        for name in group.records:
            if name == BLURRED or clip not in made[name] or clip not in made[BLURRED]:
                continue
            ours, theirs = (abs(sharpness(made[n][clip][middle]) / wanted - 1) for n in (name, BLURRED))
            loss = scores[BLURRED][clip]["ssim_vidim_mid"] - scores[name][clip]["ssim_vidim_mid"]
            if ours < theirs and loss >= LOSS and (best is None or ours < best[0]):
                best = ours, clip, name
    if best is None:
        return []
    _, clip, name = best
    found = []
    for system in (TRUTH, BLURRED, name):
        clips = frames.truth if system == TRUTH else made[system]
        sharp = sharpness(clips[clip][middle])
        note = f"sharpness {sharp:.1f}"
        if system != TRUTH:
            note += f"\nSSIM {scores[system][clip]['ssim_vidim_mid']:.3f}"
        (row,) = strips.line(group, 0, "", system, [(clip, middle)], notes=[note])
        found.append({**row, "sharpness": round(sharp, 4)})
    return found


def sharpness(picture: np.ndarray) -> float:
    """Mean size of the gradient of the luma of a ``uint8`` (H, W, 3) frame, in levels a pixel."""
    import numpy as np

    luma = picture.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    down, across = np.gradient(luma)
    return float(np.hypot(down, across).mean())


def size(rows: Sequence[Row]) -> tuple[float, float]:
    """Inches of a column."""
    return strips.size(rows, COLUMN, headings=True) if rows else (COLUMN, 1.5)


def draw(rows: Sequence[Row], axes: Sequence[Any], frames: Frames) -> None:
    """Three frames side by side, named above."""
    strips.draw(rows, axes, frames, [row["system"] for row in rows])
