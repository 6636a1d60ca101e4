"""Evaluation protocols: which frames are given, which are asked for, at what size. Frozen and versioned.

A protocol is a task on a dataset. Its version changes whenever any number computed under it could change;
records carry it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from eval.datasets import ALIASES, DATASETS, DatasetInfo
from mardini.errors import UserError, unknown

TaskName = Literal["interpolation", "i2v", "expansion"]
TASKS: tuple[TaskName, ...] = get_args(TaskName)


@dataclass(frozen=True)
class Protocol:
    """One task on one dataset.

    Attributes:
        name: ``davis-7`` (interpolation, 7 generated frames), ``davis-i2v-8``, ``davis-expansion-5``, or
            ``davis-given-0.4.8-of-9`` for a mask of the user's own; with ``-64px`` when shrunk to that.
        version: ``v1``, ``v2`` ...
        task: what is asked for.
        frames: frames of a clip, given ones included.
        given: indices (0-based) of the frames a system is shown, ascending.
        size: (height, width) in pixels at which all systems are scored; ``None``: as the clips are.
        features: which detectors are used when the user does not say: ``pretrained`` or ``random``.
        source: where the protocol is defined.
        truth: whether the true clips are known; without them only metrics that need none are computed.
    """

    name: str
    version: str
    task: TaskName
    frames: int
    given: tuple[int, ...]
    size: tuple[int, int] | None
    features: str
    source: str
    truth: bool = True

    @property
    def id(self) -> str:
        """``name/version``, as records print it."""
        return f"{self.name}/{self.version}"

    @property
    def targets(self) -> tuple[int, ...]:
        """Indices of the frames to generate."""
        return tuple(i for i in range(self.frames) if i not in self.given)

    @property
    def middle(self) -> int | None:
        """Index of the middle frame (0-based 4 of 9: the "5th frame" of VIDIM-Bench and MarDini).

        Only interpolation has one, and only if it is generated.
        """
        middle = self.frames // 2
        return middle if self.task == "interpolation" and middle not in self.given else None


def protocol_for(
    task: TaskName,
    dataset: str,
    *,
    frames: int | None = None,
    given: Sequence[int] | None = None,
    side: int | None = None,
) -> Protocol:
    """The protocol of ``task`` on ``dataset``.

    - ``interpolation``: the first and the last frame are given (VIDIM-Bench), or any frames by ``given``;
    - ``i2v``: the first frame is given;
    - ``expansion``: the first half is given (of an odd number, the smaller half).

    Args:
        frames: of a clip; default: the dataset's own (9 of VIDIM-Bench's).
        given: other given frames than the task's own, 0-based.
        side: pixels of the shorter side to which all clips are shrunk; default: the dataset's own size.

    Raises:
        UserError: unknown dataset, one without the frames that the task needs, ``given`` that do not fit, or a
            ``side`` of more pixels than there are.
    """
    if dataset not in DATASETS:
        raise unknown("dataset", dataset, [*DATASETS, *ALIASES])
    info = DATASETS[dataset]
    count = info.frames if frames is None else frames
    least = 3 if task == "interpolation" else 2
    if count < least:
        raise UserError(f"clips of {count} frames leave nothing to generate: give --frames {least} or more")
    if not info.truth and (task != "i2v" or given is not None):
        raise UserError(
            f"dataset '{dataset}' has single images: use python -m eval.i2v, which needs the first frame alone"
        )
    usual = {"interpolation": (0, count - 1), "i2v": (0,), "expansion": tuple(range(count // 2))}[task]
    wanted = usual if given is None else tuple(sorted(set(given)))
    if not wanted or wanted[0] < 0 or wanted[-1] >= count or len(wanted) == count:
        raise UserError(
            f"given frames {', '.join(map(str, given or ()))} do not fit clips of {count}: name some, but not "
            f"all, of 0 to {count - 1}"
        )
    generated = count - len(wanted)
    if wanted != usual:
        name = f"{dataset}-given-{'.'.join(map(str, wanted))}-of-{count}"
    else:
        name = f"{dataset}-{generated}" if task == "interpolation" else f"{dataset}-{task}-{generated}"
    size, source = info.size, _source(info, task)
    if side is not None and info.shrinks(side):
        from eval.datasets.shrunk import shrunk_size

        size = None if size is None else shrunk_size(size, side)
        name, source = f"{name}-{side}px", f"{source}; shrunk to {side} px"
    return Protocol(name, info.version, task, count, wanted, size, info.features, source, info.truth)


def _source(info: DatasetInfo, task: TaskName) -> str:
    """Where the protocol is defined."""
    how = {
        "interpolation": "",
        "i2v": "; first frame given",
        "expansion": "; first half given (after Figure 8 of MarDini, arXiv:2410.20280)",
    }
    return info.source + how[task]
