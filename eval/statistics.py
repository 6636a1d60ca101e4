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
    means = draw_sources(values, clusters, replicates=replicates, seed=seed)
    if means is None:
        return None
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def draw_sources(
    values: Sequence[float], clusters: Sequence[str], *, replicates: int = 2000, seed: int = 0
) -> np.ndarray | None:
    """Means of ``values`` under resampling of whole clusters: (replicates,), or ``None`` below two clusters."""
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
    generator = np.random.default_rng(seed)
    means = np.empty(replicates)
    step = max(1, 200_000 // len(names))  # so that thousands of sources need no gigabytes
    for first in range(0, replicates, step):
        draws = generator.integers(len(names), size=(min(step, replicates - first), len(names)))
        means[first : first + step] = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    return means


class Estimate(NamedTuple):
    """A statistic of a set with its jackknife uncertainty.

    Attributes:
        value: the statistic on the whole set.
        standard_error: jackknife standard error; ``None`` where there is no interval.
        low, high: ``value`` -+ 1.96 standard errors, ``low`` not below 0 (for distances).
        n: rows (frames or clips) on each side.
        replicates: the statistic with each group of sources left out; empty where there is no interval.
    """

    value: float
    standard_error: float | None
    low: float | None
    high: float | None
    n: int
    replicates: tuple[float, ...] = ()


class Floor(NamedTuple):
    """The distance between one half of the true videos and the other: what no system can be told from the truth by.

    Attributes:
        value: mean over ``SPLITS`` random splits of the source videos.
        n: rows in a half, on average.
    """

    value: float
    n: float


SPLITS = 5


def split_floor(
    rows: np.ndarray,
    sources: Sequence[str],
    distance: Callable[[np.ndarray, np.ndarray], float],
    minimum: int = 2,
    seed: int = 0,
) -> Floor | None:
    """``distance`` of one half of the rows (N, D) to the other, whole sources on one side.

    Both halves hold about N / 2 rows, so a distance that is biased at small n is larger here than at N. ``None``
    with fewer than two sources, or where a half has fewer than ``minimum`` rows.
    """
    names = sorted(set(sources))
    if len(names) < 2:
        return None
    place = {name: number for number, name in enumerate(names)}
    number = np.array([place[source] for source in sources])
    values, sizes = [], []
    generator = np.random.default_rng(seed)
    for _ in range(SPLITS):
        first = np.isin(number, generator.permutation(len(names))[: len(names) // 2])
        if min(int(first.sum()), int((~first).sum())) < minimum:
            return None
        values.append(distance(rows[first], rows[~first]))
        sizes.append(len(sources) / 2)
    return Floor(mean(values), mean(sizes))


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
    return Estimate(value, error, max(0.0, low), high, len(sources), tuple(replicates.tolist()))
