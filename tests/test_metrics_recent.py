"""Features of reference frames are computed once for all systems, in bounded memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from eval.metrics.base import Pair
from eval.metrics.lpips import LPIPS
from eval.metrics.recent import BUDGET, Recent


def clip(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)


class Counted:
    """A function of frames that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, frames: np.ndarray) -> list[list[torch.Tensor]]:
        self.calls += 1
        return [[torch.from_numpy(frames.astype(np.float32))]]


def sharing(budget: int = BUDGET) -> Recent:
    """One that has seen some frames twice already."""
    recent = Recent(budget)
    assert recent(clip(99), Counted()) is None
    recent(clip(99), lambda frames: [])
    return recent


def test_nothing_is_computed_or_kept_until_frames_come_again():
    compute, recent = Counted(), Recent()
    assert [recent(clip(seed), compute) for seed in (0, 1, 2)] == [None, None, None]
    assert (compute.calls, recent.used) == (0, 0)
    assert recent(clip(1), compute) is not None
    assert recent(clip(3), compute) is not None  # from now on at first sight
    assert compute.calls == 2


def test_equal_frames_are_looked_up_by_content():
    compute, recent = Counted(), sharing()
    first = recent(clip(0), compute)
    assert recent(clip(0).copy(), compute) is first
    recent(clip(1), compute)
    recent(clip(0).reshape(4, 2, 4, 3), compute)  # the same bytes in another shape
    assert compute.calls == 3


def test_the_oldest_is_given_up_when_the_budget_is_full():
    size = clip(0).size * 4
    compute, recent = Counted(), sharing(2 * size)
    for seed in (0, 1, 0, 2):  # 1 is the oldest when 2 comes
        recent(clip(seed), compute)
    assert (compute.calls, recent.used) == (3, 2 * size)
    recent(clip(0), compute)
    assert compute.calls == 3
    recent(clip(1), compute)
    assert compute.calls == 4
    none = sharing(size - 1)
    assert len(none(clip(0), compute) or ()) == 1
    assert none.used == 0


def test_threads_share_one_computation_and_its_failure():
    recent, begun, go = sharing(), threading.Event(), threading.Event()

    def slow(frames: np.ndarray) -> list[list[torch.Tensor]]:
        begun.set()
        assert go.wait(10)
        raise RuntimeError("broken")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(recent, clip(0), slow)
        assert begun.wait(10)
        second = pool.submit(recent, clip(0), slow)
        go.set()
        for future in (first, second):
            with pytest.raises(RuntimeError, match="broken"):
                future.result(10)
    assert len(recent(clip(0), Counted()) or ()) == 1  # a failure is not kept


def test_further_systems_cost_one_pass_of_the_network(monkeypatch):
    metric, passes = LPIPS("squeeze", None), []
    random = np.random.default_rng(0)
    reference, one, two = random.integers(0, 256, (3, 2, 32, 32, 3), dtype=np.uint8)
    unit = metric._unit
    monkeypatch.setattr(metric, "_unit", lambda frames: passes.append(len(frames)) or unit(frames))
    first = metric(Pair(one, reference))
    metric(Pair(two, reference))  # the second system shows that there are several
    assert passes == [2, 2, 2, 2]
    np.testing.assert_array_equal(metric(Pair(one, reference.copy())), first)
    assert passes == [2, 2, 2, 2, 2]
