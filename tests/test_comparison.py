"""Paired comparisons and floors: against closed forms, against scipy, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from eval.comparison import compare, paired_distances, paired_means
from eval.metrics.frechet import frechet_distance
from eval.statistics import split_floor


def test_pairs_know_more_than_means() -> None:
    """Clips differ by 10, systems by 0.1: intervals of the means overlap, that of the difference is narrow."""
    generator = np.random.default_rng(0)
    hard = generator.normal(0, 10, 200)
    a, b = hard + 0.1 + generator.normal(0, 0.1, 200), hard
    found = paired_means(a.tolist(), b.tolist(), [str(i) for i in range(200)])
    assert found.value == pytest.approx(np.mean(a - b))
    assert found.low is not None and found.high is not None and 0 < found.low < found.value < found.high
    expected = stats.ttest_rel(a, b)
    assert found.p is not None and found.p < 0.001 and expected.pvalue < 0.001
    interval = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.004)


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.3])
def test_p_is_that_of_a_paired_test(shift: float) -> None:
    generator = np.random.default_rng(3)
    difference = generator.normal(shift, 1, 150)
    found = paired_means(difference.tolist(), [0.0] * 150, [str(i) for i in range(150)])
    assert found.p == pytest.approx(stats.ttest_1samp(difference, 0).pvalue, abs=0.03)


def test_clips_of_one_video_count_as_one() -> None:
    """The same clip ten times says no more than once."""
    generator = np.random.default_rng(1)
    a = generator.normal(0.5, 1, 12)
    once = paired_means(a.tolist(), [0.0] * 12, [str(i) for i in range(12)])
    often = paired_means(
        np.repeat(a, 10).tolist(), [0.0] * 120, [str(i) for i in range(12) for _ in range(10)]
    )
    assert often[1:] == pytest.approx(once[1:])
    assert paired_means([1.0, 2.0], [0.0, 0.0], ["a", "a"])[1:] == (None, None, None)
    with pytest.raises(ValueError, match="do not pair up"):
        paired_means([1.0], [1.0, 2.0], ["a"])


def test_false_alarms_are_as_rare_as_they_should_be() -> None:
    generator = np.random.default_rng(2)
    p = [
        paired_means(generator.normal(size=40).tolist(), [0.0] * 40, [str(i) for i in range(40)]).p
        for _ in range(150)
    ]
    assert 0.01 < np.mean([value < 0.05 for value in p if value is not None]) < 0.12


def entry(value: float, replicates: list[float]) -> dict[str, object]:
    return {"value": value, "replicates": replicates}


def test_distances_are_compared_replicate_by_replicate() -> None:
    shared = np.random.default_rng(0).normal(0, 5, 20)
    a, b = entry(12.0, (12 + shared).tolist()), entry(10.0, (10 + shared).tolist())
    found = paired_distances(a, b)
    assert found.value == 2 and found.low == pytest.approx(2) and found.p == pytest.approx(0)
    own = np.random.default_rng(1).normal(0, 5, 20)
    wide = paired_distances(a, entry(10.0, (10 + own).tolist()))
    assert wide.low is not None and wide.low < 0 < wide.value and wide.p is not None and wide.p > 0.05
    assert paired_distances(a, entry(10.0, [])).p is None
    same = paired_distances(a, a)
    assert same.value == 0 and same.p == 1


def test_each_column_has_its_own_opponent() -> None:
    records = [
        {
            "variant": name,
            "metrics": {"psnr": {}, "fid": {"dimensions": 3, **entry(value, [value, value + 1])}},
        }
        for name, value in (("a", 1.0), ("b", 4.0), ("c", 2.0))
    ]
    rows = {
        name: {str(i): {"source": str(i), "scores": {"psnr": i + k}} for i in range(6)}
        for k, name in enumerate("abc")
    }
    found = compare(records, ["psnr", "fid"], rows, {"psnr": "c", "fid": "a"})
    assert {variant: d.value for variant, d in found["psnr"].items()} == {"a": -2, "b": -1}
    assert {variant: d.value for variant, d in found["fid"].items()} == {"b": 3, "c": 1}


def test_the_floor_is_a_distance_between_halves_of_the_videos() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 6))
    sources = [str(i // 4) for i in range(400)]
    floor = split_floor(rows, sources, frechet_distance)
    assert floor is not None and floor.n == 200
    halves = [frechet_distance(rows[i : i + 200], np.roll(rows, 200, 0)[i : i + 200]) for i in (0, 50, 100)]
    assert 0.3 * np.mean(halves) < floor.value < 3 * np.mean(halves)
    assert split_floor(rows, ["a"] * 400, frechet_distance) is None
    assert split_floor(rows[:3], ["a", "a", "b"], frechet_distance) is None
    seen: list[tuple[set[float], set[float]]] = []

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        seen.append((set(a[:, 0]), set(b[:, 0])))
        return 0.0

    numbers = np.repeat(np.arange(100.0), 4)[:, None]
    split_floor(numbers, sources, overlap)
    assert all(not (a & b) and len(a | b) == 100 for a, b in seen)
