"""Frames for pictures: of generated clips alone, and only those that the records speak of.

Frames of DAVIS, UCF101, VIDIM and of any user's folder have owners, and a report is made to be passed on. So this
module is the only one that opens stored frames, and it opens none but those of the embedded benchmark. What it gives
has the hash that the record gives: a picture can never show other frames than those behind the numbers.
"""

from __future__ import annotations

import functools
import zipfile
import zlib
from pathlib import Path

import numpy as np

from reports.records import Group, ReportError, sha256_of

SHOWABLE = frozenset({"synthetic"})
"""Data sets whose frames are drawn by this project and may be passed on."""


class Frames:
    """Stored frames of a group of records on a showable data set.

    Raises:
        ReportError: the records are of another data set.
    """

    def __init__(self, group: Group) -> None:
        if not may_be_shown(group):
            raise ReportError(
                f"{group.path}: frames of '{group.dataset}' are never part of a report, only those of "
                f"{', '.join(sorted(SHOWABLE))}"
            )
        self.group = group

    @functools.cached_property
    def truth(self) -> dict[str, np.ndarray]:
        """Clip -> true frames, ``uint8`` (T, H, W, 3); empty where they, all of them, were not kept."""
        clips = [row["clip"] for row in self.group.rows(next(iter(self.group.records)))]
        for folder in dict.fromkeys(path.parent for path in self.group.folders.values()):
            found = {clip: read(folder / "_reference" / "predictions" / f"{clip}.npz") for clip in clips}
            whole = {clip: frames for clip, frames in found.items() if frames is not None}
            if len(whole) == len(clips) and clips:
                parts = (part for clip in clips for part in (clip, pixels_of(whole[clip])))
                if sha256_of(parts) == self.group.first["dataset"]["pixels_sha256"]:
                    return whole
        return {}

    def made(self, variant: str) -> dict[str, np.ndarray]:
        """Clip -> a system's whole clip, given frames among them; without those that were not kept."""
        found = {}
        for row in self.group.rows(variant):
            frames = read(self.group.folders[variant] / "predictions" / f"{row['clip']}.npz")
            if frames is not None and pixels_of(frames) == row["prediction"]:
                found[row["clip"]] = frames
        return found

    def have(self, variants: list[str], clips: list[str]) -> bool:
        """Whether the true frames and those of all these systems are here, of all these clips."""
        return all(
            set(clips) <= frames.keys() for frames in (self.truth, *(self.made(name) for name in variants))
        )


def may_be_shown(group: Group) -> bool:
    """Whether all records of a group say that their clips are the embedded benchmark's."""
    return {record["dataset"]["name"] for record in group.records.values()} <= SHOWABLE


def read(path: Path) -> np.ndarray | None:
    """Frames of a file of the toolkit, or ``None`` where there is none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as saved:
            return saved["frames"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def pixels_of(frames: np.ndarray) -> str:
    """SHA-256 of shape and bytes of ``uint8`` frames, as the toolkit computes it."""
    return sha256_of([str(frames.shape), np.ascontiguousarray(frames).tobytes()])
