"""Fréchet distance: closed forms, parity with scipy.linalg.sqrtm and pytorch-fid, refusals."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics.frechet import frechet_distance, frechet_estimate
from mardini.errors import UserError


def whitened(n: int, d: int, seed: int) -> np.ndarray:
    """Samples whose mean is exactly 0 and whose covariance (ddof 1) is exactly the identity."""
    x = np.random.default_rng(seed).standard_normal((n, d))
    q = np.linalg.qr(x - x.mean(axis=0))[0]
    q -= q.mean(axis=0)
    return np.linalg.qr(q)[0] * np.sqrt(n - 1)


def styleganv_formula(a: np.ndarray, b: np.ndarray, ddof: int) -> float:
    """The formula of StyleGAN-V and common_metrics: moments, then the matrix square root of the product."""
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    cov_a, cov_b = np.cov(a, rowvar=False, ddof=ddof), np.cov(b, rowvar=False, ddof=ddof)
    root = np.asarray(scipy.linalg.sqrtm(cov_a @ cov_b))
    return float(np.real(np.square(mean_a - mean_b).sum() + np.trace(cov_a + cov_b - 2 * root)))


def samples(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    mixing = random.standard_normal((d, d)) / np.sqrt(d)
    a = random.standard_normal((n, d)) @ mixing
    return a, 0.8 * a + 0.5 * random.standard_normal((n, d)) + 0.3


def test_equal_covariances_leave_the_squared_distance_of_means():
    a = whitened(50, 8, seed=0)
    shift = np.arange(8.0)
    assert frechet_distance(a, a + shift) == pytest.approx(shift @ shift, rel=1e-10)
    assert frechet_distance(a, whitened(70, 8, seed=1) + shift) == pytest.approx(shift @ shift, rel=1e-10)


def test_diagonal_covariances_have_a_closed_form():
    stds_a, stds_b = np.array([1.0, 2.0, 0.5, 0.0]), np.array([3.0, 2.0, 0.1, 1.0])
    a, b = whitened(40, 4, 0) * stds_a, whitened(60, 4, 1) * stds_b
    assert frechet_distance(a, b) == pytest.approx(np.square(stds_a - stds_b).sum(), rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(5, 40), (60, 16), (2, 3)])
def test_identical_sets_are_at_distance_zero(n, d):
    a = samples(n, d)[0] * 100
    assert 0 <= frechet_distance(a, a.copy()) < 1e-6


@pytest.mark.parametrize("ddof", [0, 1])
def test_fvd_distance_equals_the_styleganv_formula_with_more_samples_than_dimensions(ddof):
    a, b = samples(200, 48)
    assert frechet_distance(a, b, ddof=ddof) == pytest.approx(styleganv_formula(a, b, ddof), rel=1e-6)


def test_fvd_distance_equals_the_styleganv_formula_with_fewer_samples_than_dimensions():
    # sqrtm loses digits on singular matrices; what is left must agree
    a, b = samples(24, 60)
    assert frechet_distance(a, b) == pytest.approx(styleganv_formula(a, b, 1), rel=1e-4)


def test_both_shapes_of_the_trace_agree():
    """Zero columns change no distance, but move n > d to n < d."""
    a, b = samples(30, 20)
    wide = [np.hstack([x, np.zeros((30, 40))]) for x in (a, b)]
    assert frechet_distance(*wide) == pytest.approx(frechet_distance(a, b), rel=1e-10)


def test_fid_distance_equals_pytorch_fid():
    fid_score = pytest.importorskip("pytorch_fid.fid_score")
    a, b = samples(150, 64, seed=3)
    expected = fid_score.calculate_frechet_distance(
        a.mean(axis=0), np.cov(a, rowvar=False), b.mean(axis=0), np.cov(b, rowvar=False)
    )
    assert frechet_distance(a, b, ddof=1) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 20), m=st.integers(2, 20), d=st.integers(1, 12), seed=st.integers(0, 1000))
def test_symmetric_and_blind_to_the_order_of_samples(n, m, d, seed):
    random = np.random.default_rng(seed)
    a, b = random.standard_normal((n, d)), 2 * random.standard_normal((m, d))
    value = frechet_distance(a, b)
    assert value >= 0
    assert frechet_distance(b, a) == pytest.approx(value, rel=1e-9, abs=1e-9)
    shuffled = frechet_distance(random.permutation(a), random.permutation(b))
    assert shuffled == pytest.approx(value, rel=1e-9, abs=1e-9)


def test_features_in_float32_are_summed_in_float64():
    a, b = (x.astype(np.float32) + 1000 for x in samples(40, 10))
    assert frechet_distance(a, b) == frechet_distance(a.astype(np.float64), b.astype(np.float64))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(bad):
    a, b = samples(5, 4)
    a[2, 1] = bad
    with pytest.raises(UserError, match="NaN or infinite"):
        frechet_distance(a, b)


def test_one_sample_is_refused():
    a, b = samples(5, 4)
    with pytest.raises(UserError, match="at least 2 samples on each side, got 1"):
        frechet_distance(a[:1], b)


def test_features_of_two_detectors_are_refused():
    with pytest.raises(UserError, match="400 and 2048 dimensions"):
        frechet_distance(np.zeros((3, 400)), np.zeros((3, 2048)))


def test_estimate_leaves_a_source_out_on_both_sides():
    a, b = samples(12, 3)
    sources = [f"video{i // 3}" for i in range(12)]
    found = frechet_estimate(a, b, sources)
    left_out = []
    for name in sorted(set(sources)):
        kept = [i for i, source in enumerate(sources) if source != name]
        left_out.append(frechet_distance(a[kept], b[kept]))
    error = np.sqrt(3 / 4 * np.square(np.array(left_out) - np.mean(left_out)).sum())
    assert found.value == frechet_distance(a, b)
    assert found.standard_error == pytest.approx(error, rel=1e-9)
    assert found.high == pytest.approx(found.value + 1.96 * error, rel=1e-4)
    assert found.low == pytest.approx(max(0.0, found.value - 1.96 * error), rel=1e-4)
    assert found.n == 12
