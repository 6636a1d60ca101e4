"""The samples on VIDIM's web site: ground truth beside the results of five methods, as small videos.

Layout: ``N_input.mp4`` (2 frames: first and last), ``N_gt.mp4`` (the 7 between), ``N_<method>.mp4`` (7 each).
The site has 400 clips of DAVIS (N = 0 to 400 without 99, 44 of them twice) at 256x256 and the methods amt,
rife, film, ldmvfi and ``vidm``, which is VIDIM itself. The videos are H.264, so scores differ a little from
those of the original frames (about +0.02 dB PSNR).
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from eval.datasets import scenes
from eval.datasets.base import Clip, Dataset
from eval.datasets.chunks import content_hash, folder_of, limited, spread, visible
from mardini.errors import UserError
from mardini.video import read_video

FPS = 24.0
FRAMES = 9
WANTED = "N_input.mp4, N_gt.mp4 and N_<method>.mp4 for each clip N"
LENGTHS = {"input": 2, "gt": FRAMES - 2}


def load(root: Path | None, *, limit: int | None = None) -> Dataset:
    """The clips in ``root``: [first, 7 between, last], ``uint8`` (9, H, W, 3), ids ``000``, ``001`` ...

    ``clip.outputs`` has the seven frames of each method whose file is there for every clip. The names do
    not tell which video a clip comes from, so ``clip.source`` is found by ``eval.datasets.scenes``; for
    that the inputs are decoded here.

    Raises:
        UserError: no such folder or no clip in it, a clip without ground truth or input, an empty file;
            from ``clip.load()`` and the outputs: an unreadable file, a wrong number or size of frames.
    """
    root = folder_of("vidim", root, WANTED)
    files: dict[int, dict[str, Path]] = defaultdict(dict)
    for file in visible(root):
        if match := re.fullmatch(r"(\d+)_([^_].*)\.mp4", file.name):
            number, kind = int(match[1]), match[2]
            if kind in files[number]:
                raise UserError(
                    f"{files[number][kind]} and {file} are both clip {number}: remove one of them"
                )
            files[number][kind] = file
    if not files:
        raise UserError(f"data root {root} holds no clips: give --data-root, a folder with {WANTED}")
    numbers = sorted(files)
    for number in numbers:
        for kind in LENGTHS:
            if kind not in files[number]:
                raise UserError(
                    f"clip {number} in {root} has no {number}_{kind}.mp4: add it, or remove the clip"
                )
    every = sorted(set().union(*files.values()) - set(LENGTHS))
    methods = [method for method in every if all(method in files[number] for number in numbers)]
    notices = []
    for method in sorted(set(every) - set(methods)):
        missing = [str(number) for number in numbers if method not in files[number]]
        notices.append(
            f"method '{method}' is not offered: it lacks {len(missing)} of {len(numbers)} clips, "
            f"{missing[0]}_{method}.mp4 first"
        )
    for number in numbers:
        for kind in (*LENGTHS, *methods):
            if files[number][kind].stat().st_size == 0:
                raise UserError(
                    f"{files[number][kind]} is empty: replace it by a whole copy, or remove the clip"
                )
    sources = _sources([files[number]["input"] for number in numbers])
    notices.append(
        f"the file names do not tell the source videos; by their pictures the {len(numbers)} clips show "
        f"{len(set(sources))} scenes, which intervals resample"
    )
    clips = [
        _clip(number, files[number], methods, f"{numbers[scene]:03d}")
        for number, scene in zip(numbers, sources, strict=True)
    ]
    kept = spread(clips, limit)
    used = [files[int(clip.id)][kind] for clip in kept for kind in (*LENGTHS, *methods)]
    return Dataset(
        name="vidim",
        clips=kept,
        fingerprint=content_hash(root, used),
        fps=FPS,
        notices=notices + limited(len(kept), len(clips)),
        root=root,
    )


def read_exactly(file: Path, frames: int) -> np.ndarray:
    """A video that must have ``frames`` frames, ``uint8`` (frames, H, W, 3)."""
    video = read_video(file)
    if len(video) != frames:
        raise UserError(f"{file} has {len(video)} frames instead of {frames}: replace it by a whole copy")
    return video


def _sources(inputs: list[Path]) -> list[int]:
    return scenes.group([read_exactly(file, LENGTHS["input"]) for file in inputs])


def _clip(number: int, files: dict[str, Path], methods: list[str], scene: str) -> Clip:
    def load_clip() -> np.ndarray:
        given, between = (read_exactly(files[kind], frames) for kind, frames in LENGTHS.items())
        if given.shape[1:] != between.shape[1:]:
            raise UserError(
                f"{files['input']} and {files['gt']} differ in size: replace them by whole copies"
            )
        return np.concatenate([given[:1], between, given[1:]])

    outputs = {method: functools.partial(read_exactly, files[method], LENGTHS["gt"]) for method in methods}
    return Clip(f"{number:03d}", f"scene-{scene}", load_clip, outputs)
