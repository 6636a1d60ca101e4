"""Training clips from files: a random window, cropped to a random square, of a random video.

Item i is a pure function of the seed, i and the files: which video, where it starts and where it is cropped come
from generators of their own, so workers, resumption and the number of processes change nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from mardini.data import Item
from mardini.errors import UserError
from mardini.files import sha256_of
from mardini.video import resize
from mardini.video_files import Video, find_videos, read_window

SMALLEST_CROP = 0.75
"""Side of the smallest square cut out, over the shorter side of the video."""
MOST_HELD_OUT = 32


class VideoClips(Dataset[Item]):
    """Clips of real videos.

    Each pass over the videos has an order of its own. A video that cannot be read is reported in the item, and the
    next in order is taken instead.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        count: int,
        frames: int,
        fps: float,
        resolution: int,
        seed: int,
        folder_fps: float = 24.0,
    ) -> None:
        self.videos, self.count, self.seed = videos, count, seed
        self.frames, self.fps, self.resolution, self.folder_fps = frames, fps, resolution, folder_fps
        self._order = functools.lru_cache(maxsize=2)(self._shuffled)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_order"}  # no cache travels

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._order = functools.lru_cache(maxsize=2)(self._shuffled)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Item:
        number = len(self.videos)
        problems: list[tuple[str, str]] = []
        for attempt in range(number):
            turn, position = divmod(index, number)
            video = self.videos[self._order(turn)[(position + attempt) % number]]
            rng = np.random.default_rng([self.seed, index, attempt])
            try:
                window = read_window(video, rng.uniform(), self.frames, self.fps, self.folder_fps)
            except UserError as error:
                problems.append((video.name, str(error)))
                continue
            clip = _square(window, self.resolution, rng)
            return Item(torch.from_numpy(clip).permute(0, 3, 1, 2).contiguous(), tuple(problems))
        return Item(None, tuple(problems))

    def _shuffled(self, turn: int) -> list[int]:
        generator = torch.Generator().manual_seed(int(sha256_of([str(self.seed), str(turn)])[:15], 16))
        return torch.randperm(len(self.videos), generator=generator).tolist()


def _square(window: np.ndarray, resolution: int, rng: np.random.Generator) -> np.ndarray:
    """A random square of all frames (K, H, W, 3), at ``resolution``; enlarged only if the video is smaller."""
    height, width = window.shape[1:3]
    shorter = min(height, width)
    smallest = min(shorter, max(resolution, round(SMALLEST_CROP * shorter)))
    side = int(rng.integers(smallest, shorter + 1))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    return resize(window[:, top : top + side, left : left + side], (resolution, resolution))


def split(paths: Sequence[Path]) -> tuple[list[Video], list[Video]]:
    """Videos to train on and held-out ones (1 in 50, at least 1, at most 32), chosen by a hash of their names,
    folders left out: the choice is the same wherever the data lies.

    Raises:
        UserError: fewer than two videos are found, or a path holds none.
    """
    videos = find_videos(paths)
    if len(videos) < 2:
        raise UserError(
            f"one video, {videos[0].name}, is no training set: give at least two (one is held out)"
        )
    count = min(MOST_HELD_OUT, max(1, len(videos) // 50))
    ranked = sorted(videos, key=lambda video: (sha256_of([video.name.rsplit("/", 1)[-1]]), video.name))
    chosen = {video.name for video in ranked[:count]}
    return [v for v in videos if v.name not in chosen], [v for v in videos if v.name in chosen]
