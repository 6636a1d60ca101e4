"""Features of reference frames, kept while several systems are scored on the same clip."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

BUDGET = 512 * 2**20  # bytes; AlexNet's features of a clip of 7 frames of 256x256 take 18 MB, VGG's 220
SEEN = 256  # frames remembered by their hash alone; systems are scored clip by clip, so repeats come soon


Parts = Sequence[Sequence["Tensor"]]
"""Features of one batch of frames after the other, each a tensor for every layer."""


def in_batches(frames: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """``frames``, ``size`` at a time."""
    return (frames[start : start + size] for start in range(0, len(frames), size))


class Recent:
    """The latest results of a function of frames, found again by the frames' content, the oldest given up first.

    Nothing is kept until some frames come a second time: a run of one system, which never asks again, does not pay for
    it in memory. Threads that ask for the same frames at the same time share one computation. What alone exceeds the
    budget is computed and not kept.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget, self.used = budget, 0
        self._kept: OrderedDict[bytes, tuple[Future[Parts], int]] = OrderedDict()
        self._lock = threading.Lock()
        self._repeats = False
        self._seen: deque[bytes] = deque(maxlen=SEEN)

    def batches(
        self, frames: np.ndarray, size: int, compute: Callable[[np.ndarray], Sequence[Tensor]]
    ) -> Iterable[Sequence[Tensor]]:
        """``compute`` of ``size`` frames after the other: kept ones, or each when it is asked for."""
        kept = self(frames, lambda whole: [compute(part) for part in in_batches(whole, size)])
        return kept if kept is not None else map(compute, in_batches(frames, size))

    def __call__(self, frames: np.ndarray, compute: Callable[[np.ndarray], Parts]) -> Parts | None:
        """``compute(frames)``, or what it gave for the same frames a short while ago.

        ``None``: no frames have come twice so far, so the caller had better compute part by part and keep nothing.
        """
        key = hashlib.blake2b(np.ascontiguousarray(frames).data, digest_size=16)
        key.update(repr(frames.shape).encode())
        name, mine = key.digest(), Future[Parts]()
        with self._lock:
            self._repeats = self._repeats or name in self._seen
            if not self._repeats:
                self._seen.append(name)
                return None
            future, _ = self._kept.setdefault(name, (mine, 0))
            self._kept.move_to_end(name)
        if future is not mine:
            return future.result()
        try:
            result = compute(frames)
        except BaseException as error:
            with self._lock:
                del self._kept[name]
            mine.set_exception(error)
            raise
        mine.set_result(result)
        size = sum(tensor.numel() * tensor.element_size() for part in result for tensor in part)
        with self._lock:
            self._kept[name] = mine, size
            self.used += size
            self._shrink()
        return result

    def _shrink(self) -> None:
        """Give up the oldest results until the budget is kept; those still being computed weigh nothing yet."""
        for name in list(self._kept):
            if self.used <= self.budget:
                return
            size = self._kept[name][1]
            if size:
                del self._kept[name]
                self.used -= size
