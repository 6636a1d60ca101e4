"""Two systems on the same clips: the difference of their scores, from per-clip rows and jackknife replicates.

The toolkit prints the same numbers after a run (``eval/comparison.py``); a test holds the two to each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from reports.records import Group

REPLICATES = 2000
NORMAL_95 = 1.959963984540054
SIGNIFICANT = 0.05


class Difference(NamedTuple):
    """A system's score less another's.

    Attributes:
        value: the difference.
        low, high: 95 % interval; ``None`` where there is none.
        p: two-sided p-value of "no difference"; ``None`` where there is no interval.
    """

    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None


def difference(group: Group, metric: str, variant: str, other: str) -> Difference | None:
    """``variant`` less ``other``; ``None`` where a record lacks the metric, or its per-clip rows are not kept."""
    a, b = (group.records[name]["metrics"].get(metric) for name in (variant, other))
    if a is None or b is None or a["value"] is None or b["value"] is None:
        return None
    if "dimensions" in a:
        return of_distances(a, b)
    rows, others = ({row["clip"]: row for row in group.rows(name)} for name in (variant, other))
    if not rows or rows.keys() != others.keys():
        return None
    scores = [(row["scores"][metric], others[clip]["scores"][metric]) for clip, row in rows.items()]
    return of_means([x - y for x, y in scores], [row["source"] for row in rows.values()])


def of_means(differences: Sequence[float], sources: Sequence[str]) -> Difference:
    """Mean difference, clip by clip, by a bootstrap over source videos.

    The p-value is the share of resampled differences, centred on zero, that are at least as far from it as the one
    observed (Efron & Tibshirani 1993, section 16.4), with one added to both counts: never below 1 in 2001.
    """
    value = math.fsum(differences) / len(differences)
    grouped: dict[str, list[float]] = {}
    for one, source in zip(differences, sources, strict=True):
        grouped.setdefault(source, []).append(one)
    if len(grouped) < 2:
        return Difference(value)
    names = sorted(grouped)
    sums = np.array([math.fsum(grouped[name]) for name in names])
    counts = np.array([len(grouped[name]) for name in names], dtype=np.float64)
    generator = np.random.default_rng(0)
    means = np.empty(REPLICATES)
    step = max(1, 200_000 // len(names))
    for first in range(0, REPLICATES, step):
        draws = generator.integers(len(names), size=(min(step, REPLICATES - first), len(names)))
        means[first : first + step] = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    extreme = int(np.sum(np.abs(means - value) >= abs(value) * (1 - 1e-12)))
    return Difference(value, float(low), float(high), (1 + extreme) / (1 + REPLICATES))


def of_distances(a: Mapping[str, Any], b: Mapping[str, Any]) -> Difference:
    """Difference of two distances to the same true clips: the jackknife of the difference of their replicates."""
    value = a["value"] - b["value"]
    ours, theirs = a.get("replicates"), b.get("replicates")
    if not ours or not theirs or len(ours) != len(theirs):
        return Difference(value)
    differences = np.subtract(ours, theirs)
    count = len(differences)
    error = math.sqrt((count - 1) / count * float(np.sum((differences - differences.mean()) ** 2)))
    if error == 0:
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    p = math.erfc(abs(value) / error / math.sqrt(2))
    return Difference(value, value - NORMAL_95 * error, value + NORMAL_95 * error, p)


def tied(group: Group, metric: str, best: str) -> set[str]:
    """Systems that cannot be told from the best one (p >= 0.05)."""
    found = set()
    for variant in group.records:
        known = None if variant == best else difference(group, metric, variant, best)
        if known is not None and known.p is not None and known.p >= SIGNIFICANT:
            found.add(variant)
    return found
