"""Seconds and bytes: repeated, synchronised, the first call left out."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIB = 2**30
SHORTEST = 0.05
"""Seconds that a repeat lasts at least."""
LONG = 30.0
"""Seconds after which there are no more repeats: what takes so long hardly varies."""


@dataclass(frozen=True)
class Timing:
    """Seconds of each repeat, in order."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def entry(self, per: float = 1.0) -> dict[str, Any]:
        """An entry of a record: the median, the fastest and the slowest repeat; divided by ``per``."""
        low, high = min(self.seconds), max(self.seconds)
        return {
            "value": self.median / per,
            "low": low / per,
            "high": high / per,
            "interval": f"fastest and slowest of {len(self.seconds)}",
        }


def timed(run: Callable[[], object], device: str = "cpu", repeats: int = 3, warm: int = 1) -> Timing:
    """Time ``run``: ``warm`` calls that do not count, then ``repeats``, each until the device has finished.

    Where a call is too short for the clock, a repeat is many calls, and counts as their mean. After ``LONG``
    there are no more.
    """
    for _ in range(warm):
        run()
    found: list[float] = []
    while len(found) < repeats and sum(found) < LONG:
        found.append(once(run, device, 1))
    if max(found) < SHORTEST:
        calls = math.ceil(SHORTEST / max(*found, 1e-6))
        found = [once(run, device, calls) for _ in range(repeats)]
    return Timing(tuple(found))


def once(run: Callable[[], object], device: str, calls: int) -> float:
    """Seconds of one of ``calls`` calls in a row."""
    synchronise(device)
    began = time.perf_counter()
    for _ in range(calls):
        run()
    synchronise(device)
    return (time.perf_counter() - began) / calls


def synchronise(device: str) -> None:
    """Wait for all that was queued on a CUDA device."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def peak_memory(device: str = "cpu") -> int:
    """Bytes at most in use so far: by tensors on a CUDA device, or by this process on a CPU.

    The kernel's high-water mark of this process is read where there is one: ``getrusage`` counts what the parent
    held when it started this process.
    """
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
