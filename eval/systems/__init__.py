"""Frame-completion systems: names, descriptions, and building them from the command line's choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eval.systems.rivals import RIVALS, Hub
from mardini.errors import UserError, unknown
from mardini.shipped import SHIPPED

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
    "mardini": SystemInfo(f"the MarDini model: the shipped checkpoint {SHIPPED[0]}, or --checkpoint", ALL),
    **{rival.name: SystemInfo(rival.line, ()) for rival in RIVALS.values()},
}


PLACED = [rival.name for rival in RIVALS.values() if isinstance(rival.source, Hub)]
"""Rivals whose model may lie in a place of the user's: ``NAME=WHERE``."""


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
    skip_guidance: float | None = None,
    detail: float | None = None,
    sharpness: float | None = None,
    weights_dir: Path | None = None,
    device: str = "cpu",
    limited: bool = False,
) -> list[System]:
    """Systems by name, then the folders of predictions.

    Args:
        names: of ``SYSTEMS`` or of the dataset's methods; ``None``: ``default_systems``. May be empty when
            ``predictions`` are given. ``NAME=WHERE`` for a rival that runs through diffusers: a model's folder, or
            its id on the Hub (``owner/name``, ``owner/name@revision``).
        dataset: what will be scored.
        protocol: the task.
        predictions: ``DIR`` or ``NAME=DIR`` each.
        checkpoint: of the ``mardini`` system.
        steps, guidance, skip_guidance, detail, sharpness: of the ``mardini`` system.
        weights_dir: folder with weight files.
        device: where models run.
        limited: the dataset is cut by ``--limit``.

    Raises:
        UserError: unknown name, name used twice, a rival that cannot do the task or lacks a package, or predictions
            that do not fit the clips.
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
        "mardini": lambda: Mardini(
            checkpoint,
            steps,
            device,
            protocol.task,
            guidance=guidance,
            skip_guidance=skip_guidance,
            detail=detail,
            sharpness=sharpness,
        ),
    }
    systems: list[System] = []
    for text in names:
        name, where = parse_place(text)
        if where is not None and name not in PLACED and (name in SYSTEMS or name in methods):
            raise UserError(
                f"--systems {text}: system '{name}' takes no place for a model: {', '.join(PLACED)} do"
            )
        if name in methods:
            systems.append(DatasetMethod(name, dataset))
        elif name in makers:
            systems.append(makers[name]())
        elif name in PLACED:
            from eval.systems.diffusion import DIFFUSION

            systems.append(DIFFUSION[name](name, protocol, dataset.fps, where, device))
        elif name in RIVALS:
            from eval.systems.interpolators import INTERPOLATORS

            systems.append(INTERPOLATORS[name](name, protocol, weights_dir, device))
        else:
            raise unknown("system", name, [*SYSTEMS, *methods])
    clip_ids = [clip.id for clip in dataset.clips]
    for text in predictions:
        name, folder = parse(text)
        if name in SYSTEMS:
            raise UserError(f"--predictions {text}: '{name}' is a built-in system: name yours with NAME=DIR")
        systems.append(Predictions(name, folder, clip_ids, limited))
    variants = [system.variant for system in systems]
    if twice := sorted({variant for variant in variants if variants.count(variant) > 1}):
        raise UserError(f"system '{twice[0]}' is asked for twice: give each a name of its own")
    if not systems:
        raise UserError(f"no system to score: choose from {', '.join([*SYSTEMS, *methods])}")
    return systems


def parse_place(text: str) -> tuple[str, str | None]:
    """``NAME`` or ``NAME=WHERE`` of ``--systems``."""
    name, equals, where = text.partition("=")
    if equals and (not where or "=" in where):
        raise UserError(
            f"--systems {text}: give a model's folder without '=' in its path, or its id on the Hub, as in svd=DIR or "
            f"svd=owner/name"
        )
    return name, where if equals else None
