"""The record of one system on one dataset: every number with its interval, and all it depends on.

What differs between two runs of the same thing (seconds, machine, package versions) stands under ``timing``
and ``environment``; everything else is equal whenever data, system, seed and metrics are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.datasets.base import Clip, Dataset
from eval.protocols import Protocol
from eval.results import SCHEMA, key_of
from mardini.files import sha256_of

if TYPE_CHECKING:
    from eval.metrics.base import Column
    from eval.metrics.collection import MetricSet
    from eval.pending import Job
    from eval.runner import Run
    from eval.statistics import Floor

Row = Mapping[str, Any]


def identity(column: Column) -> dict[str, Any]:
    """What defines the numbers of a column's metric: name, version, variant and weight hashes."""
    return {
        "name": column.metric,
        "version": column.version,
        "variant": dict(column.variant),
        "weights": dict(column.weights),
    }


def run_key(dataset: Dataset, protocol: Protocol, seed: int, described: Mapping[str, Any]) -> str:
    """Hash of everything that determines a system's predictions on a dataset."""
    return key_of(
        {
            "schema": SCHEMA,
            "protocol": protocol.id,
            "dataset": dataset.fingerprint,
            "clips": [clip.id for clip in dataset.clips],
            "fps": dataset.fps,
            "seed": seed,
            "system": dict(described),
        }
    )


def has_columns(record: Mapping[str, Any], metrics: MetricSet) -> bool:
    """Whether a record holds every column asked for, by the same version, variant and weights."""
    have = record["metrics"]
    return all(c.name in have and have[c.name]["metric"] == identity(c) for c in metrics.columns)


def assemble(
    run: Run,
    job: Job,
    pixels: Mapping[str, str],
    made: Mapping[str, np.ndarray],
    real: Mapping[str, np.ndarray],
    floors: Mapping[str, Floor],
) -> dict[str, Any]:
    """The record of one system from its per-clip rows.

    Args:
        run, job: what was asked, and where the rows lie: one for every clip.
        pixels: clip id -> hash of the real clip's pixels.
        made, real: features of the generated and of the true clips, see ``MetricSet.distances``.
        floors: set distances of the true clips from themselves.

    Columns of the record that is there already and are not asked for now are kept if they are of the same
    predictions.
    """
    from eval.environment import environment

    dataset, protocol, rows = run.dataset, run.protocol, job.store.rows
    clips = dataset.clips
    gathered = Gathered(rows, [clip.id for clip in clips], run.metrics)
    entries = _entries(run.metrics, clips, gathered, made, real, floors)
    before = job.store.read_record()
    predictions = gathered.predictions
    if before and before.get("key") == job.key and before.get("predictions_sha256") == predictions:
        entries = {**before["metrics"], **entries}
    return {
        "schema": SCHEMA,
        "task": protocol.task,
        "system": job.system.name,
        "variant": job.system.variant,
        "described": dict(job.described),
        "protocol": protocol.id,
        "source": protocol.source,
        "frames": {
            "clip": protocol.frames,
            "given": list(protocol.given),
            "generated": list(protocol.targets),
            "middle": protocol.middle,
            "size": list(protocol.size) if protocol.size else None,
        },
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "pixels_sha256": sha256_of(part for c in clips for part in (c.id, pixels[c.id])),
            "clips": len(clips),
            "sources": len({clip.source for clip in clips}),
            "expected": dataset.expected,
            "limit": run.limit,
            "fps": dataset.fps,
            "details": dict(dataset.details),
        },
        "seed": run.seed,
        "key": job.key,
        "predictions_sha256": predictions,
        "metrics": dict(sorted(entries.items())),
        "environment": environment(),
        "timing": gathered.timing(len(protocol.targets)),
    }


class Gathered:
    """One pass over all rows: scores by column, the hash of all predictions, and the seconds."""

    def __init__(self, rows: Mapping[str, Row], clip_ids: Sequence[str], metrics: MetricSet) -> None:
        names = [column.name for column in metrics.columns if column.kind != "set"]
        self.scores = {name: np.empty(len(clip_ids)) for name in names}
        self._predict: list[float] = []
        self._metrics: dict[str, list[float]] = {}

        def parts() -> Iterator[str]:
            for place, clip_id in enumerate(clip_ids):
                row = rows[clip_id]
                for name in names:
                    self.scores[name][place] = row["scores"][name]
                self._predict.append(row["seconds"]["predict"])
                for name, seconds in row["seconds"]["metrics"].items():
                    self._metrics.setdefault(name, []).append(seconds)
                yield clip_id
                yield row["prediction"]

        self.predictions = sha256_of(parts())

    def timing(self, generated: int) -> dict[str, Any]:
        """Seconds of all clips together: for predicting, for each metric, and per generated frame."""
        predict = math.fsum(self._predict)
        score = {name: math.fsum(seconds) for name, seconds in sorted(self._metrics.items())}
        return {
            "predict_seconds": predict,
            "predict_seconds_per_generated_frame": predict / (generated * len(self._predict)),
            "metric_seconds": score,
            "total_seconds": predict + math.fsum(score.values()),
        }


def _entries(
    metrics: MetricSet,
    clips: Sequence[Clip],
    gathered: Gathered,
    made: Mapping[str, np.ndarray],
    real: Mapping[str, np.ndarray],
    floors: Mapping[str, Floor],
) -> dict[str, dict[str, Any]]:
    """Column name -> value, interval, sample count and what the number is."""
    from eval.statistics import cluster_bootstrap, mean

    sources = [clip.source for clip in clips]
    distances = metrics.distances(made, real, sources) if metrics.set_metrics else {}
    dimensions = {
        metric.name + suffix: int(made[metric.detector + suffix].shape[1])
        for metric in metrics.set_metrics
        for suffix in metrics.suffixes(metric)
    }
    entries: dict[str, dict[str, Any]] = {}
    for column in metrics.columns:
        entry: dict[str, Any]
        if column.kind == "set":
            found, floor = distances[column.name], floors.get(column.name)
            entry = {
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "standard_error": found.standard_error,
                "interval": "jackknife over sources",
                "replicates": list(found.replicates),
                "n": found.n,
                "dimensions": dimensions[column.name],
                "floor": None if floor is None else floor._asdict(),
            }
        else:
            values = gathered.scores[column.name].tolist()
            low, high = cluster_bootstrap(values, sources) or (None, None)
            entry = {
                "value": mean(values),
                "low": low,
                "high": high,
                "interval": "percentile bootstrap over sources",
                "n": len(values),
            }
        entries[column.name] = finite(entry) | {
            "frames": "middle" if column.name.endswith("_mid") else "all",
            "unit": "dB" if column.metric.startswith("psnr") else None,
            "higher_is_better": column.higher_is_better,
            "decimals": column.decimals,
            "metric": identity(column),
        }
    return entries


def finite(entry: Mapping[str, Any]) -> dict[str, Any]:
    """NaN and infinity as ``None``: JSON has no such numbers."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in entry.items()}
