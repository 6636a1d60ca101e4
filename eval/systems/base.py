"""What a system is: given frames in, whole clip out. To add one, write a class with these two methods.

A system sees only the given frames of a clip, its own seed and the frame rate, never the frames it is to
generate. Its output for a clip must depend on nothing else: not on the other clips of the call, not on
their order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mardini.errors import UserError
from mardini.files import sha256_of


@dataclass(frozen=True)
class Task:
    """One clip to complete.

    Attributes:
        clip_id: name of the clip, for messages and for finding stored predictions.
        given: frame index -> ``uint8`` RGB (H, W, 3); at least one, all of one size.
        frames: length of the whole clip, given frames included.
        seed: 63-bit seed of this clip's random numbers, see ``clip_seed``.
        fps: frames per second of the clip.
    """

    clip_id: str
    given: Mapping[int, np.ndarray]
    frames: int
    seed: int
    fps: float = 24.0


class System(Protocol):
    """A method that completes clips.

    It may have ``prepare() -> None`` besides: called once before the first clip of a run that has work to do, to fetch
    what is missing.

    Attributes:
        name: as in tables and paths.
        variant: folder name of its results; tells apart settings that change the output.
    """

    name: str
    variant: str

    def describe(self) -> dict[str, Any]:
        """Everything besides the task that changes the output: method version, options, weight hashes."""
        ...

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        """One ``uint8`` RGB array (T, H, W, 3) per task, in order; ``T`` is ``task.frames``.

        What stands at the given indices is replaced by the given frames before scoring.
        """
        ...


def clip_seed(run_seed: int, clip_id: str) -> int:
    """63-bit seed of a clip: a hash of the run's seed and the clip's id, so order and batch do not matter."""
    return int(sha256_of([str(run_seed), clip_id])[:16], 16) >> 1


def neighbours(given: Collection[int], index: int) -> tuple[int, int]:
    """Nearest given indices before and after ``index``; outside their range, the nearest one twice."""
    before = [i for i in given if i <= index]
    after = [i for i in given if i >= index]
    left = max(before) if before else min(after)
    right = min(after) if after else max(before)
    return left, right


Between = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def fill_gaps(task: Task, between: Between, after: Between | None = None) -> np.ndarray:
    """Complete a clip from a method that only knows two end frames.

    ``between(first, last, n)`` returns the ``n`` frames at times ``1/(n+1) ... n/(n+1)`` between two
    ``uint8`` (H, W, 3) frames, shape (n, H, W, 3). Frames before the first given one or after the last
    repeat it; ``after(previous, last, n)``, where there is one, gives those after two neighbouring last frames.
    """
    known = sorted(task.given)
    clip = np.stack([task.given[neighbours(known, i)[0]] for i in range(task.frames)])
    for left, right in itertools.pairwise(known):
        if right - left > 1:
            clip[left + 1 : right] = between(task.given[left], task.given[right], right - left - 1)
    beyond = task.frames - 1 - known[-1]
    if after is not None and beyond and known[-2:] == [known[-1] - 1, known[-1]]:
        clip[known[-1] + 1 :] = after(task.given[known[-2]], task.given[known[-1]], beyond)
    return clip


def keep_given(name: str, task: Task, output: np.ndarray) -> np.ndarray:
    """A system's output with the given frames put back exactly; refuses a wrong shape or type."""
    first = next(iter(task.given.values()))
    if output.dtype != np.uint8 or output.shape != (task.frames, *first.shape):
        raise UserError(
            f"system '{name}' gave {output.dtype} of shape {output.shape} for clip '{task.clip_id}': "
            f"it must give uint8 of shape {(task.frames, *first.shape)}"
        )
    frames = output.copy()
    for index, frame in task.given.items():
        frames[index] = frame
    return frames
