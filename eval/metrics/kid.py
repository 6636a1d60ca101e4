"""Kernel inception distance (Bińkowski et al. 2018, arXiv:1801.01401) on the features of FID.

The unbiased squared maximum mean discrepancy under the kernel ``(x'y / d + 1)^3``, averaged over random subsets:
100 of 1000 samples as in torch-fidelity, torchmetrics and clean-fid, drawn as torch-fidelity draws them. With
fewer samples a subset is all of them. Unlike FID it has no bias at few samples, and so may fall below 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval.metrics.detectors import FID
from eval.metrics.moments import different, finite, too_few
from eval.statistics import Estimate, jackknife, source_groups
from mardini.errors import UserError

SUBSETS = 100
SUBSET_SIZE = 1000
SEED = 2020
TILE = 1024  # rows of a kernel matrix that are in memory at a time


class KID(FID):
    """KID of generated frames; ``kid_mid`` pools the middle frames, ``kid_all`` all generated ones."""

    version = "1"
    decimals = 5

    def __init__(self, weights: Path | None, device: str = "cpu") -> None:
        super().__init__(weights, device)
        self.name = self.name.replace("fid", "kid")
        kernel = {"kernel": "(x'y / d + 1)^3", "estimator": "unbiased MMD^2", "subsets": SUBSETS}
        sampling = {"subset_size": f"min(n, {SUBSET_SIZE})", "seed": SEED}
        features = {k: v for k, v in self.variant.items() if k not in ("ddof", "distance")}
        self.variant = {**features, **kernel, **sampling}

    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        return kernel_distance(a, b)

    def estimate(self, a: np.ndarray, b: np.ndarray, sources: Sequence[str]) -> Estimate:
        """The distance, with the jackknife interval of the statistic over all samples, which the subsets estimate."""
        return kernel_estimate(a, b, sources)


def kernel_distance(
    a: np.ndarray, b: np.ndarray, *, subsets: int = SUBSETS, size: int = SUBSET_SIZE, seed: int = SEED
) -> float:
    """KID between feature sets ``a`` (n, d) and ``b`` (m, d), in float64; a subset is at most as large as the sets.

    Raises:
        UserError: fewer than two rows on a side, two detectors, or features that are NaN or infinite.
    """
    a, b = _checked(a, b)
    size = min(size, len(a), len(b))
    if size == len(a) == len(b):
        subsets = 1  # all subsets are the whole
    random = np.random.RandomState(seed)  # the stream of torch-fidelity, frozen by NumPy
    values = []
    for _ in range(subsets):
        x = a[random.choice(len(a), size, replace=False)]
        y = b[random.choice(len(b), size, replace=False)]
        within = _sums(x, x), _sums(y, y)
        diagonal = _kernel_of_itself(x).sum(), _kernel_of_itself(y).sum()
        values.append(_unbiased(within[0] - diagonal[0], within[1] - diagonal[1], _sums(x, y), size, size))
    return float(np.mean(values))


def kernel_estimate(
    a: np.ndarray, b: np.ndarray, sources: Sequence[str], groups: int = 20, size: int = SUBSET_SIZE
) -> Estimate:
    """``kernel_distance`` of paired sets, with a jackknife interval over source videos.

    The replicates are of the statistic over all samples. Sums of the kernel between the groups that the jackknife
    leaves out are taken once; every replicate is made of them.
    """
    if not len(a) == len(b) == len(sources):
        raise ValueError(f"rows do not pair up: {len(a)}, {len(b)} features and {len(sources)} sources")
    a, b = _checked(a, b)
    group = source_groups(sources, groups)
    member = np.eye(int(group.max()) + 1)[group]  # (n, groups)
    within = [_grouped(x, x, member) - np.diag(member.T @ _kernel_of_itself(x)) for x in (a, b)]
    between = _grouped(a, b, member)

    def statistic(kept: np.ndarray) -> float:
        left = np.flatnonzero(member[kept].any(axis=0))
        one, other, cross = (float(sums[np.ix_(left, left)].sum()) for sums in (*within, between))
        return _unbiased(one, other, cross, int(kept.sum()), int(kept.sum()))

    found = jackknife(statistic, sources, groups=groups)
    value = kernel_distance(a, b, size=size)
    if found.low is None or found.high is None:
        return found._replace(value=value)
    half = found.high - found.value
    return found._replace(value=value, low=value - half, high=value + half)


def _checked(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = finite(a), finite(b)
    if a.shape[1] != b.shape[1]:
        raise UserError(different(a.shape[1], b.shape[1]))
    if min(len(a), len(b)) < 2:
        raise UserError(too_few(min(len(a), len(b))))
    return a, b


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _kernel_of_itself(x: np.ndarray) -> np.ndarray:
    """(n,): the kernel of each row with itself."""
    return (np.einsum("nd,nd->n", x, x) / x.shape[1] + 1) ** 3


def _sums(x: np.ndarray, y: np.ndarray) -> float:
    return sum(float(_kernel(x[i : i + TILE], y).sum()) for i in range(0, len(x), TILE))


def _grouped(x: np.ndarray, y: np.ndarray, member: np.ndarray) -> np.ndarray:
    """(groups, groups): sums of the kernel between the rows of one group and those of another."""
    sums = np.zeros((member.shape[1], member.shape[1]))
    for i in range(0, len(x), TILE):
        for j in range(0, len(y), TILE):
            sums += member[i : i + TILE].T @ _kernel(x[i : i + TILE], y[j : j + TILE]) @ member[j : j + TILE]
    return sums


def _unbiased(within_a: float, within_b: float, between: float, n: int, m: int) -> float:
    """Squared MMD from sums of the kernel, those within a set without its diagonal."""
    return within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * between / (n * m)
