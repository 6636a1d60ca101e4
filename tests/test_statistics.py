"""Cluster bootstrap and grouped jackknife."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.statistics import cluster_bootstrap, jackknife, mean, source_groups

values_and_clusters = st.lists(
    st.tuples(st.floats(-100, 100), st.sampled_from("abcdef")), min_size=2, max_size=30
)


@settings(max_examples=30, deadline=None)
@given(values_and_clusters, st.randoms(use_true_random=False))
def test_the_order_of_clips_changes_no_bit(pairs, shuffler):
    again = list(pairs)
    shuffler.shuffle(again)
    first, second = (
        cluster_bootstrap([v for v, _ in rows], [c for _, c in rows], replicates=50)
        for rows in (pairs, again)
    )
    assert first == second
    assert mean([v for v, _ in pairs]) == mean([v for v, _ in again])


def test_interval_of_independent_clips_is_the_normal_one():
    values = np.random.default_rng(1).normal(10, 2, 400)
    interval = cluster_bootstrap(values.tolist(), [str(i) for i in range(400)])
    assert interval is not None
    half = 1.96 * values.std(ddof=1) / math.sqrt(400)
    assert interval[0] == pytest.approx(values.mean() - half, abs=0.05)
    assert interval[1] == pytest.approx(values.mean() + half, abs=0.05)


def test_copies_of_a_clip_add_no_certainty():
    values = np.random.default_rng(0).normal(size=12).tolist()
    names = [str(i) for i in range(12)]
    assert cluster_bootstrap(values * 5, names * 5) == pytest.approx(cluster_bootstrap(values, names))


def test_one_source_gives_no_interval():
    assert cluster_bootstrap([1.0, 2.0, 3.0], ["dog"] * 3) is None


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        cluster_bootstrap([1.0, math.nan], ["a", "b"])


def test_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=20)
    found = jackknife(lambda kept: float(values[kept].mean()), [str(i) for i in range(20)])
    assert found.value == values.mean()
    assert found.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(20))


def test_sources_are_dealt_evenly_to_at_most_twenty_groups():
    sources = [f"video{i % 47}" for i in range(300)]
    groups = source_groups(sources)
    assert sorted(set(groups)) == list(range(20))
    assert all(len({g for g, s in zip(groups, sources, strict=True) if s == name}) == 1 for name in sources)
    sizes = [len({s for g, s in zip(groups, sources, strict=True) if g == k}) for k in range(20)]
    assert max(sizes) - min(sizes) <= 1
    order = np.random.default_rng(5).permutation(300)
    assert (source_groups([sources[i] for i in order]) == groups[order]).all()


@pytest.mark.parametrize("sources", [["a"] * 5, ["a", "b"], ["a", "a", "a", "b"]])
def test_too_few_sources_give_a_value_without_an_interval(sources):
    found = jackknife(lambda kept: 3.0, sources)
    assert found == (3.0, None, None, None, len(sources), ())
