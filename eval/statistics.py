"""Uncertainty of scores when clips come from the same source videos.

Clips cut from one video are alike, so intervals are formed over *sources*: the percentile bootstrap
resamples whole sources, the jackknife leaves out groups of whole sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

NORMAL_95 = 1.959963984540054


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean by exact summation: the same to the last bit in whatever order the values come."""
    return math.fsum(values) / len(values)


def cluster_bootstrap(
    values: Sequence[float],
    clusters: Sequence[str],
    *,
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile interval of the mean of ``values``, resampling whole clusters with replacement.

    The result depends on the (value, cluster) pairs but not on their order.

    Args:
        values: one score per clip, finite.
        clusters: the source video of each clip.
        replicates: bootstrap samples.
        level: coverage of the interval.
        seed: of the resampling.

    Returns:
        (low, high), or ``None`` with fewer than two clusters: one source says nothing about the next.
    """
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values but {len(clusters)} clusters")
    if not all(math.isfinite(value) for value in values):
        raise ValueError("cannot bootstrap scores that are not finite")
    grouped: dict[str, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        grouped.setdefault(cluster, []).append(float(value))
    if len(grouped) < 2:
        return None
    names = sorted(grouped)
    sums = np.array([math.fsum(grouped[name]) for name in names])
    counts = np.array([len(grouped[name]) for name in names], dtype=np.float64)
    draws = np.random.default_rng(seed).integers(len(names), size=(replicates, len(names)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


class Estimate(NamedTuple):
    """A statistic of a set with its jackknife uncertainty.

    Attributes:
        value: the statistic on the whole set.
        standard_error: jackknife standard error; ``None`` where there is no interval.
        low, high: ``value`` -+ 1.96 standard errors, ``low`` not below 0 (for distances).
        n: rows (frames or clips) on each side.
    """

    value: float
    standard_error: float | None
    low: float | None
    high: float | None
    n: int


def source_groups(sources: Sequence[str], groups: int = 20, seed: int = 0) -> np.ndarray:
    """Group number of each row: its source's, with the sources dealt at random to at most ``groups`` groups.

    The dealing depends only on the set of sources and ``seed``. Shape (len(sources),), int.
    """
    names = sorted(set(sources))
    order = np.random.default_rng(seed).permutation(len(names))
    group = {names[source]: place % min(groups, len(names)) for place, source in enumerate(order)}
    return np.array([group[source] for source in sources])


def jackknife(
    estimate: Callable[[np.ndarray], float],
    sources: Sequence[str],
    *,
    groups: int = 20,
    seed: int = 0,
    minimum: int = 2,
) -> Estimate:
    """Delete-a-group jackknife of ``estimate`` over source videos.

    A bootstrap would repeat clips, which inflates a Fréchet distance; leaving sources out does not.

    Args:
        estimate: from a boolean mask over the rows (True = kept) to the statistic; it applies the same mask
            to both sides of a paired comparison.
        sources: source video of each row.
        groups: at most this many groups of sources, so that the cost stays bounded.
        seed: of the dealing of sources to groups.
        minimum: rows that ``estimate`` needs.

    Returns:
        The estimate; without an interval when there are fewer than two sources, or so few rows that leaving
        a group out leaves fewer than ``minimum``.
    """
    number = source_groups(sources, groups, seed)
    value = estimate(np.ones(len(sources), dtype=bool))
    count = int(number.max()) + 1 if len(number) else 0
    left = [number != group for group in range(count)]
    if count < 2 or min(int(mask.sum()) for mask in left) < minimum:
        return Estimate(value, None, None, None, len(sources))
    replicates = np.array([estimate(mask) for mask in left])
    error = math.sqrt((count - 1) / count * float(np.sum((replicates - replicates.mean()) ** 2)))
    low, high = value - NORMAL_95 * error, value + NORMAL_95 * error
    return Estimate(value, error, max(0.0, low), high, len(sources))
