"""The clips of the page's player: which frames of which systems, their scores, and the pictures that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.figures.strips import some
from reports.frames import Frames, may_be_shown
from reports.page.pictures import webp
from reports.records import Group, Record

AT_MOST = 25
"""Frames of a clip in the player; of longer ones so many, evenly spread."""
METRICS = (
    (("psnr",), "PSNR"),
    (("ssim_vidim",), "SSIM"),
    (("lpips_alex", "lpips_alex_random"), "LPIPS"),
)
"""Scores shown below a frame: names in the rows, and what they are called."""
TITLES = {"interpolation": "Interpolation", "i2v": "Image-to-video", "expansion": "Expansion"}
DIGITS = 16
"""Of a hash, in names."""


@dataclass(frozen=True)
class Sheet:
    """Frames of a clip side by side, as one picture.

    Attributes:
        name: made of the hash of the clip, so that it tells whether a picture made before is still the records'.
        frames: ``uint8`` (T, H, W, 3), or ``None`` where they are not here.
        places: which of them are in it, from left to right.
    """

    name: str
    frames: np.ndarray | None
    places: Sequence[int]

    def picture(self) -> str:
        """The sheet as a data URI."""
        if self.frames is None:
            raise ValueError(f"no frames for {self.name}")
        return webp(np.concatenate([self.frames[place] for place in self.places], axis=1))


def sheet_name(digest: str, clip: str, places: Sequence[int]) -> str:
    """``3f2a.../synth/00001 1-7``."""
    return f"{digest[:DIGITS]}/{clip} {places[0]}-{places[-1]}" + (
        "" if len(places) == places[-1] - places[0] + 1 else f" {len(places)} of them"
    )


def sets(groups: Sequence[Group]) -> list[tuple[dict[str, Any], list[Sheet]]]:
    """For every set of clips that may be shown: what the player is told of it, and its sheets."""
    found = []
    for group in groups:
        if may_be_shown(group) and group.complete:
            found.append(of_group(group))
    return found


def of_group(group: Group) -> tuple[dict[str, Any], list[Sheet]]:
    """Clips with the systems that are pictured; true frames, and so given ones, are in the sheet of the truth alone.

    With those that differ from another in what is ours alone the page would hold twice as many frames.
    """
    frames, first = Frames(group), group.first
    given, count = first["frames"]["given"], first["frames"]["clip"]
    places = sorted({*some(count, AT_MOST), *given})
    made_places = [place for place in places if place not in given]
    rows = {variant: {row["clip"]: row for row in group.rows(variant)} for variant in group.pictured}
    names = metrics(rows)
    sheets, clips = [], []
    made = {variant: frames.made(variant) for variant in rows}
    for clip, row in next(iter(rows.values())).items():
        truth = sheet_name(first["dataset"]["pixels_sha256"], clip, places)
        sheets.append(Sheet(truth, frames.truth.get(clip), places))
        systems = {}
        for variant, own in rows.items():
            if clip in own:
                name = sheet_name(own[clip]["prediction"], clip, made_places)
                sheets.append(Sheet(name, made[variant].get(clip), made_places))
                systems[variant] = {"sheet": name, **scores(own[clip], first, names, made_places)}
        clips.append({"clip": clip, "tags": row.get("tags", []), "truth": truth, "systems": systems})
    told = {
        "name": group.path,
        "title": f"{TITLES[group.task]}: {group.clips}, {count} frames, {len(given)} given",
        "size": list(next(iter(frames.truth.values())).shape[1:3])
        if frames.truth
        else first["frames"]["size"],
        "fps": first["dataset"]["fps"],
        "places": places,
        "given": given,
        "systems": list(rows),
        "left_out": [variant for variant in group.records if variant not in rows],
        "metrics": {name: {"label": label, **direction(group, name)} for name, label in names.items()},
        "clips": clips,
    }
    return told, sheets


def metrics(rows: Mapping[str, Mapping[str, Record]]) -> dict[str, str]:
    """Metrics of single frames that all rows have: name -> what it is called."""
    every = [row["frames"].keys() for own in rows.values() for row in own.values()]
    found = {}
    for names, label in METRICS:
        name = next((name for name in names if all(name in known for known in every)), None)
        if name is not None:
            found[name] = label + ("†" if "_random" in name else "")
    return found


def direction(group: Group, name: str) -> dict[str, Any]:
    """Whether more is better, and digits."""
    entry = group.first["metrics"][f"{name}_all"]
    return {"higher": entry["higher_is_better"], "decimals": entry["decimals"]}


def scores(row: Record, record: Record, names: Mapping[str, str], places: Sequence[int]) -> dict[str, Any]:
    """Of a clip as a whole, and of each of its frames in the sheet."""
    order = record["frames"]["generated"]
    return {
        "scores": {name: row["scores"][f"{name}_all"] for name in names},
        "frames": {name: [round(row["frames"][name][order.index(p)], 5) for p in places] for name in names},
    }
