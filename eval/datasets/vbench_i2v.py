"""The image suite of VBench-I2V: 355 pictures to be continued, with captions, in five crops.

Source: Huang et al. 2024 (VBench++, arXiv:2411.13503), folder ``vbench2_beta_i2v`` of Vchitect/VBench. There are no
true videos: only metrics that need none can be computed. Of the pictures 246 show a subject and 109 a
background; VBench computes some dimensions on one part only, so clips are tagged with it.

The pictures are stretched to one size a crop, which all but keeps their aspect: 512x512 for 1-1, as MarDini's
square models have it (arXiv:2410.20280, Table 5), and for the others sizes of models in that table or of their
kind, multiples of 16. The paper states neither crop nor filter; these are our choices. ``origin`` keeps the files'.

VBench publishes the pictures on Google Drive, which cannot be fetched reliably, so ``--data-root`` is needed. They
are of Pexels and Pixabay, under the licences of those.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.datasets.base import Clip, Dataset
from eval.datasets.chunks import content_hash, folder_of, limited, spread
from mardini.errors import UserError
from mardini.image import image_files, read_image
from mardini.video import resize

IMAGES = 355
FPS = 8.0  # of the paper's training manual, and of most models on VBench's board
SIZES: dict[str, tuple[int, int] | None] = {  # (height, width)
    "1-1": (512, 512),
    "8-5": (320, 512),
    "7-4": (320, 560),
    "16-9": (576, 1024),
    "origin": None,
}
SUBJECT = frozenset({"single-human", "multiple-human", "animal", "transportation", "food", "plant", "other"})
BACKGROUND = frozenset({"architecture", "scenery", "indoor", "abstract"})
INFO = ("i2v-bench-info.json", "vbench2_i2v_full_info.json")
ASPECT = 0.02  # by which a crop's aspect may differ from its name's

WANTED = (
    "VBench-I2V's pictures: get crop.zip (or origin.zip) and i2v-bench-info.json from "
    "https://drive.google.com/drive/folders/1fdOZKQ7HWZtgutCKKA7CMzOhMFUGv4Zx and unpack it there, so that it holds "
    "crop/1-1/*.jpg and i2v-bench-info.json"
)
ABOVE = ("", "data", "vbench2_beta_i2v/data", "vbench2_beta_i2v")


@dataclass(frozen=True)
class Picture:
    """What VBench's info file says of a picture: its caption, which prompts and videos are named after, and type."""

    caption: str
    type: str

    @property
    def part(self) -> str:
        """``subject`` or ``background``."""
        return "subject" if self.type in SUBJECT else "background"


def load(root: Path | None, *, ratio: str = "1-1", limit: int | None = None) -> Dataset:
    """One picture a clip: ``clip.load()`` gives ``uint8`` (1, height, width, 3) in the size of the crop.

    Ids are the captions (without an info file: the file names, which are the same). Tags are the type and
    ``subject`` or ``background``.

    Args:
        root: the folder that holds ``crop``, ``origin`` or the pictures themselves, or one above it.
        ratio: which crop, a key of ``SIZES``.
        limit: keep this many, evenly spaced over the sorted ids.

    Raises:
        UserError: no such pictures; more than 355 of them, or some that the info file does not name; an info
            file that cannot be read; from ``clip.load()``: a picture that cannot be read or is no such crop.
    """
    name = dataset_name(ratio)
    root = folder_of(name, root, WANTED)
    folder = find_pictures(root, ratio)
    info_file = find_info(folder)
    known = read_info(info_file) if info_file else None
    files = image_files(folder)
    surplus = [file.name for file in files if known is not None and file.name not in known]
    if surplus or len(files) > IMAGES:
        which = f"which {info_file} does not name ({_few(surplus)})" if surplus else f"more than its {IMAGES}"
        raise UserError(
            f"{folder} holds {len(surplus) or len(files)} pictures, {which}: remove what is not of VBench-I2V, or use "
            "--dataset images for pictures of your own"
        )
    notices = []
    if known is None:
        notices.append(
            f"no {INFO[0]} is near {folder}, so it is unknown which pictures show a subject and which a background: "
            "python -m eval.vbench needs it"
        )
    if len(files) != IMAGES:
        notices.append(
            f"{len(files)} of the {IMAGES} pictures of VBench-I2V are here; numbers are not comparable with "
            "the full set"
        )
    pictures = {_picture(file, known).caption: file for file in files}
    if len(pictures) < len(files):
        raise UserError(f"{folder} holds two pictures of one caption: remove one, or use --dataset images")
    kept = spread(sorted(pictures), limit)
    size = SIZES[ratio]
    return Dataset(
        name=name,
        clips=[
            Clip(
                caption,
                caption,
                functools.partial(read_picture, pictures[caption], ratio),
                tags=_tags(pictures[caption], known),
                size=size,
            )
            for caption in kept
        ],
        fingerprint=content_hash(folder, (pictures[caption] for caption in kept)),
        expected=IMAGES,
        fps=FPS,
        notices=notices + limited(len(kept), len(files)),
        root=folder,
        details={"crop": ratio},
    )


def dataset_name(ratio: str) -> str:
    """``vbench-i2v`` for the square crop, ``vbench-i2v-16-9`` for others."""
    return "vbench-i2v" if ratio == "1-1" else f"vbench-i2v-{ratio}"


def looks_like(root: Path) -> bool:
    """Whether a folder is laid out as VBench's, to tell it from any folder of pictures."""
    places = [root / above / inner for above in ABOVE for inner in ("crop", "origin", *INFO)]
    return root.name in SIZES or any(place.exists() for place in places)


def find_pictures(root: Path, ratio: str) -> Path:
    """The folder of one crop below ``root``, or ``root`` itself."""
    inner = "origin" if ratio == "origin" else f"crop/{ratio}"
    for above in ABOVE:
        for place in (root / above / inner, root / above / ratio):
            if place.is_dir() and image_files(place):
                return place
    if image_files(root) and (root.name == ratio or root.name not in SIZES):
        return root
    raise UserError(
        f"data root {root} holds no {inner} with pictures: give --data-root, a folder with {WANTED}"
    )


def find_info(folder: Path) -> Path | None:
    """VBench's info file, beside the pictures or in one of the three folders above."""
    for place in (folder, *folder.resolve().parents[:3]):
        for inner in ("", "data", "vbench2_beta_i2v"):
            for name in INFO:
                if (place / inner / name).is_file():
                    return place / inner / name
    return None


def read_info(file: Path) -> dict[str, Picture]:
    """File name -> picture, from either of VBench's info files.

    Raises:
        UserError: it is no JSON, has another form, or names an unknown type.
    """
    try:
        entries: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))
        found = {}
        for entry in entries:
            if "file_name" in entry:  # i2v-bench-info.json: one entry a picture
                found[entry["file_name"]] = Picture(str(entry["caption"]), str(entry["type"]))
            elif "image_name" in entry:  # full info: camera motions repeat pictures without naming them
                found[entry["image_name"]] = Picture(str(entry["prompt_en"]), str(entry["image_type"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{file} is no info file of VBench-I2V ({error!r}): get it again") from error
    if odd := sorted({picture.type for picture in found.values()} - SUBJECT - BACKGROUND):
        raise UserError(f"{file} names the unknown type '{odd[0]}': get {INFO[0]} of VBench-I2V again")
    return found


def read_picture(file: Path, ratio: str) -> np.ndarray:
    """A picture in the size of its crop, ``uint8`` (1, height, width, 3)."""
    image, size = read_image(file), SIZES[ratio]
    if size is None:
        return image[None]
    height, width = image.shape[:2]
    across, down = map(int, ratio.split("-"))
    if abs(width * down / (height * across) - 1) > ASPECT:
        raise UserError(
            f"{file} is {width}x{height}, no crop of {across}:{down}: give the folder of another crop, or name the "
            "dataset of this one"
        )
    return resize(image[None], size)


def _picture(file: Path, known: dict[str, Picture] | None) -> Picture:
    return Picture(file.stem, "") if known is None else known[file.name]


def _tags(file: Path, known: dict[str, Picture] | None) -> frozenset[str]:
    if known is None:
        return frozenset()
    return frozenset({known[file.name].type, known[file.name].part})


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
