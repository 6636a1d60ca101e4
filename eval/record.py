"""The record of one system on one dataset: every number with its interval, and all it depends on.

What differs between two runs of the same thing (seconds, machine, package versions) stands under ``timing``
and ``environment``; everything else is equal whenever data, system, seed and metrics are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.datasets.base import Dataset
from eval.protocols import Protocol
from eval.results import SCHEMA, Store, key_of
from mardini.files import sha256_of

if TYPE_CHECKING:
    from eval.metrics.base import Column
    from eval.metrics.collection import MetricSet

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
    *,
    system: str,
    variant: str,
    described: Mapping[str, Any],
    key: str,
    dataset: Dataset,
    protocol: Protocol,
    pixels: Mapping[str, str],
    limit: int | None,
    seed: int,
    metrics: MetricSet,
    rows: Mapping[str, Row],
    features: tuple[Mapping[str, Sequence[np.ndarray]], Mapping[str, Sequence[np.ndarray]]],
    before: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The record of one system from its per-clip rows.

    Args:
        system, variant, described, key: who made the predictions, see ``run_key``.
        dataset, protocol, limit, seed: what was asked.
        pixels: clip id -> hash of the real clip's pixels.
        metrics: the metrics of this invocation.
        rows: clip id -> row, for every clip.
        features: of the generated and of the real clips: name -> one array a clip, in the dataset's order.
        before: the record that is replaced; its columns that are not asked for now are kept if they are
            of the same predictions.
    """
    from eval.environment import environment

    clips = dataset.clips
    predictions = sha256_of(part for c in clips for part in (c.id, rows[c.id]["prediction"]))
    entries = _entries(metrics, clips, rows, features, protocol)
    if before and before.get("key") == key and before.get("predictions_sha256") == predictions:
        entries = {**before["metrics"], **entries}
    return {
        "schema": SCHEMA,
        "task": protocol.task,
        "system": system,
        "variant": variant,
        "described": dict(described),
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
            "limit": limit,
            "fps": dataset.fps,
            "details": dict(dataset.details),
        },
        "seed": seed,
        "key": key,
        "predictions_sha256": predictions,
        "metrics": dict(sorted(entries.items())),
        "environment": environment(),
        "timing": timing([rows[clip.id] for clip in clips], len(protocol.targets)),
    }


def _entries(
    metrics: MetricSet,
    clips: Sequence[Any],
    rows: Mapping[str, Row],
    features: tuple[Mapping[str, Sequence[np.ndarray]], Mapping[str, Sequence[np.ndarray]]],
    protocol: Protocol,
) -> dict[str, dict[str, Any]]:
    """Column name -> value, interval, sample count and what the number is."""
    from eval.statistics import cluster_bootstrap, mean

    sources = [clip.source for clip in clips]
    distances = metrics.distances(*features, sources) if metrics.set_metrics else {}
    dimensions = {
        metric.name + suffix: int(features[0][metric.detector + suffix][0].shape[1])
        for metric in metrics.set_metrics
        for suffix in metrics.suffixes(metric)
    }
    entries: dict[str, dict[str, Any]] = {}
    for column in metrics.columns:
        entry: dict[str, Any]
        if column.kind == "set":
            found = distances[column.name]
            entry = {
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "standard_error": found.standard_error,
                "interval": "jackknife over sources",
                "n": found.n,
                "dimensions": dimensions[column.name],
            }
        else:
            values = [rows[clip.id]["scores"][column.name] for clip in clips]
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


def timing(rows: Sequence[Row], generated: int) -> dict[str, Any]:
    """Seconds of all clips together: for predicting, for each metric, and per generated frame."""
    predict = math.fsum(row["seconds"]["predict"] for row in rows)
    parts = sorted({name for row in rows for name in row["seconds"]["metrics"]})
    score = {name: math.fsum(row["seconds"]["metrics"].get(name, 0.0) for row in rows) for name in parts}
    return {
        "predict_seconds": predict,
        "predict_seconds_per_generated_frame": predict / (generated * len(rows)),
        "metric_seconds": score,
        "total_seconds": predict + math.fsum(score.values()),
    }


def feature_lists(
    store: Store, clip_ids: Sequence[str], keys: Sequence[Mapping[str, str]]
) -> dict[str, list[np.ndarray]]:
    """Saved features of all clips: name -> one array a clip, in the order of ``clip_ids``."""
    lists: dict[str, list[np.ndarray]] = {}
    for clip_id, wanted in zip(clip_ids, keys, strict=True):
        for name, array in store.load_features(clip_id, wanted).items():
            lists.setdefault(name, []).append(array)
    return lists
