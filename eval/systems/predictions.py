"""Systems whose frames exist already: a user's folder of predictions, or results that come with a dataset.

A folder holds one entry per clip, named by the clip's id: ``dog/00009`` is ``dog/00009`` (in folders) or
``dog_00009`` (flat). An entry is a folder of images, in order of name, or a file: ``.npy``, ``.npz`` or a
video. It holds either all frames of the clip or exactly those to generate. Every clip must be there, nothing
surplus, in the clip's size: a wrong pairing is refused, not scored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.datasets.base import Clip, Dataset
from eval.systems.base import Task
from eval.systems.headers import files_of
from eval.systems.inspection import inspect_all, pair, refuse
from mardini.errors import UserError
from mardini.files import sha256, sha256_of
from mardini.video import VIDEO_SUFFIXES, read_clip

LOSSY = {"video files": VIDEO_SUFFIXES, "JPEG images": frozenset({".jpg", ".jpeg"})}


class Predictions:
    """A user's folder of predictions, matched strictly by clip id."""

    def __init__(self, name: str, folder: Path, clip_ids: Sequence[str], limited: bool = False) -> None:
        """Index ``folder`` for ``clip_ids``.

        Args:
            name: how the method is called in tables.
            folder: holds one entry per clip.
            clip_ids: the clips to be scored.
            limited: only a part of the dataset is scored (``--limit``), so other entries are no mistake.

        Raises:
            UserError: the folder is not there, clips are missing or have several entries, or entries are surplus.
        """
        self.name = self.variant = name
        self.folder = folder
        self.notices: list[str] = []
        self.entries, surplus, findings = pair(folder, clip_ids, limited)
        refuse(name, folder, findings, len(clip_ids))
        if surplus:
            self.notices.append(
                f"predictions '{name}': {len(surplus)} entries beyond the limit are not scored"
            )
        for kind, suffixes in LOSSY.items():
            if count := sum(files_of(entry)[0].suffix.lower() in suffixes for entry in self.entries.values()):
                self.notices.append(
                    f"predictions '{name}': {count} clips are {kind}; if their coding is lossy, it lowers their "
                    f"scores"
                )

    def describe(self) -> dict[str, Any]:
        """Name and a hash over the bytes of all files used."""
        parts: list[str] = []
        for clip_id, entry in sorted(self.entries.items()):
            parts.append(clip_id)
            parts += [f"{file.name}:{sha256(file)}" for file in files_of(entry)]
        return {"system": "predictions", "version": 1, "name": self.name, "sha256": sha256_of(parts)}

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        return [complete(task, self._read(task.clip_id), self._where(task.clip_id)) for task in tasks]

    def _where(self, clip_id: str) -> str:
        return f"predictions '{self.name}': {self.entries[clip_id].relative_to(self.folder)}"

    def _read(self, clip_id: str) -> np.ndarray:
        return read_clip(self.entries[clip_id])

    def check(self, expected: Callable[[str], tuple[int, int]], frames: int, given: Iterable[int]) -> None:
        """Refuse clips of a wrong length, size, depth or range, all of them, before scoring begins.

        Args:
            expected: clip id -> (height, width).
            frames: length of a clip.
            given: indices of given frames.
        """
        lengths = (frames, frames - len(tuple(given)))
        findings = inspect_all(self.entries, expected, lengths, f"check {self.name}")
        refuse(self.name, self.folder, findings, len(self.entries), lengths)


class DatasetMethod:
    """A method whose results come with the dataset, e.g. ``amt`` on ``vidim``."""

    def __init__(self, name: str, dataset: Dataset) -> None:
        self.name = self.variant = name
        self.clips: Mapping[str, Clip] = {clip.id: clip for clip in dataset.clips}
        self.fingerprint = dataset.fingerprint

    def describe(self) -> dict[str, Any]:
        return {"system": "dataset method", "version": 1, "name": self.name, "dataset": self.fingerprint}

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        return [
            complete(
                task, self.clips[task.clip_id].outputs[self.name](), f"{self.name} of clip {task.clip_id}"
            )
            for task in tasks
        ]


def complete(task: Task, frames: np.ndarray, where: str) -> np.ndarray:
    """Whole clip from stored frames, which are all frames or exactly the generated ones."""
    targets = [i for i in range(task.frames) if i not in task.given]
    size = next(iter(task.given.values())).shape
    if frames.shape[1:] != size or len(frames) not in (task.frames, len(targets)):
        raise UserError(
            f"{where} has {len(frames)} frames of {frames.shape[1]}x{frames.shape[2]}: give {task.frames} "
            f"(all) or {len(targets)} (the generated ones) of {size[0]}x{size[1]}"
        )
    if len(frames) == task.frames:
        return frames
    clip = np.empty((task.frames, *size), np.uint8)
    clip[targets] = frames
    for index, frame in task.given.items():
        clip[index] = frame
    return clip


def parse(text: str) -> tuple[str, Path]:
    """``NAME=DIR`` or ``DIR`` (named by its last part) of the command line."""
    name, _, folder = text.rpartition("=")
    path = Path(folder)
    name = name or path.resolve().name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name):
        raise UserError(
            f"'{name}' cannot name a system: use letters, digits and '._+-', as in --predictions mine=DIR"
        )
    return name, path
