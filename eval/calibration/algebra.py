"""The Fréchet distance alone: closed forms, and other packages' formulas on the same features."""

from __future__ import annotations

import functools

import numpy as np

from eval.calibration.inputs import quiet
from eval.calibration.rows import WRITTEN_OUT, Check, Values
from eval.metrics.frechet import frechet_distance, frechet_from_moments
from eval.metrics.moments import Moments

DIMENSIONS = 64
FEW, MANY = 40, 300  # samples, below and above the dimensions


def checks() -> list[Check]:
    """All rows of this kind."""
    rows = []
    for n, form in ((FEW, "nuclear norm of features"), (MANY, "Cholesky and eigenvalues")):
        inputs = f"2 sets of {n} Gaussian samples in {DIMENSIONS} dimensions"
        for package, detail, measure, tolerance in (
            ("scipy", "linalg.sqrtm of the product of covariances", _sqrtm, 1e-4),
            ("pytorch-fid", "calculate_frechet_distance", _pytorch_fid, 1e-4),
            ("torch-fidelity", "fid_statistics_to_metric, eigenvalues", _torch_fidelity, 1e-5),
        ):
            tight = tolerance if n == FEW else 1e-6
            rows.append(
                Check("frechet", form, package, detail, inputs, tight, functools.partial(measure, n), True)
            )
    whole = f"2 sets of {MANY} samples, and of {FEW}, in {DIMENSIONS} dimensions"
    rows.append(
        Check(
            "frechet",
            "running sums",
            WRITTEN_OUT,
            "frechet_distance of the features",
            whole,
            1e-6,
            _sums,
            True,
        )
    )
    rows.append(
        Check(
            "frechet",
            "nuclear norm of features",
            WRITTEN_OUT,
            "a set and itself, moved: squared distance of means",
            "28 samples in 2048 dimensions",
            1e-9,
            _moved,
            True,
        )
    )
    exact = f"sums with exactly these moments, {DIMENSIONS} dimensions"
    for detail, measure in (
        ("equal covariances: squared distance of means", _equal),
        ("covariances that commute: distance of deviations", _commuting),
        ("scaled identities: d (s1 - s2)^2", _scaled),
    ):
        rows.append(Check("frechet", "closed form", WRITTEN_OUT, detail, exact, 1e-9, measure, True))
    return rows


@functools.cache
def _sets(n: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(n)
    mixing = random.standard_normal((DIMENSIONS, DIMENSIONS)) * np.logspace(0, -1, DIMENSIONS)
    a = random.standard_normal((n, DIMENSIONS)) @ mixing
    return a, 0.8 * a + 0.5 * random.standard_normal(a.shape) + 0.3


def _moments(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(x.mean(axis=0), np.cov(x, rowvar=False)) for x in _sets(n)]


def _sqrtm(n: int) -> Values:
    import scipy.linalg

    (mean_a, cov_a), (mean_b, cov_b) = _moments(n)
    with quiet():
        root = np.real(np.asarray(scipy.linalg.sqrtm(cov_a @ cov_b)))
    theirs = np.square(mean_a - mean_b).sum() + np.trace(cov_a + cov_b - 2 * root)
    return frechet_distance(*_sets(n)), theirs


def _pytorch_fid(n: int) -> Values:
    from pytorch_fid.fid_score import calculate_frechet_distance

    (mean_a, cov_a), (mean_b, cov_b) = _moments(n)
    with quiet():
        return frechet_distance(*_sets(n)), calculate_frechet_distance(mean_a, cov_a, mean_b, cov_b)


def _torch_fidelity(n: int) -> Values:
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    first, second = ({"mu": mean, "sigma": cov} for mean, cov in _moments(n))
    theirs = fid_statistics_to_metric(first, second, False)["frechet_inception_distance"]
    return frechet_distance(*_sets(n)), theirs


def _sums() -> Values:
    pairs = [_sets(n) for n in (FEW, MANY)]
    ours = [frechet_from_moments(Moments.of(a), Moments.of(b)) for a, b in pairs]
    return ours, [frechet_distance(a, b) for a, b in pairs]


def _moved() -> Values:
    random = np.random.default_rng(3)
    rows, shift = random.random((28, 2048)), 0.01 * random.standard_normal(2048)
    return frechet_distance(rows, rows + shift), shift @ shift


def _gaussian(mean: np.ndarray, covariance: np.ndarray, count: int = 1000) -> Moments:
    """Sums of ``count`` vectors that have exactly this mean and covariance (ddof 1)."""
    products = (count - 1) * covariance + count * np.outer(mean, mean)
    return Moments(count, count * mean, products)


def _drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A basis, two spectra and a mean."""
    random = np.random.default_rng(7)
    basis = np.linalg.qr(random.standard_normal((DIMENSIONS, DIMENSIONS)))[0]
    spectra = random.random((2, DIMENSIONS)) + 0.1
    return basis, spectra[0], spectra[1], random.standard_normal(DIMENSIONS)


def _equal() -> Values:
    basis, spectrum, _, mean = _drawn()
    covariance = (basis * spectrum) @ basis.T
    return frechet_from_moments(_gaussian(mean, covariance), _gaussian(0 * mean, covariance)), mean @ mean


def _commuting() -> Values:
    basis, first, second, mean = _drawn()
    sums = [_gaussian(m, (basis * s) @ basis.T) for m, s in ((mean, first), (0 * mean, second))]
    return frechet_from_moments(sums[0], sums[1]), mean @ mean + np.square(
        np.sqrt(first) - np.sqrt(second)
    ).sum()


def _scaled() -> Values:
    mean = np.zeros(DIMENSIONS)
    sums = [_gaussian(mean, variance * np.eye(DIMENSIONS)) for variance in (9.0, 4.0)]
    return frechet_from_moments(sums[0], sums[1]), float(DIMENSIONS)
