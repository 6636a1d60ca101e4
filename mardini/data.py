"""Training data: clip number i is always the same clip, so a run resumes exactly by counting.

Sources are datasets of :class:`Item`; ``mardini/video_data.py`` holds the one that reads files.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mardini.errors import UserError
from mardini.pictures import crops, sheet
from mardini.synthetic import HELD_OUT, make_scene, render

if TYPE_CHECKING:
    from mardini.scene_bank import DrawnScene, SceneBank

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)
SCENE_SECONDS = 8 / 24
"""How long a procedural scene lasts: 9 frames at 24 FPS show all of it. Its motion is scaled for that."""
OF_A_RUN = 1_000_000
"""Procedural clips that runs of neighbouring ``--seed`` lie apart."""
BEYOND = 1_000_000_000_000
"""Past the held-out clips and those of every benchmark, of which ``--seed`` 9 and more would otherwise be."""


@dataclass(frozen=True)
class Item:
    """One clip, ``uint8`` (K, 3, H, W), and what could not be read on the way to it: (name, sentence) pairs.

    ``frames`` is ``None`` when nothing could be read at all, and where ``scene`` is given, to be rendered.
    """

    frames: Tensor | None
    problems: tuple[tuple[str, str], ...] = ()
    scene: DrawnScene | None = None


class SyntheticClips(Dataset[Item]):
    """Procedural clips; item i shows the scene of seed ``first + i``.

    ``frames`` at ``fps`` show so much of a scene (``SCENE_SECONDS``), from a moment that depends on the seed, or
    all of it in finer steps if it is too short for them.
    """

    def __init__(self, count: int, frames: int, fps: float, resolution: int, first: int = 0) -> None:
        apart(count, first)
        self.count, self.first = count, first
        self.frames, self.fps, self.resolution = frames, fps, resolution

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Item:
        seed = self.first + index
        times = clip_times(seed, self.frames, self.fps)
        clip = render(make_scene(seed), times, (self.resolution, self.resolution))
        return Item(torch.from_numpy(clip).permute(0, 3, 1, 2).contiguous())


def clip_times(seed: int, frames: int, fps: float) -> np.ndarray:
    """When in its scene the clip of ``seed`` shows its frames, (frames,) in [0, 1]."""
    span = min(1.0, (frames - 1) / fps / SCENE_SECONDS)
    start = np.random.default_rng([seed, 1]).uniform(0, 1 - span) if span < 1 else 0.0
    return np.linspace(start, start + span, frames)


def first_clip(seed: int) -> int:
    """Number of the first procedural clip (of a codec: picture) that a training run of ``--seed`` learns from."""
    return seed * OF_A_RUN if (seed + 1) * OF_A_RUN <= HELD_OUT else BEYOND + seed * OF_A_RUN


def apart(count: int, first: int) -> None:
    """Refuse ``count`` training seeds from ``first`` on that run into the held-out ones."""
    if first < HELD_OUT < first + count:
        raise UserError(
            f"training seeds {first} to {first + count} run into the held-out ones from {HELD_OUT}: ask for fewer "
            "clips, a smaller --seed, or give videos"
        )


class Pictures(Dataset[Item]):
    """Crops of procedural pictures for the codec: item i is ``frames`` squares of picture i modulo the pool's size.

    Pictures cost more to draw than crops to learn from, so they are kept, and each is cut many times: the pool has
    6000, or one for each ``CUTS`` items.
    """

    CUTS = 32

    def __init__(self, count: int, frames: int, resolution: int, first: int = 0) -> None:
        self.count, self.first, self.frames, self.resolution = count, first, frames, resolution
        self.pool = max(6000, count // self.CUTS)
        apart(self.pool, first)
        self._kept: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Item:
        number = index % self.pool
        if number not in self._kept:
            self._kept[number] = sheet(self.first + number, self.resolution)
        rng = np.random.default_rng([self.first + index, 3])
        squares = crops(self._kept[number], rng, self.frames, self.resolution)
        return Item(torch.from_numpy(squares).permute(0, 3, 1, 2).contiguous())


class Problems:
    """Files that could not be read, each counted once: ``known`` maps a name to its sentence and first step."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, int]] = {}

    def add(self, items: Sequence[Item], step: int) -> list[str]:
        """Note what the items of a step could not read; returns the sentences that are new."""
        new = []
        for name, sentence in (problem for item in items for problem in item.problems):
            if name not in self.known:
                self.known[name] = (sentence, step)
                new.append(sentence)
        return new

    def join(self, others: Sequence[dict[str, tuple[str, int]]]) -> list[str]:
        """Note what other processes could not read; returns the sentences that are new here."""
        new = {name: found for known in others for name, found in known.items() if name not in self.known}
        self.known |= new
        return [sentence for sentence, _ in new.values()]


def batches(
    clips: Dataset[Item], parts: Sequence[Sequence[int]], workers: int, files: str = "files given as data"
) -> Iterator[list[Item]]:
    """The items of each part, in order; ``workers`` processes prepare parts ahead (0: this process, when asked).

    ``files`` is what an error calls the files behind the clips.

    Raises:
        UserError: an item found nothing that can be read.
    """
    loader = DataLoader(
        clips,
        batch_sampler=parts,  # pyright: ignore[reportArgumentType]  # any iterable of lists of indices will do
        collate_fn=list,
        **worker_options(workers),
    )
    for items in loader:
        for item in items:
            if item.frames is None and item.scene is None:
                raise UserError(f"none of the {files} can be read ({item.problems[0][1]}): give others")
        yield items


def worker_options(workers: int) -> dict[str, Any]:
    """Arguments of a ``DataLoader`` with so many worker processes, each on one core; 0: this process."""
    return {
        "num_workers": workers,
        "worker_init_fn": _single_thread,
        "prefetch_factor": 4 if workers else None,
        "multiprocessing_context": _server() if workers else None,
    }


def _server() -> BaseContext:
    """Workers are forked from a process that has torch ready, and no threads: OpenCV's would be lost, and hang.

    All loaders of a run share it: spawned afresh, sixteen workers keep a machine busy for ten seconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mardini.data"])
    return context


def to_batch(
    items: Sequence[Item], device: torch.device | str = "cpu", bank: SceneBank | None = None
) -> Tensor:
    """Frames of items as one float32 tensor (B, K, 3, H, W) in [0, 1]; ``bank`` renders scenes, on its device."""
    scenes = [item.scene for item in items if item.scene is not None]
    if bank is not None and scenes:
        return bank.render(scenes)
    clips = [item.frames for item in items if item.frames is not None]
    return on(device, torch.stack(clips)).float() / 255


def on(device: torch.device | str, tensor: Tensor) -> Tensor:
    """A tensor of the CPU on ``device``; copies from pinned memory alone do not wait for what a GPU still has to do."""
    return (
        tensor.pin_memory().to(device, non_blocking=True) if torch.device(device).type == "cuda" else tensor
    )


def _single_thread(worker: int) -> None:
    """A worker keeps to one core: the others are the model's."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    keep_memory()


def keep_memory() -> None:
    """Tell glibc to keep what is freed: large arrays else come as thousands of new pages each time."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # there are other libraries than glibc
        for option, value in ((_MMAP_THRESHOLD, 2**30), (_TRIM_THRESHOLD, 2**30), (_TOP_PAD, 2**26)):
            mallopt(option, value)
