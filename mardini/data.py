"""Training data: clip number i is always the same clip, so a run resumes exactly by counting."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mardini.synthetic import make_clip

HELD_OUT = 9_000_000
"""First seed of the held-out procedural clips; training uses seeds below, benchmarks seeds of 10 million and up."""


class SyntheticClips(Dataset[Tensor]):
    """Procedural clips as ``uint8`` tensors (K, 3, H, W); item i is ``make_clip(first + i)``."""

    def __init__(self, count: int, frames: int, resolution: int, first: int = 0) -> None:
        if first < HELD_OUT < first + count:
            raise ValueError(
                f"training seeds {first} to {first + count} run into the held-out ones from {HELD_OUT}"
            )
        self.count, self.frames, self.resolution, self.first = count, frames, resolution, first

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        clip = make_clip(self.first + index, self.frames, (self.resolution, self.resolution))
        return torch.from_numpy(clip).permute(0, 3, 1, 2).contiguous()


def batches(
    clips: Dataset[Tensor], batch: int, first_step: int, last_step: int, workers: int
) -> Iterator[Tensor]:
    """Batches ``first_step`` up to ``last_step`` (exclusive) of ``clips`` in order: (B, K, 3, H, W) in [0, 1]."""
    indices = range(first_step * batch, last_step * batch)
    loader = DataLoader(
        clips,
        batch,
        sampler=indices,
        num_workers=workers,
        worker_init_fn=_single_thread,
        prefetch_factor=4 if workers else None,
        # A forked worker would inherit OpenCV's thread pool without its threads, and hang.
        multiprocessing_context="spawn" if workers else None,
    )
    for frames in loader:
        yield frames.float() / 255


def _single_thread(worker: int) -> None:
    """A worker keeps to one core: the others are the model's."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
