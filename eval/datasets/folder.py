"""Any folder of videos or of frame folders, cut into clips as DAVIS-7 is, at the size they have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.datasets.base import Clip, Dataset
from eval.datasets.chunks import (
    content_hash,
    folder_of,
    limited,
    spread,
    starts,
    too_short,
    visible,
)
from mardini.errors import UserError
from mardini.image import IMAGE_SUFFIXES, image_files, image_size, read_image
from mardini.playback import Playback
from mardini.video import VIDEO_SUFFIXES, probe_video

FPS = 24.0
WANTED = "videos, or with one sub-folder of frames for each video"


@dataclass(frozen=True)
class Source:
    """One video: name, what to call it in errors, files, frames, rate, size, and how to decode some of it."""

    name: str
    described: str
    files: Sequence[Path]
    frames: int
    fps: float | None
    size: tuple[int, int] | None
    cut: Callable[[int, int], np.ndarray]

    def files_of(self, start: int, length: int) -> Sequence[Path]:
        """The files behind the clip of ``length`` frames that begins at frame ``start``."""
        return self.files[start : start + length] if len(self.files) > 1 else self.files


def load(root: Path | None, *, limit: int | None = None, frames: int = 9) -> Dataset:
    """Every video and frame folder in ``root`` and one level below, or ``root`` itself as one frame folder.

    Clips are non-overlapping chunks of ``frames`` frames from frame 0, the remainder dropped; ids are
    ``<video>/<first frame, five digits>``. Frames keep their size; nothing is cropped. Videos are only
    counted here (without decoding); ``clip.load()`` decodes a video once for all of its clips in a row, and holds no
    more of it than a clip.

    Raises:
        UserError: no such folder, nothing in it, a video that cannot be read or is too short, or two
            of one name.
    """
    root = folder_of("folder", root, WANTED)
    sources, ignored = _sources(root, Playback())
    if not sources:
        raise UserError(
            f"data root {root} holds no videos and no frames: give --data-root, a folder with {WANTED}"
        )
    by_name: dict[str, Source] = {}
    for source in sources:
        if source.name in by_name:
            raise UserError(
                f"{by_name[source.name].files[0]} and {source.files[0]} would both be called "
                f"'{source.name}': rename one of them"
            )
        by_name[source.name] = source
        if source.frames < frames:
            raise too_short(source.described, source.frames, frames)
    chunks = {
        f"{source.name}/{start:05d}": (source, start)
        for source in sources
        for start in starts(source.frames, frames)
    }
    kept = {name: chunks[name] for name in spread(sorted(chunks), limit)}
    rates = {source.fps for source in sources if source.fps}
    notices = limited(len(kept), len(chunks))
    if ignored:
        shown = ", ".join(ignored[:5]) + (", ..." if len(ignored) > 5 else "")
        notices.append(f"{len(ignored)} entries of {root} are no video and no frames, and left out: {shown}")
    return Dataset(
        name="folder",
        clips=[
            Clip(name, source.name, functools.partial(source.cut, start, frames), size=source.size)
            for name, (source, start) in kept.items()
        ],
        fingerprint=content_hash(
            root, (file for source, start in kept.values() for file in source.files_of(start, frames))
        ),
        fps=rates.pop() if len(rates) == 1 else FPS,
        notices=notices,
        root=root,
    )


def _sources(root: Path, playback: Playback) -> tuple[list[Source], list[str]]:
    """All videos below ``root``, and the names of what was found to be none."""
    images, videos, folders, others = _sort(root)
    if images:
        if videos or folders:
            raise UserError(
                f"data root {root} holds frames beside videos or folders, so it is unclear what one video "
                "is: put the frames into a folder of their own"
            )
        return [_frame_folder(root, root.name)], others
    sources = [_video(file, file.stem, playback) for file in videos]
    for folder in folders:
        images, videos, deeper, rest = _sort(folder)
        if images:
            if videos:
                raise UserError(f"{folder} holds frames beside videos: put them into folders of their own")
            sources.append(_frame_folder(folder, folder.name))
        else:
            sources += [_video(file, f"{folder.name}/{file.stem}", playback) for file in videos]
            if not videos:
                others.append(folder.name)
        others += [f"{folder.name}/{name}" for name in [*rest, *(inner.name for inner in deeper)]]
    return sources, others


def _sort(folder: Path) -> tuple[list[Path], list[Path], list[Path], list[str]]:
    """Visible entries as images, videos, folders and the names of all others."""
    images, videos, folders, others = [], [], [], []
    for entry in visible(folder):
        suffix = entry.suffix.lower()
        if entry.is_dir():
            folders.append(entry)
        elif suffix in IMAGE_SUFFIXES:
            images.append(entry)
        elif suffix in VIDEO_SUFFIXES:
            videos.append(entry)
        else:
            others.append(entry.name)
    return images, videos, folders, others


def _frame_folder(folder: Path, name: str) -> Source:
    images = image_files(folder)

    def cut(start: int, length: int) -> np.ndarray:
        frames = [read_image(image) for image in images[start : start + length]]
        for image, frame in zip(images[start:], frames, strict=False):
            if frame.shape != frames[0].shape:
                raise UserError(
                    f"{image} is {frame.shape[1]}x{frame.shape[0]} while {images[start]} is "
                    f"{frames[0].shape[1]}x{frames[0].shape[0]}: all frames of a video need one size"
                )
        return np.stack(frames)

    return Source(name, f"frame folder {folder}", images, len(images), None, image_size(images[0]), cut)


def _video(file: Path, name: str, playback: Playback) -> Source:
    info = probe_video(file)
    frames = info.frames

    def cut(start: int, length: int) -> np.ndarray:
        clip = playback.clip(file, start, length)
        if len(clip) < length:
            raise UserError(
                f"{file} announces {frames} frames but cannot be decoded beyond frame {start + len(clip)}: "
                "replace it by a whole copy, or remove it"
            )
        return clip

    return Source(name, f"video {file}", [file], frames, info.fps, (info.height, info.width), cut)
