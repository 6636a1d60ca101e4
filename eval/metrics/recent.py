"""Features of reference frames, kept while several systems are scored on the same clip."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

BUDGET = 512 * 2**20  # bytes; AlexNet's features of a clip of 7 frames of 256x256 take 18 MB, VGG's 220


class Recent:
    """The latest results of a function of frames, found again by the frames' content, the oldest given up first.

    Threads that ask for the same frames at the same time share one computation. What alone exceeds the budget is
    computed and not kept.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget, self.used = budget, 0
        self._kept: OrderedDict[bytes, tuple[Future[Sequence[Tensor]], int]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(
        self, frames: np.ndarray, compute: Callable[[np.ndarray], Sequence[Tensor]]
    ) -> Sequence[Tensor]:
        """``compute(frames)``, or what it gave for the same frames a short while ago."""
        key = hashlib.blake2b(np.ascontiguousarray(frames).data, digest_size=16)
        key.update(repr(frames.shape).encode())
        name, mine = key.digest(), Future[Sequence["Tensor"]]()
        with self._lock:
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
        size = sum(tensor.numel() * tensor.element_size() for tensor in result)
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
