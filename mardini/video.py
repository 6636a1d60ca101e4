"""Reading, writing and resizing of clips: the one place that states value ranges and axis order.

Clips are ``uint8`` RGB arrays of shape (T, H, W, 3). Models take float32 tensors (T, 3, H, W) in [0, 1]:
``to_float`` and ``to_uint8`` convert. Readers are strict: a file is read whole or refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from PIL import Image

from mardini.errors import UserError
from mardini.files import atomic
from mardini.image import IMAGE_SUFFIXES, image_files, read_image, require_content

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from torch import Tensor

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg"})
"""Suffixes of videos, in lower case; files are matched whatever their case."""

CRF = 17  # of H.264: close to the eye's limit


def read_video(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Decode the first video stream of a file: ``uint8`` RGB (T, H, W, 3), frames as of :func:`decoded_frames`.

    Raises:
        UserError: the file is absent, empty, corrupt or cut short, has no video, or changes its frame size.
    """
    frames = [to_rgb(frame, path) for frame in decoded_frames(path, size)]
    if not frames:
        raise UserError(f"{path} holds no video frame: replace the file")
    return stacked(frames, [f"{path} frame {number}" for number in range(len(frames))])


def decoded_frames(path: Path, size: tuple[int, int] | None = None) -> Iterator[VideoFrame]:
    """The frames of the first video stream of a file, one after another, for :func:`to_rgb`.

    With ``size`` (height, width), frames are stretched to it first, as FFmpeg's ``-vf scale`` does: bicubic, in the
    pixel format of the video, whatever the aspect.
    Damage that the decoder notices is refused; a file of a streaming format (``.mkv``, ``.webm``, ``.avi``,
    ``.mpg``) cut between two frames cannot be told from a shorter video.

    Raises:
        UserError: as :func:`read_video`, when the frame in question is reached.
    """
    import av
    from av.error import FFmpegError

    path = Path(path)
    require_content(path, "video")
    count, scale = 0, None
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path} has no video stream: give a file with one")
            stream = container.streams.video[0]
            for packet in container.demux(stream):
                if packet.is_corrupt:
                    raise UserError(f"{path} is corrupt or cut short at frame {count}: replace the file")
                for frame in packet.decode():
                    if frame.is_corrupt:  # the decoder would paint over the damage
                        raise UserError(f"{path} is corrupt at frame {count}: replace the file")
                    upright(frame, str(path))
                    if size is not None:
                        scale = scale or _scaler(stream, size)
                        scale.push(frame)
                        frame = cast(av.VideoFrame, scale.pull())
                    yield frame
                    count += 1
    except UserError:
        raise
    except (FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be decoded as a video ({error}): replace the file") from error


def to_rgb(frame: VideoFrame, path: Path) -> np.ndarray:
    """A decoded frame as ``uint8`` RGB (H, W, 3), by FFmpeg's and PyAV's defaults (swscale; BT.601 unless the stream
    names its matrix)."""
    try:
        return frame.to_ndarray(format="rgb24")
    except (OSError, ValueError) as error:  # FFmpeg's errors are of these kinds
        raise UserError(f"{path} cannot be decoded as a video ({error}): replace the file") from error


def upright(frame: VideoFrame, name: str) -> None:
    """Refuse (``UserError``) a frame that is stored turned, to be turned back when shown, as phones do."""
    if frame.rotation:
        raise UserError(
            f"{name} is stored turned by {abs(frame.rotation)} degrees: turn its frames themselves, for instance with "
            "ffmpeg -i IN OUT"
        )


def _scaler(stream: VideoStream, size: tuple[int, int]) -> Graph:
    """FFmpeg's scale filter with its default, bicubic, from a stream's frames to ``size`` (height, width)."""
    from av.filter import Graph

    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(template=stream),
        graph.add("scale", f"{size[1]}:{size[0]}:flags=bicubic"),
        graph.add("buffersink"),
    ).configure()
    return graph


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says of itself: number of frames, rate, size in pixels, codec and pixel format."""

    frames: int
    fps: float | None
    height: int
    width: int
    codec: str
    pixel_format: str


def probe_video(path: Path) -> VideoInfo:
    """Read a video's packets, without decoding them.

    Raises:
        UserError: the file is empty, no video, or damaged.
    """
    import av
    from av.error import FFmpegError

    path = Path(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path} holds no video: replace it, or remove it")
            stream = container.streams.video[0]
            frames = sum(bool(packet.size) and not packet.is_discard for packet in container.demux(stream))
            rate = float(stream.average_rate) if stream.average_rate else None
            codec = stream.codec_context
            if codec is None:
                raise UserError(f"{path} is of a codec that cannot be decoded here: convert it, or remove it")
            return VideoInfo(frames, rate, codec.height, codec.width, codec.name, codec.pix_fmt or "")
    except (FFmpegError, OSError) as error:
        reason = "it is empty" if path.stat().st_size == 0 else f"{error.strerror or error}"
        raise UserError(
            f"cannot read video {path} ({reason}): replace it by a whole copy, or remove it"
        ) from error


def read_frames(folder: Path) -> np.ndarray:
    """Read a folder of images, in the order of ``image_files``, as a clip: ``uint8`` RGB (T, H, W, 3).

    Raises:
        UserError: no such folder, no images in it, an unreadable image, or images of different sizes.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give a folder of images")
    files = image_files(folder)
    if not files:
        raise UserError(
            f"{folder} holds no images: give a folder of {', '.join(sorted(IMAGE_SUFFIXES))} files"
        )
    return stacked([read_image(file) for file in files], [str(file) for file in files])


def read_clip(path: Path) -> np.ndarray:
    """Read a clip of any kind: ``uint8`` RGB (T, H, W, 3).

    Taken are a folder of images, a video, an image (T = 1), a ``.npy`` array, or a ``.npz`` with one array or
    one called ``frames``. Arrays are (T, H, W, 3), either ``uint8`` or floats in [0, 1], which are rounded.

    Raises:
        UserError: the path is absent, of another kind, unreadable, or the array is of another type or range.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        return read_frames(path)
    if suffix in IMAGE_SUFFIXES:
        return read_image(path)[None]
    if suffix in VIDEO_SUFFIXES:
        return read_video(path)
    if suffix in {".npy", ".npz"}:
        return _from_array(_load_array(path), path)
    if not path.exists():
        raise UserError(f"{path} does not exist: give a folder of images, a video, an image, .npy or .npz")
    raise UserError(f"{path} is of no known kind: give a folder of images, a video, an image, .npy or .npz")


def _load_array(path: Path) -> np.ndarray:
    require_content(path, "array")
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            names = loaded.files
            if len(names) == 1 or "frames" in names:
                return loaded[names[0] if len(names) == 1 else "frames"]
    except Exception as error:  # NumPy raises what zipfile, zlib, struct and its own header parser raise
        raise UserError(f"{path} cannot be read as a NumPy array ({error}): write it again") from error
    held = ", ".join(names) or "nothing"
    raise UserError(f"{path} holds the arrays {held}: keep one, or name the clip 'frames'")


def _from_array(array: np.ndarray, path: Path) -> np.ndarray:
    if array.ndim != 4 or array.shape[-1] != 3 or 0 in array.shape:
        raise UserError(f"{path} has shape {array.shape}: give frames of shape (T, H, W, 3), RGB last")
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise UserError(f"{path} has type {array.dtype}: give uint8, or floats in [0, 1]")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):  # also true of NaN
        raise UserError(f"{path} has floats from {low:g} to {high:g}: scale them to [0, 1] or give uint8")
    return np.rint(array * 255.0).astype(np.uint8)


def write_video(path: Path, frames: np.ndarray, fps: float) -> None:
    """Write ``frames`` (``uint8`` (T, H, W, 3)) at ``fps`` frames a second, atomically.

    ``.mp4``, ``.mov`` and ``.mkv``: H.264, yuv420p, CRF 17; odd sides get one more row or column, a copy of
    the last. ``.gif``: 256 colours a frame, and delays of whole hundredths of a second.

    Raises:
        UserError: another suffix, frames of another type or shape, no frames, or a rate that is not positive.
    """
    path = Path(path)
    _check(frames)
    if not 0 < fps < 1e4:
        raise UserError(f"fps is {fps}: choose a positive number, such as 24")
    suffix = path.suffix.lower()
    if suffix == ".gif":
        images = [Image.fromarray(frame) for frame in frames]
        with atomic(path) as temporary:
            delay = max(20, round(100 / fps) * 10)  # browsers slow down shorter delays
            images[0].save(temporary, save_all=True, append_images=images[1:], duration=delay, loop=0)
    elif suffix in {".mp4", ".mov", ".mkv"}:
        with atomic(path) as temporary:
            _encode(temporary, frames, fps)
    else:
        raise UserError(f"{path} has a suffix no video is written for: choose .mp4, .mov, .mkv or .gif")


def _encode(path: Path, frames: np.ndarray, fps: float) -> None:
    import av

    height, width = frames.shape[1:3]
    frames = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(CRF)}
        for frame in frames:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"))
            )
        container.mux(stream.encode())


def resize(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize ``uint8`` frames (T, H, W, 3) to ``size`` (height, width).

    By area where a side shrinks, cubic where it grows, on the stored values (no linear light). The same size
    gives a copy.
    """
    height, width = size
    if min(size) < 1:
        raise UserError(f"a size of {height}x{width} was asked for: choose positive height and width")
    result = np.empty((len(frames), height, width, 3), np.uint8)
    shrunk = (min(width, frames.shape[2]), min(height, frames.shape[1]))
    for target, frame in zip(result, frames, strict=True):
        small = (
            frame if shrunk == frame.shape[1::-1] else cv2.resize(frame, shrunk, interpolation=cv2.INTER_AREA)
        )
        target[:] = (
            small
            if shrunk == (width, height)
            else cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        )
    return result


def to_float(frames: np.ndarray) -> Tensor:
    """``uint8`` frames (T, H, W, 3) as a float32 tensor (T, 3, H, W) in [0, 1]."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(frames, -1, 1))).float() / 255


def to_uint8(frames: Tensor) -> np.ndarray:
    """A tensor (T, 3, H, W), clipped to [0, 1] and rounded, as ``uint8`` frames (T, H, W, 3).

    Raises:
        ValueError: the tensor holds NaN.
    """
    values = frames.detach().float().cpu().numpy()
    if np.isnan(values).any():
        raise ValueError("the frames hold NaN")
    return np.ascontiguousarray(np.moveaxis(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8), 1, -1))


def _check(frames: np.ndarray) -> None:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise UserError(
            f"frames are {frames.dtype} of shape {frames.shape}: give uint8 RGB of shape (T, H, W, 3)"
        )


def stacked(frames: list[np.ndarray], names: list[str]) -> np.ndarray:
    """Frames (H, W, 3), at least one, as a clip (T, H, W, 3). ``UserError``, by ``names``, if their sizes differ."""
    for frame, name in zip(frames, names, strict=True):
        if frame.shape != frames[0].shape:
            (height, width), (first_height, first_width) = frame.shape[:2], frames[0].shape[:2]
            raise UserError(
                f"{name} is {height}x{width} but {names[0]} is {first_height}x{first_width}: "
                "give frames of one size"
            )
    return np.stack(frames)
