"""DAVIS-7: the DAVIS half of VIDIM-Bench, cut and resized exactly as its authors' script does.

Source of every rule: Jain et al. 2024 (arXiv:2404.01203), script ``generate_davis-7.py`` of the paper's
web site. Data: DAVIS 2016, 480p, training and validation sequences together; the 2017 archives hold the
same 50 sequences among 90 and are accepted, the other 40 are left out.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import cv2
import numpy as np

from eval.datasets.base import Clip, Dataset
from eval.datasets.chunks import content_hash, folder_of, limited, spread, starts, too_short, visible
from mardini.errors import UserError
from mardini.image import read_image

SIZE = 256
GAMMA = 2.2
CLIPS = 357
FPS = 24.0
LAYOUTS = ("JPEGImages/480p", "DAVIS/JPEGImages/480p", "DAVIS-data/DAVIS/JPEGImages/480p")

# Frames of each sequence of DAVIS 2016, as the dataset's own web site lists them.
TRAIN = {
    "bear": 82, "bmx-bumps": 90, "boat": 75, "breakdance-flare": 71, "bus": 80, "car-turn": 80,
    "dance-jump": 60, "dog-agility": 25, "drift-turn": 64, "elephant": 80, "flamingo": 80, "hike": 80,
    "hockey": 75, "horsejump-low": 60, "kite-walk": 80, "lucia": 70, "mallard-fly": 70, "mallard-water": 80,
    "motocross-bumps": 60, "motorbike": 43, "paragliding": 70, "rhino": 90, "rollerblade": 35,
    "scooter-gray": 75, "soccerball": 48, "stroller": 91, "surf": 55, "swing": 60, "tennis": 70, "train": 80,
}  # fmt: skip
VAL = {
    "blackswan": 50, "bmx-trees": 80, "breakdance": 84, "camel": 90, "car-roundabout": 75, "car-shadow": 40,
    "cows": 104, "dance-twirl": 90, "dog": 60, "drift-chicane": 52, "drift-straight": 50, "goat": 90,
    "horsejump-high": 50, "kite-surf": 50, "libby": 49, "motocross-jump": 40, "paragliding-launch": 80,
    "parkour": 100, "scooter-black": 43, "soapbox": 99,
}  # fmt: skip
SEQUENCES = dict(sorted((TRAIN | VAL).items()))


def load(
    root: Path | None = None, *, limit: int | None = None, frames: int = 9, cache: Path | None = None
) -> Dataset:
    """The clips of DAVIS-7 below ``root``, or of the copy in the cache, downloaded when there is none.

    Nothing is decoded here: files are listed and the used ones hashed. ``clip.load()`` gives ``uint8``
    (frames, 256, 256, 3). Ids are ``<sequence>/<first frame, five digits>``.

    Args:
        root: folder that holds ``JPEGImages/480p``, the folder above it (``DAVIS`` or ``DAVIS-data/DAVIS``),
            or ``480p`` itself. ``None``: the cache.
        limit: keep this many clips, evenly spaced over the sorted ids.
        frames: of a clip; 9 is DAVIS-7, other lengths are cut in the same way.
        cache: where downloaded data lies; see ``eval.datasets.davis_download.fetch``.

    Raises:
        UserError: nothing usable below ``root``, a sequence too short, with a gap in its numbering or with
            more frames than DAVIS has, or all 50 sequences but not all of their clips (357 of 9 frames).
    """
    if root is None:
        from eval.datasets.davis_download import fetch

        root = fetch(cache)
    folder = find_frames(root)
    notices: list[str] = []
    others = [entry.name for entry in visible(folder) if entry.is_dir() and entry.name not in SEQUENCES]
    if others:
        notices.append(
            f"{len(others)} folder{'s' if len(others) > 1 else ''} in {folder} left out ({_few(others)}): "
            "DAVIS-7 uses the 50 sequences of DAVIS 2016"
        )
    files = {name: list_frames(folder / name, frames) for name in SEQUENCES if (folder / name).is_dir()}
    if not files:
        raise UserError(
            f"{folder} holds none of the 50 sequences of DAVIS 2016 (bear, blackswan, ... train): "
            "give --data-root the folder of an unpacked DAVIS 2016 or DAVIS 2017 trainval archive"
        )
    clips = [  # sorted below: by id "dog-agility/00000" comes before "dog/00000", by name after it
        Clip(
            f"{name}/{start:05d}",
            name,
            functools.partial(_decode, tuple(images[start : start + frames])),
            size=(SIZE, SIZE),
        )
        for name, images in files.items()
        for start in starts(len(images), frames)
    ]
    expected = sum(len(starts(total, frames)) for total in SEQUENCES.values())
    if len(files) == len(SEQUENCES):
        check_complete({name: len(images) for name, images in files.items()}, len(clips), expected)
    else:
        notices.append(
            f"{len(clips)} of the {expected} clips of DAVIS-{frames - 2} are here "
            f"({len(files)} of {len(SEQUENCES)} sequences); numbers are not comparable with the full set"
        )
    kept = spread(sorted(clips, key=lambda clip: clip.id), limit)
    used = [
        file for clip in kept for file in files[clip.source][int(clip.id[-5:]) : int(clip.id[-5:]) + frames]
    ]
    return Dataset(
        name="davis",
        clips=kept,
        fingerprint=content_hash(folder, used),
        expected=expected,
        fps=FPS,
        notices=notices + limited(len(kept), len(clips)),
        root=folder,
    )


def clip_ids(frames: int = 9) -> list[str]:
    """Ids of all clips, which need no data to be known, sorted."""
    return sorted(
        f"{name}/{start:05d}" for name, total in SEQUENCES.items() for start in starts(total, frames)
    )


def find_frames(root: Path) -> Path:
    """The ``480p`` folder of a DAVIS tree, in any of the accepted layouts."""
    wanted = "JPEGImages/480p of DAVIS 2016 or 2017"
    root = folder_of("davis", root, wanted)
    for layout in LAYOUTS:
        if (root / layout).is_dir():
            return folder_of("davis", root / layout, "the sequences of DAVIS, one folder each")
    if root.name == "480p" or any((root / name).is_dir() for name in SEQUENCES):
        return root
    raise UserError(f"data root {root} holds no JPEGImages/480p: give --data-root, a folder with {wanted}")


def list_frames(folder: Path, least: int) -> list[Path]:
    """The frames of one sequence, ``00000.jpg`` onwards, complete and in order.

    Raises:
        UserError: fewer than ``least`` frames where DAVIS has as many, more than DAVIS has, an odd name, or a gap
            in the numbering.
    """
    frames = [entry for entry in visible(folder) if entry.suffix == ".jpg"]
    for number, frame in enumerate(frames):
        if not re.fullmatch(r"\d{5}", frame.stem):
            raise UserError(
                f"{frame} is no frame of DAVIS: frames are named 00000.jpg, 00001.jpg ...; remove it"
            )
        if int(frame.stem) != number:
            raise UserError(
                f"{folder} lacks frame {number:05d}.jpg while {frame.name} is there: "
                "a clip may not skip frames; copy the sequence again"
            )
    if len(frames) < min(least, SEQUENCES[folder.name]):
        raise too_short(f"sequence {folder}", len(frames), least)
    if len(frames) > SEQUENCES[folder.name]:
        raise UserError(
            f"{folder} has {len(frames)} frames where DAVIS has {SEQUENCES[folder.name]}: "
            "this is another video; use --dataset folder for it"
        )
    return frames


def check_complete(counts: dict[str, int], clips: int, expected: int) -> None:
    """Refuse a tree that has all 50 sequences but not all of their clips, such as a copy cut short."""
    if clips != expected:
        wrong = [
            f"{name} {counts[name]} of {total}" for name, total in SEQUENCES.items() if counts[name] != total
        ]
        raise UserError(
            f"all {len(SEQUENCES)} sequences of DAVIS 2016 are here but give {clips} clips instead of "
            f"{expected} (frames: {_few(wrong)}): copy them again, or keep only the sequences you want to use"
        )


def preprocess(image: np.ndarray) -> np.ndarray:
    """One frame as DAVIS-7 has it: centre square, 256x256, averaged in linear light.

    Args:
        image: ``uint8`` RGB (H, W, 3), gamma-encoded.

    Returns:
        ``uint8`` RGB (256, 256, 3). Everything in between is float32, as in the authors' script: its
        rounding is part of the definition. Odd sides lose their last row or column.
    """
    height, width = image.shape[:2]
    half = min(height, width) // 2
    square = image[height // 2 - half : height // 2 + half, width // 2 - half : width // 2 + half]
    linear = np.power(square.astype(np.float32) / 255.0, GAMMA)
    shrinks = square.shape[0] >= SIZE
    linear = cv2.resize(linear, (SIZE, SIZE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    encoded = np.power(np.clip(linear, 0.0, 1.0), 1.0 / GAMMA)
    return np.clip(encoded * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)


def _decode(files: tuple[Path, ...]) -> np.ndarray:
    return np.stack([preprocess(read_image(file)) for file in files])


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
