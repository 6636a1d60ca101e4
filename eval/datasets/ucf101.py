"""UCF101-7: the UCF101 half of VIDIM-Bench: 400 clips of 9 frames of 19 videos, stretched to 256x256.

Source of every rule: Jain et al. 2024 (arXiv:2404.01203), script ``generate_ucf101-7.py`` of the paper's web
site. It takes the test videos of split 1 in the order in which TensorFlow Datasets reads them (``ucf101``
2.0.0), cuts each into non-overlapping clips of 9 frames at stride 1, and stops after 400 clips. That order is
a hash of the file names and of the number of files the data was written to, so the clips are frozen here as a
list instead, whose hash is printed and recorded.

What is certain of the list: its first 16 videos, 324 clips, do not depend on the number of files. The last 76
clips do; the three videos named last are those of 32 files, the likeliest number, which nobody has confirmed.

Frames are 320x240 and get stretched, not cropped, by FFmpeg's ``-vf scale=256x256``. TensorFlow Datasets then
keeps them as JPEG of FFmpeg's default quality, whose artefacts are not imitated: frames here are cleaner.

Licence: not stated by the authors (Soomro et al. 2012, arXiv:1212.0402); videos from the web, for research,
not to be passed on.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from eval.datasets.base import Clip, Dataset
from eval.datasets.chunks import folder_of, limited, spread, starts, visible
from mardini.errors import UserError
from mardini.files import sha256, sha256_of
from mardini.playback import Playback
from mardini.video import probe_video

SIZE = (256, 256)
FRAMES = 9
CLIPS = 400
CLASSES = 101
FPS = 25.0

# Video -> clips, in the order of the benchmark.
CERTAIN = {
    "BlowDryHair_g04_c05": 12, "FrontCrawl_g02_c01": 10, "Biking_g04_c03": 26, "BaseballPitch_g04_c05": 12,
    "SkateBoarding_g02_c06": 33, "HulaHoop_g01_c03": 12, "PlayingFlute_g07_c05": 18,
    "PlayingDaf_g06_c04": 35, "FieldHockeyPenalty_g05_c02": 8, "PlayingFlute_g04_c07": 31,
    "WalkingWithDog_g03_c01": 26, "TableTennisShot_g06_c03": 15, "PlayingCello_g02_c06": 19,
    "TaiChi_g01_c04": 18, "Archery_g05_c05": 21, "IceDancing_g07_c07": 28,
}  # fmt: skip
LIKELY = {"BabyCrawling_g02_c03": 12, "PlayingTabla_g04_c06": 35, "Archery_g05_c01": 29}
VIDEOS = CERTAIN | LIKELY

WANTED = "UCF101's videos: <Class>/v_*.avi as in UCF101.rar, or v_*.avi side by side"
NAME = re.compile(r"v_(?P<video>(?P<class>[A-Za-z]+)_g\d{2}_c\d{2})\.avi")
INNER = (
    "",
    "UCF-101",
    "UCF101",
    "UCF101/UCF-101",
)  # folders below a data root in which the videos are looked for


def list_hash(videos: Mapping[str, int] = VIDEOS) -> str:
    """SHA-256 of the list of clips: video and first frame of each, in the order of the benchmark."""
    return sha256_of(f"{video}/{FRAMES * i:05d}" for video, clips in videos.items() for i in range(clips))


def load(
    root: Path | None = None, *, limit: int | None = None, frames: int = FRAMES, cache: Path | None = None
) -> Dataset:
    """The clips of UCF101-7 below ``root``, or of the copy in the cache, downloaded when there is none.

    Nothing is decoded here: the 19 videos are looked up, their frames counted, and their bytes hashed.
    ``clip.load()`` gives ``uint8`` (frames, 256, 256, 3). Ids are ``<video>/<first frame, five digits>``.

    Args:
        root: folder with the videos side by side, or one folder a class, or the folder above.
            ``None``: the cache.
        limit: keep this many clips, evenly spaced over the sorted ids.
        frames: of a clip; 9 is UCF101-7, others are cut from the same stretch of each video.
        cache: where downloaded data lies; see ``eval.datasets.ucf101_download.fetch``.

    Raises:
        UserError: no listed video below ``root``; a listed video that lacks frames; a copy of all of UCF101
            that lacks a listed video; all listed videos, but not all clips (400 of 9 frames).
    """
    if root is None:
        from eval.datasets.ucf101_download import fetch

        root = fetch(cache)
    root = folder_of("ucf101", root, WANTED)
    found, classes = find_videos(root)
    missing = [video for video in VIDEOS if video not in found]
    if len(missing) == len(VIDEOS):
        raise UserError(
            f"{root} holds none of the {len(VIDEOS)} videos of UCF101-7 (v_{missing[0]}.avi ...): give --data-root, "
            f"a folder with {WANTED}"
        )
    if missing and classes >= CLASSES:
        raise UserError(
            f"{root} holds all {classes} classes of UCF101, but lacks {_few(missing)}: copy these videos again"
        )
    chunks = {
        f"{video}/{start:05d}": (video, start)
        for video in VIDEOS
        if video in found
        for start in starts(FRAMES * VIDEOS[video], frames)
    }
    check_lengths(found)
    expected = len(clip_ids(frames))
    notices = [f"UCF101-7 is a frozen list of {CLIPS} clips, SHA-256 {list_hash()}"]
    if missing:
        notices.append(
            f"{len(chunks)} of the {expected} clips of UCF101-{frames - 2} are here (no {_few(missing)}); numbers are "
            "not comparable with the full set"
        )
    elif len(chunks) != (CLIPS if frames == FRAMES else expected):
        raise AssertionError(f"the frozen list gives {len(chunks)} clips instead of {CLIPS}")
    playback = Playback(SIZE)
    kept = spread(sorted(chunks), limit)
    return Dataset(
        name="ucf101",
        clips=[
            Clip(name, video, functools.partial(_cut, playback, found[video], start, frames), size=SIZE)
            for name in kept
            for video, start in [chunks[name]]
        ],
        fingerprint=_hash_of({video: found[video] for video in sorted({chunks[name][0] for name in kept})}),
        expected=expected,
        fps=FPS,
        notices=notices + limited(len(kept), len(chunks)),
        root=root,
        details={"clip_list_sha256": list_hash(), "certain_clips": sum(CERTAIN.values())},
    )


def clip_ids(frames: int = FRAMES) -> list[str]:
    """Ids of all clips, which need no data to be known, sorted."""
    return sorted(
        f"{video}/{start:05d}" for video, clips in VIDEOS.items() for start in starts(FRAMES * clips, frames)
    )


def find_videos(root: Path) -> tuple[dict[str, Path], int]:
    """The listed videos below ``root``, by name without ``v_``, and how many classes of UCF101 are there.

    One class is written HandStandPushups in folder names and lists, and HandstandPushups in file names: only file
    names are read.
    """
    found: dict[str, Path] = {}
    classes: set[str] = set()
    for folder in _folders(root):
        for file in visible(folder):
            if match := NAME.fullmatch(file.name):
                classes.add(match["class"].lower())
                if match["video"] in VIDEOS:
                    found.setdefault(match["video"], file)
    return found, len(classes)


def _folders(root: Path) -> Iterable[Path]:
    """Folders that may hold videos: each of ``INNER``, and one level below it."""
    for folder in dict.fromkeys(root / inner for inner in INNER):
        if folder.is_dir():
            yield folder
            yield from (entry for entry in visible(folder) if entry.is_dir())


def check_lengths(found: Mapping[str, Path]) -> None:
    """Refuse videos with fewer frames than their clips need, all of them in one sentence."""
    short = []
    for video, file in found.items():
        frames, needed = probe_video(file).frames, FRAMES * VIDEOS[video]
        if frames < needed:
            short.append(f"{file.name} has {frames} frames of at least {needed}")
    if short:
        raise UserError(
            f"{len(short)} videos of UCF101-7 are cut short ({_few(short)}): replace them by whole copies"
        )


def _hash_of(videos: Mapping[str, Path]) -> str:
    """Over names and bytes: the folders they lie in do not matter."""
    return sha256_of(part for video, file in videos.items() for part in (video, sha256(file)))


def _cut(playback: Playback, file: Path, start: int, frames: int) -> np.ndarray:
    clip = playback.clip(file, start, frames)
    if len(clip) < frames:
        raise UserError(
            f"{file} cannot be decoded beyond frame {start + len(clip)}: replace it by a whole copy"
        )
    return clip


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
