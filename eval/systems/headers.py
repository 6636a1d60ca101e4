"""What a stored clip says of itself, without decoding it: number and size of frames, and what is odd about it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from mardini.errors import UserError
from mardini.image import deeper_than_8_bits, image_files, read_image, upright_size
from mardini.video import VIDEO_SUFFIXES, probe_video, read_clip, read_video

LOSSLESS_CODECS = frozenset({"ffv1", "png", "apng", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "qtrle"})
GREY = frozenset({"1", "L", "LA"})
ALPHA = frozenset({"RGBA", "LA", "PA"})
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


@dataclass
class Header:
    """Of one clip.

    Attributes:
        frames: how many.
        sizes: (height, width) of its frames; more than one where they differ.
        brightest: looks at pixels, the largest 8-bit value of the clip, as far as it takes to exceed 1.
        remarks: kind of finding -> detail, see ``eval.systems.inspection.KINDS``.
    """

    frames: int
    sizes: set[tuple[int, int]]
    brightest: Callable[[], int]
    remarks: dict[str, str] = field(default_factory=dict)


def header_of(entry: Path) -> Header:
    """Of a folder of images, an array or a video.

    Raises:
        UserError: the entry cannot be read.
    """
    if entry.is_dir():
        return _of_images(image_files(entry))
    suffix = entry.suffix.lower()
    header = _of_video(entry) if suffix in VIDEO_SUFFIXES else _of_array(entry)
    if entry.suffix != suffix:
        header.remarks["capitals"] = f"is {entry.name}"
    return header


def files_of(entry: Path) -> list[Path]:
    """The files an entry is read from, in the order of its frames."""
    return [entry] if entry.is_file() else image_files(entry)


def _of_images(files: list[Path]) -> Header:
    sizes: set[tuple[int, int]] = set()
    header = Header(len(files), sizes, lambda: _brightest_image(files))
    for file in files:
        try:
            with Image.open(file) as image:
                mode, kind, deep = image.mode, image.format, deeper_than_8_bits(image)
                sizes.add(upright_size(image))
        except UNREADABLE as error:
            raise UserError(f"cannot read {file}: {error}") from error
        if deep or mode.startswith("I") or mode == "F":
            header.remarks.setdefault("depth", f"has {file.name} of mode {mode}, 16 bits or more")
        if kind in ("JPEG", "MPO") or (kind == "WEBP" and not _lossless_webp(file)):
            header.remarks.setdefault("lossy", f"is {kind}")
        if mode in GREY:
            header.remarks.setdefault("grey", f"has {file.name} of mode {mode}")
        if mode in ALPHA:
            header.remarks.setdefault("alpha", f"has {file.name} of mode {mode}")
        if file.suffix != file.suffix.lower():
            header.remarks.setdefault("capitals", f"has {file.name}")
    return header


def _brightest_image(files: list[Path]) -> int:
    """Of the middle image; of all, where that is dark."""
    largest = 0
    for file in [files[len(files) // 2], *files]:
        largest = max(largest, int(read_image(file).max()))
        if largest > 1:
            break
    return largest


def _lossless_webp(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(16)[12:16] == b"VP8L"


def _of_video(file: Path) -> Header:
    info = probe_video(file)
    header = Header(info.frames, {(info.height, info.width)}, lambda: int(read_video(file).max()), remarks={})
    colours = info.pixel_format.startswith(("gbr", "rgb", "bgr", "0rgb", "0bgr", "argb", "abgr", "pal8"))
    if info.codec not in LOSSLESS_CODECS or not colours:
        header.remarks["lossy"] = f"is {info.codec} in {info.pixel_format}"
    return header


def _of_array(file: Path) -> Header:
    try:
        shape, dtype = _array_header(file)
    except Exception as error:  # what zlib, zipfile and tokenize raise of damaged bytes is not one type
        raise UserError(f"cannot read {file}: {error}") from error
    if len(shape) != 4 or shape[-1] != 3 or 0 in shape:
        raise UserError(f"{file} has shape {shape}: give frames of shape (T, H, W, 3), RGB last")
    header = Header(shape[0], {(shape[1], shape[2])}, lambda: int(read_clip(file).max()))
    if np.issubdtype(dtype, np.floating):
        try:
            read_clip(file)
            header.remarks["float"] = f"is {dtype}"
        except UserError as error:
            header.remarks["range"] = f"({error})"
    elif dtype != np.uint8:
        header.remarks["range"] = f"is {dtype}"
    return header


def _array_header(file: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the array that ``read_clip`` would read."""
    if file.suffix.lower() == ".npy":
        with file.open("rb") as opened:
            return _npy_header(opened)
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        wanted = names[0] if len(names) == 1 else "frames.npy"
        if wanted not in names:
            held = ", ".join(name.removesuffix(".npy") for name in names) or "nothing"
            raise ValueError(f"it holds the arrays {held}: keep one, or name the clip 'frames'")
        with archive.open(wanted) as opened:
            return _npy_header(opened)


def _npy_header(opened: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(opened)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(opened)
    return shape, dtype
