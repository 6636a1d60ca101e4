"""The scoring threads: one core each, settings given back, nothing left running after a failure."""

from __future__ import annotations

import threading
import time

import cv2
import pytest
import torch

from eval.networks.inference import full_precision
from eval.workers import MOST, cores, workers


def test_libraries_keep_to_one_core_and_get_their_settings_back() -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()
    with workers("cpu") as pool:
        inside = {
            pool.submit(lambda: (torch.get_num_threads(), cv2.getNumThreads())).result() for _ in range(4)
        }
        assert inside == {(1, 1)}
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_on_a_gpu_products_stay_in_float32_whoever_ends_first() -> None:
    def modes() -> tuple[object, object]:
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    before = modes()
    first, second = (full_precision(torch.device("cuda")) for _ in range(2))
    with workers("cuda"):
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert modes() == (False, False)
        second.__exit__(None, None, None)
        assert modes() == (False, False)
    assert modes() == before


def test_as_many_run_side_by_side_as_there_are_cores() -> None:
    meet = threading.Barrier(min(cores(), MOST))
    with workers("cpu") as pool:
        waits = [pool.submit(meet.wait, 20) for _ in range(meet.parties)]
        assert sorted(wait.result() for wait in waits) == list(range(meet.parties))


def test_after_a_failure_what_has_not_begun_is_dropped() -> None:
    done = []
    with pytest.raises(ValueError, match="stop"), workers("cuda") as pool:
        for number in range(50):
            pool.submit(lambda n=number: (time.sleep(0.01), done.append(n)))
        raise ValueError("stop")
    assert len(done) < 50
