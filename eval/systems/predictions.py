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
from mardini.errors import UserError
from mardini.files import sha256, sha256_of

ARRAY_SUFFIXES = (".npy", ".npz")
SHOWN = 5  # offenders named in an error


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
            UserError: the folder is not there, clips are missing, or entries are surplus.
        """
        self.name = self.variant = name
        self.folder = folder
        self.notices: list[str] = []
        entries = find_entries(folder)
        self.entries = match(name, folder, entries, clip_ids)
        used = set(self.entries.values())
        surplus = [entry for entry in entries if entry not in used]
        if surplus and not limited:
            names = listing(str(entry.relative_to(folder)) for entry in surplus)
            raise UserError(
                f"predictions '{name}': {len(surplus)} entries of {folder} belong to no clip of the dataset "
                f"({names}): remove them, or name them by clip id such as '{clip_ids[0]}'"
            )
        if surplus:
            self.notices.append(
                f"predictions '{name}': {len(surplus)} entries beyond the limit are not scored"
            )
        videos = sum(entry.is_file() and entry.suffix.lower() not in ARRAY_SUFFIXES for entry in used)
        if videos:
            self.notices.append(
                f"predictions '{name}': {videos} clips are video files; if their coding is lossy, it lowers "
                f"their scores"
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
        from mardini.video import read_clip

        return read_clip(self.entries[clip_id])

    def check(self, expected: Callable[[str], tuple[int, int]], frames: int, given: Iterable[int]) -> None:
        """Refuse wrong lengths and sizes of any clip, before scoring begins.

        Args:
            expected: clip id -> (height, width).
            frames: length of a clip.
            given: indices of given frames.
        """
        from tqdm import tqdm

        lengths = (frames, frames - len(tuple(given)))
        wrong = []
        bar = tqdm(self.entries.items(), desc=f"check {self.name}", unit="clip", delay=2, leave=False)
        for clip_id, entry in bar:
            length, *size = shape_of(entry)
            if length not in lengths:
                wrong.append(f"{clip_id} has {length} frames")
            elif tuple(size) != expected(clip_id):
                height, width = expected(clip_id)
                wrong.append(f"{clip_id} is {size[0]}x{size[1]}, not {height}x{width}")
        if wrong:
            raise UserError(
                f"predictions '{self.name}': {len(wrong)} of {len(self.entries)} clips have a wrong length "
                f"or size ({listing(wrong)}): give {lengths[0]} frames (all) or {lengths[1]} (the generated "
                f"ones) in the size of the clip"
            )


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


def find_entries(folder: Path) -> list[Path]:
    """Folders that hold images, and array or video files, below ``folder``, sorted; hidden ones left out."""
    from mardini.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    if not folder.is_dir():
        raise UserError(f"predictions: {folder} is not a folder: give one with an entry per clip")
    entries: set[Path] = set()
    for file in folder.rglob("*"):
        if file.is_dir() or any(part.startswith(".") for part in file.relative_to(folder).parts):
            continue
        suffix = file.suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            entries.add(file.parent)
        elif suffix in VIDEO_SUFFIXES or suffix in ARRAY_SUFFIXES:
            entries.add(file)
    return sorted(entries)


def match(name: str, folder: Path, entries: Sequence[Path], clip_ids: Sequence[str]) -> dict[str, Path]:
    """Clip id -> entry; refuses missing and ambiguous clips."""
    by_name: dict[str, list[Path]] = {}
    for entry in entries:
        relative = entry.relative_to(folder)
        by_name.setdefault((relative if entry.is_dir() else relative.with_suffix("")).as_posix(), []).append(
            entry
        )
    found: dict[str, Path] = {}
    missing, ambiguous = [], []
    for clip_id in clip_ids:
        candidates = [entry for key in {clip_id, clip_id.replace("/", "_")} for entry in by_name.get(key, [])]
        if not candidates:
            missing.append(clip_id)
        elif len(candidates) > 1 or candidates[0] in found.values():
            ambiguous.append(clip_id)
        else:
            found[clip_id] = candidates[0]
    if missing:
        raise UserError(
            f"predictions '{name}': {len(missing)} of {len(clip_ids)} clips are missing in {folder} "
            f"({listing(missing)}): each clip needs a folder of images, .npy, .npz or video named by its id, "
            f"'/' kept as folders or replaced by '_'"
        )
    if ambiguous:
        raise UserError(
            f"predictions '{name}': {len(ambiguous)} clips match no single entry of {folder} "
            f"({listing(ambiguous)}): keep one entry per clip"
        )
    return found


def files_of(entry: Path) -> list[Path]:
    """The files an entry is read from, in the order of its frames."""
    from mardini.video import image_files

    return [entry] if entry.is_file() else image_files(entry)


def shape_of(entry: Path) -> tuple[int, int, int]:
    """(frames, height, width) of an entry; image folders and ``.npy`` by their headers only."""
    from PIL import Image

    from mardini.video import read_clip

    if entry.is_dir():
        files = files_of(entry)
        try:
            sizes = {(image.height, image.width) for image in map(Image.open, files)}
        except OSError as error:
            raise UserError(f"cannot read an image of {entry} ({error}): replace it") from error
        if len(sizes) == 1:
            return (len(files), *sizes.pop())
    length, height, width = read_clip(entry).shape[:3]
    return length, height, width


def listing(items: Iterable[str]) -> str:
    """The first few items, and how many more there are."""
    items = list(items)
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


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
