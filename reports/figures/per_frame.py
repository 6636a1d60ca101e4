"""Score of each frame of a clip, by its place in it: the frames farthest from given ones are the hardest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Group
from reports.style import FAINT, look

SHOWN = (
    (("psnr",), "PSNR, dB ↑"),
    (("ssim_vidim",), "SSIM ↑"),
    (("lpips_alex", "lpips_alex_random"), "LPIPS{} ↓"),
)
Row = Mapping[str, Any]


def rows(group: Group) -> list[dict[str, Any]]:
    """System, metric, index of the frame in the clip, mean over clips. From the per-clip rows beside the records."""
    found = []
    frames = group.first["frames"]
    for variant in group.pictured if group.complete else ():
        clips = group.rows(variant)
        for names, _ in SHOWN:
            name = next((n for n in names if clips and all(n in c["frames"] for c in clips)), None)
            for place, index in enumerate(frames["generated"] if name else ()):
                values = [clip["frames"][name][place] for clip in clips]
                mean = math.fsum(values) / len(values)
                found.append(
                    {"system": variant, "metric": name, "frame": index, "mean": mean, "clips": len(values)}
                )
    return found


def draw(rows: Sequence[Row], axes: Sequence[Any], given: Sequence[int] = ()) -> None:
    """A panel a metric, a line a system; where a frame is given, a grey line."""
    for ax, (names, title) in zip(axes, SHOWN, strict=True):
        own = [row for row in rows if row["metric"] in names]
        if not own:
            ax.set_axis_off()
            ax.text(0.5, 0.5, "not measured", ha="center", va="center", transform=ax.transAxes)
            continue
        places = sorted({row["frame"] for row in own} | set(given))
        for number, system in enumerate(dict.fromkeys(row["system"] for row in own)):
            line = [(row["frame"], row["mean"]) for row in own if row["system"] == system]
            for part in runs(line):
                style = look(system, number) | ({"marker": None} if len(places) > 20 else {})
                ax.plot(
                    *zip(*part, strict=True),
                    **style,
                    label=system if part[0] == line[0] else None,
                )
        for frame in given:
            ax.axvline(frame, color=FAINT, linewidth=2.5, zorder=0)
        ax.set_xticks(places[:: max(1, len(places) // 9)])
        ax.set_xlabel("frame (grey: given)" if given else "frame")
        ax.set_title(title.format("†" if any("_random" in row["metric"] for row in own) else ""))


def runs(line: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """Points of a line in runs of neighbouring frames: a given frame between them breaks it."""
    parts: list[list[tuple[int, float]]] = []
    for point in line:
        if parts and point[0] == parts[-1][-1][0] + 1:
            parts[-1].append(point)
        else:
            parts.append([point])
    return parts
