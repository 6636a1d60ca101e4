"""Kernel inception distance (Bińkowski et al. 2018, arXiv:1801.01401) on the features of FID.

The unbiased squared maximum mean discrepancy under the kernel ``(x'y / d + 1)^3``, averaged over random subsets:
100 of 1000 samples as in torch-fidelity, torchmetrics and clean-fid, drawn as torch-fidelity draws them. With
fewer samples a subset is all of them. Unlike FID it has no bias at few samples, and so may fall below 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from eval.metrics.detectors import FID
from eval.metrics.moments import different, finite, too_few
from eval.statistics import Estimate, jackknife, source_groups
from mardini.errors import UserError

SUBSETS = 100
SUBSET_SIZE = 1000
SEED = 2020
WHOLE = 4096  # rows up to which whole kernel matrices are kept: 134 MB each
TILE = 1024  # beyond, rows that are looked at together


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
    return _over_subsets(Kernels(a, b), subsets, size, seed)


def kernel_estimate(
    a: np.ndarray, b: np.ndarray, sources: Sequence[str], groups: int = 20, size: int = SUBSET_SIZE
) -> Estimate:
    """``kernel_distance`` of paired sets, with a jackknife interval over source videos.

    The replicates are of the statistic over all samples, which the subsets estimate. Sums of the kernel between the
    groups of videos are taken once; every replicate is made of them.
    """
    if not len(a) == len(b) == len(sources):
        raise ValueError(f"rows do not pair up: {len(a)}, {len(b)} features and {len(sources)} sources")
    kernels = Kernels(a, b)
    group = source_groups(sources, groups)
    member = np.eye(int(group.max()) + 1)[group]  # (n, groups)
    aa, ab, bb = (kernels.grouped(*pair, member) for pair in ((0, 0), (0, 1), (1, 1)))
    aa, bb = (sums - np.diag(member.T @ own) for sums, own in zip((aa, bb), kernels.diagonals, strict=True))

    def statistic(kept: np.ndarray) -> float:
        left = np.flatnonzero(member[kept].any(axis=0))
        within_a, within_b, between = (float(sums[np.ix_(left, left)].sum()) for sums in (aa, bb, ab))
        return _unbiased(within_a, within_b, between, int(kept.sum()))

    found = jackknife(statistic, sources, groups=groups)
    value = _over_subsets(kernels, SUBSETS, size, SEED)
    if found.low is None or found.high is None:
        return found._replace(value=value)
    half = found.high - found.value
    return found._replace(value=value, low=value - half, high=value + half)


class Kernels:
    """The kernel between the rows of two sets, whole if they are small, else computed where it is asked for.

    Attributes:
        sets: the features, as given; they may lie in files.
        diagonals: the kernel of each row with itself, (n,) and (m,).
    """

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        if a.shape[1] != b.shape[1]:
            raise UserError(different(a.shape[1], b.shape[1]))
        if min(len(a), len(b)) < 2:
            raise UserError(too_few(min(len(a), len(b))))
        self.sets = a, b
        self.diagonals = [np.concatenate([_of_itself(part) for part in _tiles(x)]) for x in self.sets]
        self.whole: dict[tuple[int, int], np.ndarray] = {}
        if max(len(a), len(b)) <= WHOLE:
            x, y = finite(a), finite(b)
            self.whole = {(0, 0): _kernel(x, x), (0, 1): _kernel(x, y), (1, 1): _kernel(y, y)}

    def sum(self, first: int, second: int, rows: np.ndarray, columns: np.ndarray) -> float:
        """Over some rows of one set and some of another (0 or 1, ``first`` not after ``second``)."""
        if self.whole:
            return float(self.whole[first, second][np.ix_(rows, columns)].sum())
        return float(_kernel(finite(self.sets[first][rows]), finite(self.sets[second][columns])).sum())

    def grouped(self, first: int, second: int, member: np.ndarray) -> np.ndarray:
        """(groups, groups): sums between the rows of one group and those of another; ``member`` (rows, groups)."""
        if self.whole:
            return member.T @ self.whole[first, second] @ member
        sums = np.zeros((member.shape[1], member.shape[1]))
        for i, x in enumerate(_tiles(self.sets[first])):
            for j, y in enumerate(_tiles(self.sets[second])):
                rows, columns = (slice(k * TILE, (k + 1) * TILE) for k in (i, j))
                sums += member[rows].T @ _kernel(x, y) @ member[columns]
        return sums


def _over_subsets(kernels: Kernels, subsets: int, size: int, seed: int) -> float:
    """Mean of the statistic over random subsets of both sets."""
    n, m = map(len, kernels.sets)
    size = min(size, n, m)
    if size == n == m:
        subsets = 1  # every subset is the whole
    random = np.random.RandomState(seed)  # the stream of torch-fidelity, frozen by NumPy
    values = []
    for _ in range(subsets):
        i, j = random.choice(n, size, replace=False), random.choice(m, size, replace=False)
        within_a = kernels.sum(0, 0, i, i) - kernels.diagonals[0][i].sum()
        within_b = kernels.sum(1, 1, j, j) - kernels.diagonals[1][j].sum()
        values.append(_unbiased(within_a, within_b, kernels.sum(0, 1, i, j), size))
    return float(np.mean(values))


def _unbiased(within_a: float, within_b: float, between: float, n: int) -> float:
    """Squared MMD of two sets of n from sums of the kernel, those within a set without its diagonal."""
    return (within_a + within_b) / (n * (n - 1)) - 2 * between / n**2


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _of_itself(x: np.ndarray) -> np.ndarray:
    return (np.einsum("nd,nd->n", x, x) / x.shape[1] + 1) ** 3


def _tiles(features: np.ndarray) -> Iterator[np.ndarray]:
    """Rows in float64, some at a time. Raises ``UserError`` for NaN and infinity."""
    for start in range(0, len(features), TILE):
        yield finite(features[start : start + TILE])
