"""Running sums: merging, leaving out, and the Fréchet distance from them against the one from features."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from eval.metrics import frechet, moments
from eval.metrics.frechet import frechet_distance, frechet_estimate, frechet_from_moments
from eval.metrics.moments import Moments
from mardini.errors import UserError


def features(n: int, d: int, seed: int) -> np.ndarray:
    """Correlated rows with a spectrum that falls by four orders of magnitude, and a mean as large as the deviation."""
    random = np.random.default_rng(seed)
    basis = np.linalg.qr(random.standard_normal((d, d)))[0] * np.logspace(0, -2, d)
    return random.standard_normal((n, d)) @ basis + random.random(d)


def test_parts_in_any_order_add_up_to_the_whole():
    rows = features(50, 7, 0)
    parts = [Moments.of(part) for part in (rows[30:], rows[:11], rows[11:30])]
    whole = sum(parts[1:], parts[0])
    assert whole.count == 50
    np.testing.assert_allclose(whole.mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(whole.covariance(), np.cov(rows, rowvar=False), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        whole.covariance(0), np.cov(rows, rowvar=False, ddof=0), rtol=1e-10, atol=1e-14
    )
    left = whole - parts[1]
    np.testing.assert_allclose(left.covariance(), np.cov(rows[11:], rowvar=False), rtol=1e-10, atol=1e-13)


def test_rows_are_taken_some_at_a_time(monkeypatch):
    rows = features(25, 4, 1).astype(np.float32)
    whole = Moments.of(rows)
    monkeypatch.setattr(moments, "CHUNK", 7)
    again = Moments.of(rows)
    assert again.count == 25
    np.testing.assert_allclose(again.products, whole.products, rtol=1e-13)


@pytest.mark.parametrize(
    ("n", "m", "d"), [(200, 150, 24), (20, 15, 24), (20, 150, 24), (25, 26, 24), (2, 3, 5)]
)
@pytest.mark.parametrize("ddof", [0, 1])
def test_distance_from_sums_equals_that_from_features(n, m, d, ddof):
    a, b = features(n, d, 0), 1.2 * features(m, d, 1) + 0.1
    expected = frechet_distance(a, b, ddof=ddof)
    found = frechet_from_moments(Moments.of(a), Moments.of(b), ddof)
    assert found == pytest.approx(expected, rel=1e-6)
    root = np.asarray(
        scipy.linalg.sqrtm(np.cov(a, rowvar=False, ddof=ddof) @ np.cov(b, rowvar=False, ddof=ddof))
    )
    traces = a.var(axis=0, ddof=ddof).sum() + b.var(axis=0, ddof=ddof).sum()
    formula = np.square(a.mean(0) - b.mean(0)).sum() + traces - 2 * np.trace(root).real
    assert found == pytest.approx(formula, rel=1e-4)  # sqrtm loses digits where covariances are singular


def test_all_ways_to_the_trace_agree():
    a, b = features(90, 20, 2), features(80, 20, 3)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    by_cholesky = frechet._root_trace(first, second)
    by_factors = np.sum(scipy.linalg.svdvals(frechet._factor(first) @ frechet._factor(second).T))
    rows = [(x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (a, b)]
    by_rows = np.sum(scipy.linalg.svdvals(rows[0] @ rows[1].T))
    assert by_cholesky == pytest.approx(by_rows, rel=1e-10)
    assert by_factors == pytest.approx(by_rows, rel=1e-10)
    flat = np.zeros_like(first)
    flat[0, 0] = 4.0  # no Cholesky factor: tr (S1 S2)^(1/2) = 2 sqrt(S2[0, 0])
    assert frechet._root_trace(flat, second) == pytest.approx(2 * np.sqrt(second[0, 0]), rel=1e-9)
    assert frechet._root_trace(flat, flat) == pytest.approx(4.0, rel=1e-12)


def gaussian(mean: np.ndarray, covariance: np.ndarray, count: int = 100) -> Moments:
    """Sums with exactly this mean and covariance (ddof 1)."""
    products = (count - 1) * covariance + count * np.outer(mean, mean)
    return Moments(count, count * np.asarray(mean, float), products)


def test_closed_forms():
    random = np.random.default_rng(5)
    basis = np.linalg.qr(random.standard_normal((6, 6)))[0]
    shift = random.standard_normal(6)
    variances = random.random((2, 6)) + 0.1
    first, second = ((basis * v) @ basis.T for v in variances)
    equal = frechet_from_moments(gaussian(np.zeros(6), first), gaussian(shift, first))
    assert equal == pytest.approx(shift @ shift, rel=1e-9)
    # covariances that commute: the distance of the standard deviations
    commuting = frechet_from_moments(gaussian(shift, first), gaussian(shift, second))
    assert commuting == pytest.approx(
        np.square(np.sqrt(variances[0]) - np.sqrt(variances[1])).sum(), rel=1e-9
    )
    scaled = frechet_from_moments(gaussian(shift, 9 * np.eye(6)), gaussian(0 * shift, 4 * np.eye(6)))
    assert scaled == pytest.approx(shift @ shift + 6, rel=1e-9)
    point = frechet_from_moments(gaussian(shift, 0 * first), gaussian(0 * shift, second))
    assert point == pytest.approx(shift @ shift + variances[1].sum(), rel=1e-6)
    still = frechet_from_moments(gaussian(shift, 0 * first), gaussian(0 * shift, 0 * first))
    assert still == pytest.approx(shift @ shift, rel=1e-6)  # all samples alike is no damage


def test_a_jackknife_by_sums_equals_one_by_features(monkeypatch):
    a, b = features(60, 6, 0), features(60, 6, 1)
    sources = [f"video{i // 5}" for i in range(60)]
    by_sums = frechet_estimate(a, b, sources, groups=5)
    wide = [np.hstack([x, np.zeros((60, 60))]) for x in (a, b)]  # more dimensions than rows: by features
    by_features = frechet_estimate(*wide, sources, groups=5)
    assert by_sums.standard_error is not None
    assert by_sums[:4] == pytest.approx(by_features[:4], rel=1e-7)
    assert by_sums.replicates == pytest.approx(by_features.replicates, rel=1e-7)


def test_sums_of_no_real_features_are_refused():
    good, damaged = Moments.of(features(30, 4, 0)), Moments.of(features(30, 4, 1))
    damaged.products[2, 2] = 0.0  # a negative variance
    with pytest.raises(UserError, match="negative"):
        frechet_from_moments(good, damaged)
    with pytest.raises(UserError, match="negative"):
        frechet_from_moments(damaged, damaged)
    with pytest.raises(UserError, match="no rounding"):
        frechet._assembled(np.zeros(2), 1.0, 1.0, 1.1)
    assert frechet._assembled(np.zeros(2), 1.0, 1.0, 1.0 + 1e-9) == 0


def test_what_cannot_be_added_is_refused():
    some = Moments.of(features(3, 4, 0))
    with pytest.raises(UserError, match="4 and 5 dimensions"):
        some + Moments.empty(5)
    with pytest.raises(UserError, match="5 and 4 dimensions"):
        some.add(np.zeros((1, 5)))
    with pytest.raises(UserError, match="NaN or infinite"):
        some.add(np.array([[0, np.nan, 0, 0]]))
    with pytest.raises(ValueError, match="cannot take 4 vectors out of 3"):
        some - Moments.of(features(4, 4, 0))
    with pytest.raises(UserError, match="at least 2 samples on each side, got 1"):
        frechet_from_moments(some, Moments.of(features(1, 4, 0)))
