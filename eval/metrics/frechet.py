"""Fréchet distance between two sets of features, each seen as a Gaussian (Dowson & Landau 1982).

``|m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)``, the formula of FID (Heusel et al. 2017) and FVD
(Unterthiner et al. 2018). With centred features ``A`` (n, d) and ``B`` (m, d), ``S1 = A'A`` and ``S2 = B'B``,
the last trace is the sum of the singular values (nuclear norm) of ``A B'``: real by construction, exact for
singular covariances, and cheap when there are fewer rows than dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg

from eval.statistics import Estimate, jackknife
from mardini.errors import UserError

VERSION = "1"
MINIMUM_ROWS = 2


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
    a, b = _checked(a), _checked(b)
    if a.shape[1] != b.shape[1]:
        raise UserError(
            f"features of {a.shape[1]} and {b.shape[1]} dimensions cannot be compared: use one detector"
        )
    difference = a.mean(axis=0) - b.mean(axis=0)
    a, b = _centred(a, ddof), _centred(b, ddof)
    traces = np.sum(a * a) + np.sum(b * b)
    root = np.sum(scipy.linalg.svdvals(_reduced(a) @ _reduced(b).T, check_finite=False))
    return max(0.0, float(difference @ difference + traces - 2 * root))


def frechet_estimate(
    a: np.ndarray,
    b: np.ndarray,
    sources: Sequence[str],
    distance: Callable[[np.ndarray, np.ndarray], float] = frechet_distance,
    groups: int = 20,
) -> Estimate:
    """``distance`` of paired sets with a jackknife interval over source videos.

    Row i of ``a`` (n, d) and of ``b`` (n, d) belong to the same clip, cut from video ``sources[i]``; each
    replicate leaves a group of videos out on both sides. See ``eval.statistics.jackknife``.
    """
    if not len(a) == len(b) == len(sources):
        raise ValueError(f"rows do not pair up: {len(a)}, {len(b)} features and {len(sources)} sources")
    a, b = _checked(a), _checked(b)
    return jackknife(lambda kept: distance(a[kept], b[kept]), sources, groups=groups, minimum=MINIMUM_ROWS)


def _checked(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2:
        raise ValueError(f"features must be (rows, dimensions), got shape {features.shape}")
    if len(features) < MINIMUM_ROWS:
        raise UserError(
            f"a Fréchet distance needs at least {MINIMUM_ROWS} samples on each side, got {len(features)}: "
            "score more clips, or leave fid and fvd out of --metrics"
        )
    if not np.isfinite(features).all():
        raise UserError(
            "a detector gave features that are NaN or infinite: check its weight file and the frames"
        )
    return features


def _centred(features: np.ndarray, ddof: int) -> np.ndarray:
    return (features - features.mean(axis=0)) / np.sqrt(len(features) - ddof)


def _reduced(features: np.ndarray) -> np.ndarray:
    """A matrix R of at most d rows with R'R = F'F: the nuclear norm of a product does not change."""
    if features.shape[0] <= features.shape[1]:
        return features
    return np.asarray(scipy.linalg.qr(features, mode="r", check_finite=False)[0])[: features.shape[1]]
