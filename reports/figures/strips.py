"""Strips of frames: what was given, what was made, the truth, and maps of the difference to it.

A strip's rows say which frame stands where, with its score and the hash of the clip that it is from; so the numbers of
a picture are its records', and only frames that those records speak of can be drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.records import Group
from reports.style import GIVEN, PAGE

if TYPE_CHECKING:
    import numpy as np

    from reports.frames import Frames

TRUTH = "truth"
LABEL, EDGE = 0.68, 0.02
"""Inches left of the frames, for what a line shows; and around all."""
GAP, WORDS, HEADING, SCALE = 0.05, 0.115, 0.17, 0.36
"""Inches between frames, of a line of words below one, of names above all, and of the scale of difference maps."""
LARGEST = 64
"""Difference, in levels of 255, that is drawn brightest."""
Row = Mapping[str, Any]


def line(
    group: Group,
    number: int,
    label: str,
    system: str,
    cells: Iterable[tuple[str, int]],
    *,
    show: str = "frame",
    notes: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The rows of one line of a strip.

    Args:
        group: the records.
        number: of the line, from 0.
        label: left of it.
        system: variant, or ``TRUTH``.
        cells: (clip, index of the frame), from left to right.
        show: ``frame``, ``difference`` to the truth, or ``nothing``: a place left empty.
        notes: below each frame; default: none.
    """
    known = {} if system == TRUTH else {row["clip"]: row for row in group.rows(system)}
    generated = group.first["frames"]["generated"]
    found = []
    for place, (clip, frame) in enumerate(cells):
        row: dict[str, Any] = {"line": number, "label": label, "show": show, "system": system, "clip": clip}
        row |= {"frame": frame, "given": frame not in generated, "note": notes[place] if notes else ""}
        if show == "difference" and row["given"]:
            row["show"] = "nothing"  # it is the truth itself
        score = known.get(clip)
        if score is not None and not row["given"] and "psnr" in score["frames"]:
            row["psnr"] = round(score["frames"]["psnr"][generated.index(frame)], 4)
        row["clip_sha256"] = score["prediction"][:16] if score is not None else ""
        found.append(row)
    return found


def systems(rows: Sequence[Row]) -> list[str]:
    """Variants whose frames a strip needs, besides the truth."""
    return list(dict.fromkeys(row["system"] for row in rows if row["system"] != TRUTH))


def ready(rows: Sequence[Row], frames: Frames) -> bool:
    """Whether all frames that a strip shows are here."""
    return frames.have(systems(rows), list(dict.fromkeys(row["clip"] for row in rows)))


@dataclass(frozen=True)
class Layout:
    """Where everything stands, in inches; y from the top.

    Attributes:
        width, height: of the figure.
        frame: side of a frame.
        tops: of the frames of each line.
        scale: top of what explains difference maps; ``None``: there are none.
    """

    width: float
    height: float
    frame: float
    tops: tuple[float, ...]
    scale: float | None

    @staticmethod
    def of(rows: Sequence[Row], width: float, headings: bool = False) -> Layout:
        """Square frames, as wide as ``width`` allows; lines with notes are higher."""
        lines = [[row for row in rows if row["line"] == n] for n in range(1 + max(r["line"] for r in rows))]
        left = LABEL if any(row["label"] for row in rows) else EDGE
        columns = max(map(len, lines))
        frame = (width - left - EDGE - (columns - 1) * GAP) / columns
        top, tops = HEADING if headings else EDGE, []
        for line in lines:
            tops.append(top)
            words = max(row["note"].count("\n") + 1 if row["note"] else 0 for row in line)
            top += frame + words * WORDS + (0.06 if words else 0) + GAP
        maps = any(row["show"] == "difference" for row in rows)
        return Layout(width, top + (SCALE if maps else 0), frame, tuple(tops), top if maps else None)

    def left(self, place: int) -> float:
        """Of a frame, counted from the right edge so that labels have their room."""
        return place * (self.frame + GAP)


def size(rows: Sequence[Row], width: float = PAGE, headings: bool = False) -> tuple[float, float]:
    """Inches of a strip."""
    layout = Layout.of(rows, width, headings)
    return layout.width, layout.height


def draw(rows: Sequence[Row], axes: Sequence[Any], frames: Frames, headings: Sequence[str] = ()) -> None:
    """Lines of frames; given ones have a line around them. Differences: mean over channels, from black to bright."""
    from matplotlib.patches import Rectangle

    (ax,) = axes
    width, height = fill(ax)
    layout = Layout.of(rows, width, bool(headings))
    side = layout.frame
    start = LABEL if any(row["label"] for row in rows) else EDGE
    made = {name: frames.made(name) for name in systems(rows)} | {TRUTH: frames.truth}
    for number, top in enumerate(layout.tops):
        own = [row for row in rows if row["line"] == number]
        style = {"ha": "right", "va": "center", "fontsize": 6.5, "linespacing": 1.3}
        ax.text(start - 0.07, height - top - side / 2, own[0]["label"], **style)
        for place, row in enumerate(own):
            if row["show"] == "nothing":
                continue
            left, bottom = start + layout.left(place), height - top - side
            box: dict[str, Any] = {"extent": (left, left + side, bottom, bottom + side)}
            box |= {"interpolation": "none", "aspect": "auto"}
            picture = made[row["system"]][row["clip"]][int(row["frame"])]
            if row["show"] == "difference":
                error = difference(picture, frames.truth[row["clip"]][int(row["frame"])])
                ax.imshow(error, cmap="inferno", vmin=0, vmax=LARGEST, **box)
            else:
                ax.imshow(picture, **box)
            if str(row["given"]) == "True" and row["show"] == "frame":
                around = {"fill": False, "edgecolor": GIVEN, "linewidth": 1.4}
                ax.add_patch(Rectangle((left, bottom), side, side, **around))
            style = {"ha": "center", "va": "top", "fontsize": 6, "linespacing": 1.25}
            ax.text(left + side / 2, bottom - 0.035, row["note"], **style)
    for place, name in enumerate(headings):
        style = {"ha": "center", "va": "bottom", "fontsize": 7, "fontweight": "bold"}
        ax.text(start + layout.left(place) + side / 2, height - layout.tops[0] + 0.035, name, **style)
    if layout.scale is not None:
        scale(ax, start + (width - start) / 2, height - layout.scale)
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)


def fill(ax: Any) -> tuple[float, float]:
    """Let axes cover their figure, a unit an inch; width and height."""
    ax.figure.set_layout_engine("none")
    ax.set_position((0, 0, 1, 1))
    ax.set_axis_off()
    wide, high = ax.figure.get_size_inches()
    return float(wide), float(high)


def scale(ax: Any, middle: float, top: float) -> None:
    """What the colours of a difference map mean."""
    wide, high = 2.0, 0.06
    left, bottom = middle - wide / 2, top - 0.05 - high
    ramp = [[level / 255 for level in range(256)]]
    ax.imshow(ramp, cmap="inferno", extent=(left, left + wide, bottom, bottom + high), aspect="auto")
    for part, word in ((0.0, "0"), (0.5, str(LARGEST // 2)), (1.0, f"≥ {LARGEST}")):
        ax.text(left + part * wide, bottom - 0.03, word, ha="center", va="top", fontsize=6)
    words = "absolute difference to the truth, levels of 255"
    ax.text(middle, bottom - 0.135, words, ha="center", va="top", fontsize=6)


def difference(picture: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Absolute difference of ``uint8`` (H, W, 3) pictures, mean over channels: float (H, W), 0 to 255."""
    return abs(picture.astype("float32") - truth).mean(axis=-1)


def ranked(group: Group, system: str, metric: str = "psnr_clip") -> list[str]:
    """Clips of a group from a system's worst to its best."""
    rows = [row for row in group.rows(system) if metric in row["scores"]]
    return [row["clip"] for row in sorted(rows, key=lambda row: (row["scores"][metric], row["clip"]))]


def some(count: int, at_most: int) -> list[int]:
    """``at_most`` of ``count`` indices, evenly spread, the first and the last among them."""
    if count <= at_most:
        return list(range(count))
    return [round(place * (count - 1) / (at_most - 1)) for place in range(at_most)]
