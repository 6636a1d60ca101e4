"""Frame-completion systems: names, descriptions, and building them from the command line's choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mardini.errors import UserError, unknown

if TYPE_CHECKING:
    from eval.datasets.base import Dataset
    from eval.protocols import Protocol, TaskName
    from eval.systems.base import System

ALL: tuple[TaskName, ...] = ("interpolation", "i2v", "expansion")


@dataclass(frozen=True)
class SystemInfo:
    """What can be said of a system without loading it.

    Attributes:
        line: what it is, in one line.
        usual: tasks in which it is scored when the user names no systems; it may be named in any task it can do.
    """

    line: str
    usual: tuple[TaskName, ...]


SYSTEMS: dict[str, SystemInfo] = {
    "repeat": SystemInfo("the nearest given frame", ALL),
    "blend": SystemInfo("linear cross-fade of the two neighbouring given frames", ("interpolation",)),
    "flow": SystemInfo(
        "OpenCV DIS optical flow both ways, occlusion-aware warp and blend; the last motion goes on after the end",
        ("interpolation", "expansion"),
    ),
    "minterpolate": SystemInfo(
        "FFmpeg's motion-compensated interpolation filter, through PyAV", ("interpolation",)
    ),
    "mardini": SystemInfo("the MarDini model: the shipped checkpoint, or --checkpoint PATH", ALL),
}


def default_systems(dataset: Dataset, protocol: Protocol) -> list[str]:
    """Names scored when the user does not say: methods that come with the dataset, then all of our own."""
    return [
        *dataset_methods(dataset, protocol),
        *(name for name, info in SYSTEMS.items() if protocol.task in info.usual),
    ]


def dataset_methods(dataset: Dataset, protocol: Protocol) -> list[str]:
    """Methods whose results come with the dataset: they interpolate between the first and the last frame."""
    between = protocol.task == "interpolation" and protocol.given == (0, protocol.frames - 1)
    return dataset.methods if between else []


def build_systems(
    names: Sequence[str] | None,
    dataset: Dataset,
    protocol: Protocol,
    *,
    predictions: Sequence[str] = (),
    checkpoint: Path | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    device: str = "cpu",
    limited: bool = False,
) -> list[System]:
    """Systems by name, then the folders of predictions.

    Args:
        names: of ``SYSTEMS`` or of the dataset's methods; ``None``: ``default_systems``. May be empty when
            ``predictions`` are given.
        dataset: what will be scored.
        protocol: the task.
        predictions: ``DIR`` or ``NAME=DIR`` each.
        checkpoint: of the ``mardini`` system.
        steps, guidance: diffusion steps of the ``mardini`` system, and its guidance on the plan.
        device: where models run.
        limited: the dataset is cut by ``--limit``.

    Raises:
        UserError: unknown name, name used twice, or predictions that do not fit the clips.
    """
    from eval.systems import baselines
    from eval.systems.mardini import Mardini
    from eval.systems.predictions import DatasetMethod, Predictions, parse

    methods = dataset_methods(dataset, protocol)
    names = default_systems(dataset, protocol) if names is None else names
    makers: dict[str, Callable[[], System]] = {
        "repeat": baselines.Repeat,
        "blend": baselines.Blend,
        "flow": baselines.Flow,
        "minterpolate": baselines.Minterpolate,
        "mardini": lambda: Mardini(checkpoint, steps, device, protocol.task, guidance=guidance),
    }
    systems: list[System] = []
    for name in names:
        if name in methods:
            systems.append(DatasetMethod(name, dataset))
        elif name in makers:
            systems.append(makers[name]())
        else:
            raise unknown("system", name, [*makers, *methods])
    clip_ids = [clip.id for clip in dataset.clips]
    for text in predictions:
        name, folder = parse(text)
        if name in makers:
            raise UserError(f"--predictions {text}: '{name}' is a built-in system: name yours with NAME=DIR")
        systems.append(Predictions(name, folder, clip_ids, limited))
    variants = [system.variant for system in systems]
    if twice := sorted({variant for variant in variants if variants.count(variant) > 1}):
        raise UserError(f"system '{twice[0]}' is asked for twice: give each a name of its own")
    if not systems:
        raise UserError(f"no system to score: choose from {', '.join([*makers, *methods])}")
    return systems
