"""Fréchet distance between two sets of features, each seen as a Gaussian (Dowson & Landau 1982).

``|m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)``, the formula of FID (Heusel et al. 2017) and FVD
(Unterthiner et al. 2018). The last trace is what implementations differ in; no matrix square root of the
product, which is not symmetric, is formed here. With centred features ``A`` (n, d) and ``B`` (m, d), scaled so
that ``S1 = A'A`` and ``S2 = B'B``, it is

- the sum of the singular values (nuclear norm) of ``A B'``, where a set has at most d rows: exact for singular
  covariances, and cheap;
- the sum of the roots of the eigenvalues of ``L' S2 L`` with ``S1 = L L'``, where both have more, or of the singular
  values of ``R1 R2'`` with ``S1 = R1'R1`` and ``S2 = R2'R2``, where neither has a Cholesky factor.

All are real and symmetric by construction.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import scipy.linalg

from eval.metrics.moments import Moments, different, finite, too_few
from eval.statistics import Estimate, jackknife
from mardini.errors import UserError

VERSION = "1"
MINIMUM_ROWS = 2
ROUNDING = 1e-6  # of the traces: a result below zero by more than this is no rounding


def frechet_distance(a: np.ndarray, b: np.ndarray, *, ddof: int = 1) -> float:
    """Fréchet distance between feature sets ``a`` (n, d) and ``b`` (m, d), in float64.

    Args:
        a, b: one feature vector per row, any real type; n and m may differ, d not.
        ddof: the covariance divides by ``n - ddof``: 1 as pytorch-fid (``numpy.cov``), 0 as StyleGAN-V.

    Returns:
        A distance >= 0; 0 within rounding for equal sets.

    Raises:
        UserError: fewer than two rows on a side, or features that are NaN or infinite.
    """
    if a.shape[1] != b.shape[1]:
        raise UserError(different(a.shape[1], b.shape[1]))
    if min(len(a), len(b)) < MINIMUM_ROWS:
        raise UserError(too_few(min(len(a), len(b))))
    if min(len(a), len(b)) > a.shape[1]:
        return frechet_from_moments(Moments.of(a), Moments.of(b), ddof)
    a, b = finite(a), finite(b)
    difference = a.mean(axis=0) - b.mean(axis=0)
    a, b = _centred(a, ddof), _centred(b, ddof)
    root = float(np.sum(scipy.linalg.svdvals(a @ b.T, check_finite=False)))
    return _assembled(difference, float(np.sum(a * a)), float(np.sum(b * b)), root)


def frechet_from_moments(a: Moments, b: Moments, ddof: int = 1) -> float:
    """The same distance from running sums; equal to ``frechet_distance`` of the features to 1e-6 of its size.

    Raises:
        UserError: fewer than two vectors on a side, two detectors, or sums that no real vectors have (a negative
            variance), for which other implementations return 0 or a complex number.
    """
    if a.dimensions != b.dimensions:
        raise UserError(different(a.dimensions, b.dimensions))
    first, second = a.covariance(ddof), b.covariance(ddof)
    errors = a.rounding(ddof), b.rounding(ddof)
    if a.count <= a.dimensions or b.count <= b.dimensions:  # singular by their number of samples
        root = _root_trace_by_factors(first, second, errors)
    else:
        root = _root_trace(first, second, errors)
    return _assembled(a.mean - b.mean, float(np.trace(first)), float(np.trace(second)), root)


def frechet_estimate(
    a: np.ndarray, b: np.ndarray, sources: Sequence[str], *, ddof: int = 1, groups: int = 20
) -> Estimate:
    """``frechet_distance`` of paired sets with a jackknife interval over source videos.

    Row i of ``a`` (n, d) and of ``b`` (n, d) belong to the same clip, cut from video ``sources[i]``; each
    replicate leaves a group of videos out on both sides. See ``eval.statistics.jackknife``. With more rows than
    dimensions a replicate is the running sums of all rows without those of the group, so the features may lie in
    files of any length.
    """
    if not len(a) == len(b) == len(sources):
        raise ValueError(f"rows do not pair up: {len(a)}, {len(b)} features and {len(sources)} sources")
    if len(a) < MINIMUM_ROWS:
        raise UserError(too_few(len(a)))
    if len(a) <= a.shape[1]:
        a, b = finite(a), finite(b)
        few = functools.partial(frechet_distance, ddof=ddof)
        return jackknife(lambda kept: few(a[kept], b[kept]), sources, groups=groups, minimum=MINIMUM_ROWS)
    whole = Moments.of(a), Moments.of(b)

    def distance(kept: np.ndarray) -> float:
        left = [all_ - Moments.of(x[~kept]) for all_, x in zip(whole, (a, b), strict=True)]
        return frechet_from_moments(left[0], left[1], ddof)

    return jackknife(distance, sources, groups=groups, minimum=MINIMUM_ROWS)


def _centred(features: np.ndarray, ddof: int) -> np.ndarray:
    return (features - features.mean(axis=0)) / np.sqrt(len(features) - ddof)


def _root_trace(first: np.ndarray, second: np.ndarray, errors: tuple[float, float] = (0.0, 0.0)) -> float:
    """``tr (S1 S2)^(1/2)`` of covariances (d, d), by Cholesky, where one is regular; else by their factors.

    ``errors``: how far rounding may have moved the eigenvalues of each.
    """
    for one, other, error in ((first, second, errors[1]), (second, first, errors[0])):
        try:
            lower = scipy.linalg.cholesky(one, lower=True, check_finite=False)
        except scipy.linalg.LinAlgError:
            continue
        values = scipy.linalg.eigvalsh(lower.T @ other @ lower, check_finite=False)
        _check(values, error * float(np.trace(one)))
        return float(np.sum(np.sqrt(np.maximum(values, 0))))
    return _root_trace_by_factors(first, second, errors)


def _root_trace_by_factors(
    first: np.ndarray, second: np.ndarray, errors: tuple[float, float] = (0.0, 0.0)
) -> float:
    product = _factor(first, errors[0]) @ _factor(second, errors[1]).T
    return float(np.sum(scipy.linalg.svdvals(product, check_finite=False)))


def _factor(covariance: np.ndarray, error: float = 0.0) -> np.ndarray:
    """R (r, d) with R'R = ``covariance``, r its rank: eigenvalues within ``error`` of zero are taken as zero."""
    values, vectors = scipy.linalg.eigh(covariance, check_finite=False)
    _check(values, error)
    kept = values > max(error, len(values) * np.finfo(np.float64).eps * float(values[-1]))
    return np.sqrt(values[kept])[:, None] * vectors[:, kept].T


def _check(values: np.ndarray, error: float) -> None:
    """Raise ``UserError`` where the least of ascending eigenvalues is negative beyond rounding."""
    if values[0] < -(ROUNDING * max(float(values[-1]), 0.0) + error):
        raise UserError(
            f"a covariance has a negative variance ({values[0]:.1e}), so its sums are damaged: compute the features "
            "again"
        )


def _assembled(difference: np.ndarray, first: float, second: float, root: float) -> float:
    """The distance from the difference of means, the two traces and the trace of the root."""
    value = float(difference @ difference) + first + second - 2 * root
    if value < -ROUNDING * (first + second):
        raise UserError(
            f"a Fréchet distance came out as {value:.3g}, which is no rounding: compute the features again"
        )
    return max(0.0, value)
