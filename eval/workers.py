"""Threads that score clips side by side, each computing on one core.

Libraries that split every small operation over all cores wait for one another much of the time, and on a
machine that does something else too they become tens of times slower. One core for each clip keeps all busy,
and makes scores the same to the last bit whatever the number of cores.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

MOST = 8  # each holds the activations of a detector


def cores() -> int:
    """Cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextlib.contextmanager
def workers(device: str) -> Iterator[Executor]:
    """A pool to score with, one thread for each core (on a GPU: one), while libraries keep to one core each.

    On a GPU all products are in float32 meanwhile (``full_precision``): the setting is the whole process's, so that
    threads which took and gave it back in turn would compute some features in TensorFloat-32.

    The libraries' own settings come back at the end. If the body fails, work not yet begun is dropped.
    """
    import cv2
    import torch

    from eval.networks.inference import full_precision

    on_cpu = device == "cpu"
    before = torch.get_num_threads(), cv2.getNumThreads()
    if on_cpu:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
    pool = ThreadPoolExecutor(min(cores(), MOST) if on_cpu else 1)
    try:
        with full_precision(torch.device(device)):
            yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        if on_cpu:
            torch.set_num_threads(before[0])
            cv2.setNumThreads(before[1])
