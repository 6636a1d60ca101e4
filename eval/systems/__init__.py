"""Frame-completion systems: names, descriptions, and building them from the command line's choices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mardini.errors import UserError, unknown

if TYPE_CHECKING:
    from eval.datasets.base import Dataset
    from eval.systems.base import System

SYSTEMS: dict[str, str] = {
    "repeat": "the nearest given frame",
    "blend": "linear cross-fade of the two neighbouring given frames",
    "flow": "OpenCV DIS optical flow both ways, occlusion-aware warp and blend",
    "minterpolate": "FFmpeg's motion-compensated interpolation filter, through PyAV",
    "mardini": "the MarDini model: the shipped checkpoint, or --checkpoint PATH",
}


def default_systems(dataset: Dataset) -> list[str]:
    """Names scored when the user does not say: methods that come with the dataset, then all of our own."""
    return [*dataset.methods, *SYSTEMS]


def build_systems(
    names: Sequence[str] | None,
    dataset: Dataset,
    *,
    predictions: Sequence[str] = (),
    checkpoint: Path | None = None,
    steps: int | None = None,
    device: str = "cpu",
    limited: bool = False,
) -> list[System]:
    """Systems by name, then the folders of predictions.

    Args:
        names: of ``SYSTEMS`` or of the dataset's methods; ``None``: ``default_systems``. May be empty when
            ``predictions`` are given.
        dataset: what will be scored.
        predictions: ``DIR`` or ``NAME=DIR`` each.
        checkpoint: of the ``mardini`` system.
        steps: diffusion steps of the ``mardini`` system.
        device: where models run.
        limited: the dataset is cut by ``--limit``.

    Raises:
        UserError: unknown name, name used twice, or predictions that do not fit the clips.
    """
    from eval.systems import baselines
    from eval.systems.mardini import Mardini
    from eval.systems.predictions import DatasetMethod, Predictions, parse

    if names is None:
        names = default_systems(dataset)
    makers = {
        "repeat": baselines.Repeat,
        "blend": baselines.Blend,
        "flow": baselines.Flow,
        "minterpolate": baselines.Minterpolate,
        "mardini": lambda: Mardini(checkpoint, steps, device),
    }
    systems: list[System] = []
    for name in names:
        if name in dataset.methods:
            systems.append(DatasetMethod(name, dataset))
        elif name in makers:
            systems.append(makers[name]())
        else:
            raise unknown("system", name, [*makers, *dataset.methods])
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
        raise UserError(f"no system to score: choose from {', '.join([*makers, *dataset.methods])}")
    return systems
