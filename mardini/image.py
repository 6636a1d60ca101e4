"""Reading and writing of single images, strictly: a file is read whole or refused by name.

Images are ``uint8`` RGB arrays of shape (H, W, 3).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile

from mardini.errors import UserError
from mardini.files import atomic

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"})
"""Suffixes of images, in lower case; files are matched whatever their case."""
_MODES = {"1", "L", "P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr"}  # of Pillow, those with 8 bits a channel


def read_image(path: Path) -> np.ndarray:
    """Read an image as ``uint8`` RGB (H, W, 3), turned upright by its EXIF orientation; alpha is dropped.

    Raises:
        UserError: the file is absent, truncated, no image, or has more than 8 bits a channel.
    """
    path = Path(path)
    require_content(path, "image")
    try:
        with Image.open(path) as image:
            deep = deeper_than_8_bits(image)
            image.load()  # Pillow refuses truncated data here, where OpenCV would return grey pixels
            mode, upright = image.mode, ImageOps.exif_transpose(image)
            pixels = np.array(upright.convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as an image ({error}): replace or remove the file") from error
    if deep or mode not in _MODES:
        bits = ", 16 bits a channel" if deep else ""
        raise UserError(f"{path} is an image of mode {mode}{bits}: convert it to 8-bit RGB or grey")
    return pixels


def deeper_than_8_bits(image: Image.Image) -> bool:
    """Whether an opened, not yet loaded, PNG, TIFF or PPM has more than 8 bits a channel.

    Pillow cuts those of RGB to 8 silently.
    """
    if image.format not in ("PNG", "TIFF", "PPM") or not isinstance(image, ImageFile) or not image.tile:
        return False
    raw = image.tile[0][3]
    if image.format == "PPM":
        return isinstance(raw, tuple) and isinstance(raw[-1], int) and raw[-1] > 255  # the largest value
    raw = raw[0] if isinstance(raw, tuple) else raw
    return isinstance(raw, str) and ";16" in raw


def image_size(path: Path) -> tuple[int, int] | None:
    """(height, width) that ``read_image`` gives, from the header alone; ``None`` where it cannot be read."""
    try:
        with Image.open(path) as image:
            return upright_size(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(height, width) of an opened image once it is turned upright, without decoding it."""
    if image.format == "PNG" and "exif" not in image.info:  # or Pillow decodes all to look behind the pixels
        return image.height, image.width
    turned = image.getexif().get(0x0112, 1) > 4  # EXIF orientation: by a quarter
    return (image.width, image.height) if turned else (image.height, image.width)


def image_files(folder: Path) -> list[Path]:
    """The images directly in ``folder``, by name, numbers in names as numbers (``2.png`` before ``10.png``).

    Hidden files and files that are no images by their suffix (``IMAGE_SUFFIXES``) are left out.
    """
    found = [
        entry
        for entry in Path(folder).iterdir()
        if entry.suffix.lower() in IMAGE_SUFFIXES and not entry.name.startswith(".")
    ]

    def natural(entry: Path) -> tuple[list[str | int], str]:
        parts = re.split(r"([0-9]+)", entry.name)
        return [int(part) if number % 2 else part for number, part in enumerate(parts)], entry.name

    return sorted(found, key=natural)


def write_png(path: Path, frame: np.ndarray) -> None:
    """Write one frame, ``uint8`` RGB (H, W, 3), as a PNG, atomically. Else ``UserError``."""
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[-1] != 3 or 0 in frame.shape:
        raise UserError(f"a frame is {frame.dtype} of shape {frame.shape}: give uint8 RGB of shape (H, W, 3)")
    with atomic(path) as temporary:
        Image.fromarray(frame).save(temporary, format="PNG")


def require_content(path: Path, kind: str) -> None:
    """Refuse a path that is no file, or an empty one, by name; ``kind``: what was looked for."""
    if not path.is_file():
        raise UserError(f"{path} is no file: give the path of a{'n' if kind[0] in 'aei' else ''} {kind}")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty (0 bytes): replace the file")
