"""Running sums of features: all that a Fréchet distance needs to know of a set, in memory that does not grow.

Sums are in float64 and exact to rounding whatever the order, the batches and the number of processes; merge with
``+``, leave a part out with ``-``:

    everything = sum(groups[1:], groups[0])
    without_third = everything - groups[2]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mardini.errors import UserError

CHUNK = 4096  # rows that are converted to float64 at a time


@dataclass
class Moments:
    """Count, sum and sum of outer products of feature vectors of ``d`` dimensions.

    Attributes:
        count: vectors seen.
        total: their sum, float64 (d,).
        products: sum of their outer products with themselves, float64 (d, d).
    """

    count: int
    total: np.ndarray
    products: np.ndarray

    @classmethod
    def empty(cls, dimensions: int) -> Moments:
        """Of no vectors yet."""
        return cls(0, np.zeros(dimensions), np.zeros((dimensions, dimensions)))

    @classmethod
    def of(cls, features: np.ndarray) -> Moments:
        """Of the rows of ``features`` (n, d), which may lie in a file (``numpy.memmap``)."""
        moments = cls.empty(np.shape(features)[1])
        moments.add(features)
        return moments

    @property
    def dimensions(self) -> int:
        return len(self.total)

    @property
    def mean(self) -> np.ndarray:
        """(d,)."""
        return self.total / self.count

    def add(self, features: np.ndarray) -> None:
        """Take the rows of ``features`` (n, d) in. Raises ``UserError`` for NaN and infinity."""
        if np.shape(features)[-1] != self.dimensions:
            raise UserError(different(np.shape(features)[-1], self.dimensions))
        for start in range(0, len(features), CHUNK):
            rows = finite(features[start : start + CHUNK])
            self.count += len(rows)
            self.total += rows.sum(axis=0)
            self.products += rows.T @ rows

    def covariance(self, ddof: int = 1) -> np.ndarray:
        """(d, d), dividing by ``count - ddof``. ``UserError`` for fewer than two vectors."""
        if self.count < 2:
            raise UserError(too_few(self.count))
        centred = self.products - np.outer(self.total, self.mean)
        return (centred + centred.T) / (2 * (self.count - ddof))

    def rounding(self, ddof: int = 1) -> float:
        """How far rounding may have moved the eigenvalues of ``covariance``; more where the mean is large."""
        size = float(np.trace(self.products)) / (self.count - ddof)
        return self.dimensions * np.finfo(np.float64).eps * size

    def __add__(self, other: Moments) -> Moments:
        self._check(other)
        return Moments(self.count + other.count, self.total + other.total, self.products + other.products)

    def __sub__(self, other: Moments) -> Moments:
        """Without the vectors of ``other``, all of which are in ``self``."""
        self._check(other)
        if other.count > self.count:
            raise ValueError(f"cannot take {other.count} vectors out of {self.count}")
        return Moments(self.count - other.count, self.total - other.total, self.products - other.products)

    def _check(self, other: Moments) -> None:
        if self.dimensions != other.dimensions:
            raise UserError(different(self.dimensions, other.dimensions))


def finite(features: np.ndarray) -> np.ndarray:
    """``features`` (n, d) as float64. Raises ``UserError`` for NaN and infinity."""
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2:
        raise ValueError(f"features must be (rows, dimensions), got shape {features.shape}")
    if not np.isfinite(features).all():
        raise UserError(
            "a detector gave features that are NaN or infinite: check its weight file and the frames"
        )
    return features


def too_few(count: int) -> str:
    """The sentence for sets without a covariance."""
    return (
        f"a distance of sets needs at least 2 samples on each side, got {count}: "
        "score more clips, or leave fid, kid and fvd out of --metrics"
    )


def different(one: int, other: int) -> str:
    """The sentence for features of two detectors."""
    return f"features of {one} and {other} dimensions cannot be compared: use one detector"
