"""Score of each frame of a clip, by its place between the given frames: the middle is the hardest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Group, read_lines
from reports.style import MARKERS, colour

SHOWN = (("psnr", "PSNR, dB ↑"), ("ssim_vidim", "SSIM ↑"), ("lpips_alex", "LPIPS ↓"))
Row = Mapping[str, Any]


def rows(group: Group) -> list[dict[str, Any]]:
    """System, metric, index of the frame in the clip, mean over clips. From the per-clip rows beside the records."""
    found = []
    generated = group.first["frames"]["generated"]
    for variant in group.records:
        clips = read_lines(group.folder / variant / "clips.jsonl")
        for name, _ in SHOWN:
            key = next((k for k in (name, f"{name}_random") if clips and k in clips[0]["frames"]), None)
            if key is None:
                continue
            for place, index in enumerate(generated):
                values = [clip["frames"][key][place] for clip in clips]
                mean = math.fsum(values) / len(values)
                found.append({"system": variant, "metric": key, "frame": index, "mean": mean})
    return found


def draw(rows: Sequence[Row], axes: Sequence[Any]) -> None:
    """A panel a metric, a line a system."""
    for ax, (name, label) in zip(axes, SHOWN, strict=True):
        own = [row for row in rows if row["metric"].removesuffix("_random") == name]
        if any(row["metric"].endswith("_random") for row in own):
            label = label.replace("LPIPS", "LPIPS, random features")
        for number, system in enumerate(dict.fromkeys(row["system"] for row in own)):
            line = [(row["frame"], row["mean"]) for row in own if row["system"] == system]
            ax.plot(
                *zip(*line, strict=True),
                color=colour(system, number),
                marker=MARKERS[number % len(MARKERS)],
                label=system,
            )
        ax.set_xlabel("frame")
        ax.set_title(label)
        ax.set_xticks(sorted({row["frame"] for row in own}))
