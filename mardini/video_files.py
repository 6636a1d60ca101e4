"""Where training videos lie: folders of videos, folders of frames, tar shards. And how a window of one is read."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mardini.errors import UserError
from mardini.image import IMAGE_SUFFIXES, image_files, read_image
from mardini.video import VIDEO_SUFFIXES, upright

SLOWEST = 0.9
"""A video may have this share of the frame rate asked for, so that 23.98 passes for 24; frozen frames are no data."""


@dataclass(frozen=True)
class Video:
    """One video: a file, a folder of frames, or ``size`` bytes at ``offset`` of a tar shard."""

    path: Path
    name: str
    frames: bool = False
    offset: int = 0
    size: int | None = None


def find_videos(paths: Sequence[Path]) -> list[Video]:
    """All videos under ``paths``, by name: video files, folders that hold images, videos in ``.tar`` shards.

    Shards have the layout of WebDataset, one video a sample; other members (captions, say) are left alone.

    Raises:
        UserError: a path is absent or holds no video, or a shard is no tar archive.
    """
    found: list[Video] = []
    for path in paths:
        here = list(_find(path))
        if not here:
            raise UserError(
                f"{path} holds no videos, frame folders or .tar shards: give another --data, or 'synthetic'"
            )
        found += here
    return found


def _find(path: Path) -> Iterator[Video]:
    if not path.exists():
        raise UserError(f"{path} does not exist: give a folder or file as --data, or 'synthetic'")
    if path.is_file():
        yield from _from_file(path)
        return
    known: set[Path] = set()
    for folder, subfolders, files in os.walk(path, followlinks=True):
        subfolders.sort()
        here = Path(folder)
        if (real := here.resolve()) in known:  # a link to where we have been
            subfolders.clear()
            continue
        known.add(real)
        visible = sorted(name for name in files if not name.startswith("."))
        if any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in visible):
            yield Video(here, str(here), frames=True)
        for name in visible:
            yield from _from_file(here / name)


def _from_file(path: Path) -> Iterator[Video]:
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        yield Video(path, str(path))
    elif suffix == ".tar":
        try:
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    if member.isfile() and Path(member.name).suffix.lower() in VIDEO_SUFFIXES:
                        name = f"{path}:{member.name}"
                        yield Video(path, name, offset=member.offset_data, size=member.size)
        except tarfile.TarError as error:
            raise UserError(f"{path} cannot be read as a tar archive ({error}): write it again") from error


def read_window(video: Video, place: float, frames: int, fps: float, folder_fps: float) -> np.ndarray:
    """``frames`` frames of a video at ``fps`` frames a second: ``uint8`` RGB (frames, H, W, 3).

    Args:
        video: from :func:`find_videos`.
        place: where the window starts, 0 (the beginning) to 1 (as late as it fits).
        frames, fps: of the window; at each of its times the frame that a player would show.
        folder_fps: frame rate at which frames in folders were taken.

    Raises:
        UserError: the video is damaged, too short, too slow, or tells neither its length nor its rate.
    """
    if video.frames:
        return _from_folder(video, place, frames, fps, folder_fps)
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(video.path) if video.size is None else _member(video), "r") as container:
            if not container.streams.video:
                raise UserError(f"{video.name} has no video stream: remove or replace it")
            stream = container.streams.video[0]
            base, rate = float(stream.time_base or 0), float(stream.average_rate or 0)
            length = stream.duration * base if stream.duration else (container.duration or 0) / 1e6
            if not base or not rate or not length:
                raise UserError(f"{video.name} does not tell its length or frame rate: convert it to .mp4")
            start = (stream.start_time or 0) * base + _start(
                video, place, length - 1 / rate, rate, frames, fps
            )
            container.seek(int(start / base), stream=stream, backward=True)
            times = [start + number / fps for number in range(frames)]
            return np.stack(list(_shown(container, stream, times, 1.5 / rate, video.name)))
    except UserError:
        raise
    except (FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{video.name} cannot be decoded ({error}): remove or replace it") from error


def _shown(container, stream, times: list[float], slack: float, name: str) -> Iterator[np.ndarray]:
    """The frame on screen at each of ``times``; the last may stay for ``slack`` seconds."""
    wanted, current = 0, None
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise UserError(f"{name} is corrupt or cut short: remove or replace it")
        for frame in packet.decode():
            if frame.is_corrupt or frame.time is None:
                raise UserError(f"{name} is corrupt: remove or replace it")
            upright(frame, name)
            while wanted < len(times) and frame.time > times[wanted] + 1e-3:
                yield (current or frame).to_ndarray(format="rgb24")
                wanted += 1
            if wanted == len(times):
                return
            current = frame
    for time in times[wanted:]:
        if current is None or time > current.time + slack:
            raise UserError(f"{name} ends before the length it tells: remove or replace it")
        yield current.to_ndarray(format="rgb24")


def _from_folder(video: Video, place: float, frames: int, fps: float, folder_fps: float) -> np.ndarray:
    files = image_files(video.path)
    start = _start(video, place, (len(files) - 1) / folder_fps, folder_fps, frames, fps)
    numbers = [int((start + number / fps) * folder_fps + 1e-6) for number in range(frames)]
    images = [read_image(files[number]) for number in numbers]
    if len({image.shape for image in images}) > 1:
        raise UserError(f"{video.name} holds images of different sizes: remove or replace it")
    return np.stack(images)


def _start(video: Video, place: float, length: float, rate: float, frames: int, fps: float) -> float:
    """Start of a window in seconds, if one fits into the ``length`` from first to last frame."""
    if rate < SLOWEST * fps:
        raise UserError(
            f"{video.name} has {rate:g} frames a second, fewer than the {fps:g} needed: remove it"
        )
    spare = length - (frames - 1) / fps
    if spare < -0.5 / rate:
        raise UserError(
            f"{video.name} lasts {max(0.0, length):.2f} s, less than the {(frames - 1) / fps:.2f} s needed: remove it"
        )
    return max(0.0, spare) * place


def _member(video: Video) -> io.BytesIO:
    with video.path.open("rb") as shard:
        shard.seek(video.offset)
        return io.BytesIO(shard.read(video.size))
