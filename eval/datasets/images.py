"""Any pictures, to be continued: a folder of images, or of folders or videos of which the first frame is given.

There is no truth here: only metrics that need none are computed. Where whole clips are there, ``--dataset folder``
scores against them.
"""

from __future__ import annotations

import functools
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from eval.datasets.base import Clip, Dataset
from eval.datasets.chunks import content_hash, folder_of, limited, spread, visible
from mardini.errors import UserError
from mardini.image import IMAGE_SUFFIXES, image_files, image_size, read_image
from mardini.video import VIDEO_SUFFIXES

FPS = 8.0
WANTED = "images, or with one folder of images or one video for each clip"


def load(root: Path | None, *, limit: int | None = None) -> Dataset:
    """One picture a clip: ``clip.load()`` gives ``uint8`` (1, H, W, 3) in its own size.

    ``root`` holds, mixed as one likes, images (``cat.png``: clip ``cat``), folders of images (the first by name is
    given) and videos (the first frame is given). A video beside an image of its name is that clip's true
    continuation, and is not used.

    Raises:
        UserError: no such folder, no picture in it, or two of one name; from ``clip.load()``: an unreadable file.
    """
    root = folder_of("images", root, WANTED)
    pictures: dict[str, Path] = {}
    longer, ignored = set(), []
    for entry in sorted(visible(root), key=lambda entry: entry.suffix.lower() not in IMAGE_SUFFIXES):
        suffix = entry.suffix.lower()
        if entry.is_dir():
            inside = image_files(entry)
            name, picture = entry.name, inside[0] if inside else None
            longer |= {name} if len(inside) > 1 else set()
        elif suffix in IMAGE_SUFFIXES:
            name, picture = entry.stem, entry
        elif suffix in VIDEO_SUFFIXES:
            longer.add(entry.stem)
            if entry.stem in pictures:
                continue
            name, picture = entry.stem, entry
        else:
            name, picture = entry.stem, None
        if picture is None:
            ignored.append(entry.name)
        elif name in pictures:
            raise UserError(
                f"{pictures[name]} and {picture} would both be called '{name}': rename one of them"
            )
        else:
            pictures[name] = picture
    if not pictures:
        raise UserError(f"data root {root} holds no pictures: give --data-root, a folder with {WANTED}")
    kept = spread(sorted(pictures), limit)
    notices = limited(len(kept), len(pictures))
    if longer:
        notices.append(
            f"{len(longer)} of {len(pictures)} pictures come with more frames, which are not used: --dataset folder "
            "scores against them"
        )
    if ignored:
        notices.append(
            f"{len(ignored)} entries of {root} hold no picture, and are left out: {ignored[0]} ..."
        )
    return Dataset(
        name="images",
        clips=[
            Clip(name, name, functools.partial(read_picture, pictures[name]), size=_size(pictures[name]))
            for name in kept
        ],
        fingerprint=content_hash(root, (pictures[name] for name in kept)),
        fps=FPS,
        notices=notices,
        root=root,
    )


def read_picture(file: Path) -> np.ndarray:
    """An image, or the first frame of a video: ``uint8`` (1, H, W, 3)."""
    if file.suffix.lower() in IMAGE_SUFFIXES:
        return read_image(file)[None]
    try:
        with av.open(str(file)) as container:
            for frame in container.decode(video=0):
                return frame.to_ndarray(format="rgb24")[None]
    except (FFmpegError, OSError, IndexError) as error:
        raise UserError(f"{file} cannot be decoded as a video ({error}): replace the file") from error
    raise UserError(f"{file} holds no video frame: replace the file")


def _size(file: Path) -> tuple[int, int] | None:
    """(height, width) of an image; of a video ``None``, as it takes decoding."""
    return image_size(file) if file.suffix.lower() in IMAGE_SUFFIXES else None
