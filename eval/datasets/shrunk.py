"""A dataset at a smaller size: for models that work at fewer pixels than a benchmark's, at their own resolution.

Such numbers are a protocol of their own (``davis-7-64px``): they compare with others at that size, and with nothing
published at the full one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from eval.datasets.base import Clip, Dataset
from mardini.errors import UserError
from mardini.files import sha256_of
from mardini.video import resize
from mardini.windows import working_size


def shrunk_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(height, width) with ``side`` pixels on the shorter side, the aspect kept.

    Raises ``UserError`` if that is more than there are.
    """
    if side < 1:
        raise UserError(f"--size {side}: give at least 1")
    if side > min(size):
        raise UserError(
            f"--size {side} is more than the {min(size)} pixels of the clips' shorter side: give fewer, or leave it out"
        )
    return working_size(size, side)


def shrunk(dataset: Dataset, side: int) -> Dataset:
    """``dataset`` with all clips, and the outputs that come with it, averaged down to ``side`` pixels.

    Raises ``UserError`` if that is more than a clip has: here, or when it is loaded where its size is not known before.
    """
    return dataclasses.replace(
        dataset,
        clips=[_clip(clip, side) for clip in dataset.clips],
        fingerprint=sha256_of([dataset.fingerprint, f"shrunk to {side}"]),
        details={**dataset.details, "shrunk_to": side},
    )


def _clip(clip: Clip, side: int) -> Clip:
    return dataclasses.replace(
        clip,
        load=_loader(clip.load, side),
        outputs={name: _loader(load, side) for name, load in clip.outputs.items()},
        size=None if clip.size is None else shrunk_size(clip.size, side),
    )


def _loader(load: Callable[[], np.ndarray], side: int) -> Callable[[], np.ndarray]:
    def loaded() -> np.ndarray:
        frames = load()
        return resize(frames, shrunk_size((frames.shape[1], frames.shape[2]), side))

    return loaded
