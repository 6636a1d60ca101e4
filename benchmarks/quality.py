"""What the suites on quality share: systems scored by the toolkit's own runner, as values of a record."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mardini.shipped import shipped

if TYPE_CHECKING:
    from eval.datasets.base import Dataset
    from eval.protocols import Protocol
    from eval.systems.base import System

METRICS = ("psnr", "ssim", "lpips", "fvd")
KEPT = ("value", "low", "high", "standard_error", "n")
"""What of a metric's entry goes into a cell's record."""


def score(
    dataset: Dataset,
    protocol: Protocol,
    system: System,
    output: Path,
    *,
    metrics: Sequence[str] = METRICS,
    seed: int = 0,
    limit: int | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """The toolkit's record of one system on one dataset, with detectors of seeded random weights.

    Predictions and features lie below ``output``, a folder of the cell's own: a cell that was interrupted resumes, and
    several can be measured at a time. Features of true clips come from the toolkit's cache.
    """
    from eval.metrics import build_metrics
    from eval.runner import Run

    built = build_metrics(
        metrics,
        "random",
        None,
        device,
        frames=protocol.frames,
        size=protocol.size,
        middle=protocol.middle is not None,
    )
    run = Run(
        dataset,
        protocol,
        [system],
        built,
        output,
        limit=limit,
        seed=seed,
        device=device,
        notify=lambda sentence: None,
    )
    (record,) = run.execute()
    return record


def values(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Column -> value and interval, of a record of the toolkit."""
    return {
        name: {key: entry[key] for key in KEPT if key in entry} for name, entry in record["metrics"].items()
    }


def provenance(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a cell's record says of where its numbers come from."""
    return {
        "protocol": record["protocol"],
        "dataset": record["dataset"],
        "system": record["described"],
        "seed": record["seed"],
        "predictions_sha256": record["predictions_sha256"],
        "metrics": {name: entry["metric"] for name, entry in record["metrics"].items()},
    }


@contextlib.contextmanager
def afresh() -> Iterator[None]:
    """Without the cache of true clips' features: they are computed, and so timed and checked, like all else."""
    before = os.environ.get("MARDINI_FEATURES")
    os.environ["MARDINI_FEATURES"] = "off"
    try:
        yield
    finally:
        del os.environ["MARDINI_FEATURES"]
        if before is not None:
            os.environ["MARDINI_FEATURES"] = before


@functools.cache
def weights(checkpoint: str) -> dict[str, Any]:
    """Hash of a checkpoint that ships: with another one, cells of system ``mardini`` are measured again."""
    from mardini.shipped import hash_of

    return {"weights_sha256": hash_of(shipped(checkpoint))}
