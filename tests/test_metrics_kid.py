"""KID: parity with torch-fidelity and torchmetrics on the same features, intervals, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from eval.metrics import kid
from eval.metrics.kid import KID, kernel_distance, kernel_estimate
from mardini.errors import UserError


def sets(n: int = 40, m: int = 40, d: int = 12) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.random((n, d), dtype=np.float32), 1.3 * random.random((m, d), dtype=np.float32)


def written_out(a: np.ndarray, b: np.ndarray) -> float:
    """The unbiased estimate, pair by pair (Gretton et al. 2012, eq. 3)."""

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return (float(np.dot(x.astype(np.float64), y)) / len(x) + 1) ** 3

    n, m = len(a), len(b)
    within = sum(k(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    other = sum(k(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within + other - 2 * sum(k(x, y) for x in a for y in b) / (n * m)


def test_few_samples_give_the_unbiased_estimate_over_all_pairs():
    a, b = sets()
    assert kernel_distance(a, b) == pytest.approx(written_out(a, b), rel=1e-9)


@pytest.mark.parametrize("whole", [0, 4096])
def test_subsets_are_those_of_torch_fidelity(whole, monkeypatch):
    metric = pytest.importorskip("torch_fidelity.metric_kid")
    torch = pytest.importorskip("torch")
    a, b = sets(60, 50)
    monkeypatch.setattr(kid, "WHOLE", whole)
    theirs = metric.kid_features_to_metric(
        torch.from_numpy(a), torch.from_numpy(b), kid_subsets=8, kid_subset_size=20, verbose=False
    )["kernel_inception_distance_mean"]
    assert kernel_distance(a, b, subsets=8, size=20) == pytest.approx(theirs, rel=1e-4)
    assert kernel_distance(a, b, subsets=8, size=20, seed=1) != pytest.approx(theirs, rel=1e-3)


def test_it_is_unbiased_and_so_may_fall_below_zero():
    random = np.random.default_rng(1)
    values = [kernel_distance(*random.standard_normal((2, 12, 3))) for _ in range(200)]
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200)


@pytest.mark.parametrize("whole", [0, 4096])
def test_the_interval_leaves_whole_videos_out(whole, monkeypatch):
    monkeypatch.setattr(kid, "WHOLE", whole)
    monkeypatch.setattr(kid, "TILE", 7)
    a, b = sets(12, 12, 5)
    sources = [f"video{i // 3}" for i in range(12)]
    found = kernel_estimate(a, b, sources)
    left_out = []
    for name in sorted(set(sources)):
        kept = [i for i, source in enumerate(sources) if source != name]
        left_out.append(written_out(a[kept], b[kept]))
    error = np.sqrt(3 / 4 * np.square(np.array(left_out) - np.mean(left_out)).sum())
    assert found.value == pytest.approx(written_out(a, b), rel=1e-9)
    assert sorted(found.replicates) == pytest.approx(sorted(left_out), rel=1e-9)
    assert found.standard_error == pytest.approx(error, rel=1e-9)
    assert found.high == pytest.approx(found.value + 1.96 * error, rel=1e-4)
    assert found.low == pytest.approx(found.value - 1.96 * error, rel=1e-4)
    alone = kernel_estimate(a, b, ["one"] * 12)
    assert alone[:4] == (found.value, None, None, None)


def test_refusals():
    a, b = sets()
    with pytest.raises(UserError, match="at least 2 samples on each side, got 1"):
        kernel_distance(a[:1], b)
    with pytest.raises(UserError, match="12 and 5 dimensions"):
        kernel_distance(a, b[:, :5])
    b[3, 2] = np.inf
    with pytest.raises(UserError, match="NaN or infinite"):
        kernel_distance(a, b)


def test_it_looks_through_the_network_of_fid():
    metric = KID(None)
    assert (metric.name, metric.detector, metric.weights) == ("kid_random", "inception_random", ())
    assert metric.variant["subset_size"] == "min(n, 1000)"
    assert "ddof" not in metric.variant
