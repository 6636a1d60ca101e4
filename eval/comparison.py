"""Two systems on the same clips: the difference of their scores, its interval and p-value.

Scores of two systems on one clip are far from independent (hard clips are hard for both), so the difference of
two means is far better known than the means are. Clips of one video are resampled together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eval.statistics import NORMAL_95, draw_sources
from mardini.errors import UserError
from mardini.files import sha256_of


class Difference(NamedTuple):
    """A system's score less another's.

    Attributes:
        value: the difference.
        low, high: 95 % interval; ``None`` where there is none.
        p: two-sided p-value of "no difference"; ``None`` where there is no interval.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None


def paired_means(a: Sequence[float], b: Sequence[float], sources: Sequence[str]) -> Difference:
    """Mean of ``a`` less mean of ``b``, clip by clip, by a bootstrap over source videos.

    The p-value is the share of resampled differences, centred on zero, that are at least as far from it as the one
    observed (Efron & Tibshirani 1993, section 16.4), with one added to both counts: never below 1 in 2001.
    """
    if not len(a) == len(b) == len(sources):
        raise ValueError(f"scores do not pair up: {len(a)} and {len(b)} of {len(sources)} clips")
    differences = [x - y for x, y in zip(a, b, strict=True)]
    value = math.fsum(differences) / len(differences)
    means = draw_sources(differences, sources)
    if means is None:
        return Difference(value, None, None, None)
    low, high = np.quantile(means, [0.025, 0.975])
    extreme = int(np.sum(np.abs(means - value) >= abs(value) * (1 - 1e-12)))
    return Difference(value, float(low), float(high), (1 + extreme) / (1 + len(means)))


def paired_distances(a: Mapping[str, Any], b: Mapping[str, Any]) -> Difference:
    """Difference of two set distances to the same true clips, from their records' entries.

    Both hold a jackknife replicate for each group of videos left out; the difference of the replicates has a
    jackknife error of its own, and a normal p-value.
    """
    value = a["value"] - b["value"]
    ours, theirs = a.get("replicates"), b.get("replicates")
    if not ours or not theirs or len(ours) != len(theirs):
        return Difference(value, None, None, None)
    differences = np.subtract(ours, theirs)
    count = len(differences)
    error = math.sqrt((count - 1) / count * float(np.sum((differences - differences.mean()) ** 2)))
    if error == 0:
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    p = math.erfc(abs(value) / error / math.sqrt(2))
    return Difference(value, value - NORMAL_95 * error, value + NORMAL_95 * error, p)


Comparison = Mapping[str, Mapping[str, Difference]]
"""Column -> variant -> its difference to the system compared with."""


def compare_with_best(
    records: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    rows: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> Comparison:
    """Every system's difference to the best of each column; empty where there is one system, or rows are missing."""
    from eval.table import best, comparable

    comparable(records, columns)
    clips = records[0]["dataset"]["clips"]
    if len(records) < 2 or any(len(rows[record["variant"]]) != clips for record in records):
        return {}
    variants = [record["variant"] for record in records]
    leaders = {name: next((v for v in variants if v in best(records, name)), variants[0]) for name in columns}
    return compare(records, columns, rows, leaders)


def check_rows(
    record: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]], columns: Iterable[str], file: Path
) -> None:
    """Refuse (``UserError``) a record beside rows that are not its own: of other predictions, or without scores."""
    wanted = [
        name for name in columns if name in record["metrics"] and "dimensions" not in record["metrics"][name]
    ]
    lacking = any(name not in rows[clip_id]["scores"] for clip_id in rows for name in wanted)
    parts = (part for clip_id in rows for part in (clip_id, rows[clip_id]["prediction"]))
    if lacking or sha256_of(parts) != record["predictions_sha256"]:
        raise UserError(
            f"{file} is older than the rows of single clips beside it: run its command to the end, which writes it anew"
        )


def compare(
    records: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    rows: Mapping[str, Mapping[str, Mapping[str, Any]]],
    against: Mapping[str, str],
) -> Comparison:
    """Every system's difference, in every column, to the one it is compared with there.

    Args:
        records: of the systems, of one dataset and protocol.
        columns: to compare.
        rows: variant -> clip id -> row.
        against: column -> variant to compare with.
    """
    found: dict[str, dict[str, Difference]] = {}
    by_variant = {record["variant"]: record for record in records}
    scores: dict[str, dict[str, list[float]]] = {variant: {} for variant in by_variant}
    sources: list[str] = []
    wanted = [name for name in columns if "dimensions" not in records[0]["metrics"][name]]
    for variant in by_variant:
        sources = []
        for clip_id in rows[variant]:
            row = rows[variant][clip_id]
            sources.append(row["source"])
            for name in wanted:
                scores[variant].setdefault(name, []).append(row["scores"][name])
    for name in columns:
        other = against[name]
        others = [variant for variant in by_variant if variant != other]
        if name in wanted:
            pair = {v: paired_means(scores[v][name], scores[other][name], sources) for v in others}
        else:
            theirs = by_variant[other]["metrics"][name]
            pair = {v: paired_distances(by_variant[v]["metrics"][name], theirs) for v in others}
        found[name] = pair
    return found
