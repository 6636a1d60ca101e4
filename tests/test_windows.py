"""Plans of tasks longer than a window: levels of a hierarchy, segments, seeds, sizes."""

from __future__ import annotations

import itertools
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from mardini import windows
from mardini.errors import UserError


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(8, 300))
def test_the_shorter_side_has_the_resolution_and_the_aspect_is_kept(h: int, w: int, resolution: int) -> None:
    height, width = windows.working_size((h, w), resolution)
    assert min(height, width) == resolution
    assert abs(height * w - width * h) <= max(h, w) / 2 + 1e-6


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(2, 60), st.integers(3, 33))
def test_levels_and_segments_cover_everything(frames: int, factor: int, window: int) -> None:
    try:
        found = windows.levels(factor, window)
    except UserError:
        assert any(factor % p == 0 and all(p % q for q in range(2, p)) for p in range(window, factor + 1))
        return
    assert math.prod(found) == factor
    for by in found:
        cuts = windows.segments(frames, by, window)
        assert cuts[0][0] == 0 and cuts[-1][1] == frames - 1
        assert all(a[1] == b[0] for a, b in itertools.pairwise(cuts))
        assert all(0 < (last - first) * by + 1 <= window for first, last in cuts)
        frames = (frames - 1) * by + 1


def test_large_factors_come_first() -> None:
    assert (
        windows.levels(32, 9) == [8, 4] and windows.levels(32, 33) == [32] and windows.levels(6, 5) == [3, 2]
    )


def test_seeds_of_windows_differ() -> None:
    seeds = {windows.derived_seed(seed, a, b) for seed in (-1, 0, 1) for a in range(5) for b in range(20)}
    assert len(seeds) == 300 and all(0 <= seed < 2**63 for seed in seeds)
