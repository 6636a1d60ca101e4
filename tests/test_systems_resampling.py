"""Through a model's own length, rate and size, and back: every given frame keeps its place, no target takes one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.systems.diffusion import DIFFUSION
from eval.systems.resampling import Native, Times, from_model, model_size, times, to_model
from mardini.errors import UserError

NATIVES = {name: system.native for name, system in DIFFUSION.items()}
natives = st.sampled_from(sorted(NATIVES)).map(NATIVES.__getitem__)
rates = st.floats(1, 120)


@st.composite
def clips(draw: st.DrawFn) -> tuple[int, set[int], Native]:
    native = draw(natives)
    frames = draw(st.integers(2, native.frames))
    return frames, draw(st.sets(st.integers(0, frames - 1), min_size=1, max_size=frames - 1)), native


@settings(max_examples=150, deadline=None)
@given(clips(), rates)
def test_every_frame_has_a_place_of_its_own_in_order(clip: tuple[int, set[int], Native], fps: float) -> None:
    frames, known, native = clip
    found = times("any", frames, known, fps, native)
    assert len(found.places) == frames
    assert all(a < b for a, b in zip(found.places, found.places[1:], strict=False))
    assert found.places[0] == 0 and found.places[-1] < found.frames <= native.frames
    assert (found.frames - 1) % native.step == 0
    assert native.slowest <= found.rate <= native.fastest
    taken = {found.places[i] for i in known}
    assert not taken & {found.places[i] for i in range(frames) if i not in known}


@settings(max_examples=150, deadline=None)
@given(clips(), rates)
def test_a_clip_whose_end_is_given_spans_the_video_linearly(
    clip: tuple[int, set[int], Native], fps: float
) -> None:
    frames, known, native = clip
    found = times("any", frames, known | {frames - 1}, fps, native)
    assert found.places[-1] == found.frames - 1
    linear = np.arange(frames) * (found.frames - 1) / (frames - 1)
    assert np.abs(found.places - linear).max() <= 0.5
    spacings = set(np.diff(found.places).tolist())
    even = [
        n for n in range(frames, native.frames + 1) if (n - 1) % native.step == 0 == (n - 1) % (frames - 1)
    ]
    assert len(spacings) == 1 if even else found.frames == native.frames


@settings(max_examples=150, deadline=None)
@given(clips(), rates)
def test_a_clip_with_an_open_end_runs_at_its_own_rate(clip: tuple[int, set[int], Native], fps: float) -> None:
    frames, known, native = clip
    found = times("any", frames, known - {frames - 1} or {0}, fps, native)
    assert found.frames == native.frames
    stride = found.places[1]
    assert found.places == tuple(range(0, stride * frames, stride))
    longest = (native.frames - 1) // (frames - 1)
    assert abs(stride - found.rate / fps) <= 0.5 or stride == (1 if found.rate < fps else longest)
    if native.slowest <= fps <= native.fastest:
        assert (stride, found.rate) == (1, fps)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("svd", Times(25, tuple(range(9)), 24)),
        ("wan-flf2v", Times(81, tuple(range(0, 81, 10)), 16)),
        ("wan-vace", Times(81, tuple(range(0, 81, 10)), 16)),
        ("ltx", Times(121, tuple(range(0, 121, 15)), 25)),
    ],
)
def test_nine_frames_of_the_benchmarks(name: str, expected: Times) -> None:
    known = (0,) if name == "svd" else (0, 8)
    assert times(name, 9, known, 24, NATIVES[name]) == expected


def test_clips_slower_than_the_model_take_every_second_frame() -> None:
    assert times("wan-vace", 9, (0,), 8, NATIVES["wan-vace"]).places == tuple(range(0, 18, 2))
    assert times("svd", 9, (0,), 2.5, NATIVES["svd"]) == Times(25, tuple(range(0, 18, 2)), 5)


def test_a_clip_longer_than_the_model_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"'svd' makes 25 frames at a time, but the clips have 26: give --frames 25"
    ):
        times("svd", 26, (0,), 24, NATIVES["svd"])


@settings(max_examples=150, deadline=None)
@given(natives, st.integers(16, 2000), st.integers(16, 2000))
def test_the_models_size_keeps_the_shape_and_the_number_of_pixels(
    native: Native, height: int, width: int
) -> None:
    made = model_size((height, width), native)
    assert all(side % native.multiple == 0 and side > 0 for side in made)
    area = native.size[0] * native.size[1]
    if min(made) > native.multiple:
        assert made[0] * made[1] <= 1.01 * area
        for side, exact in zip(made, (area * height / width, area * width / height), strict=True):
            assert -native.multiple - 0.5 < side - exact**0.5 <= 0.5


def test_square_frames_and_each_models_own_shape() -> None:
    squares = {name: model_size((256, 256), native) for name, native in NATIVES.items()}
    assert squares == {"svd": (768, 768), "wan-flf2v": (960, 960), "wan-vace": (624, 624), "ltx": (576, 576)}
    for native in NATIVES.values():
        assert model_size(native.size, native) == native.size


@settings(max_examples=25, deadline=None)
@given(st.integers(16, 60), st.integers(16, 60))
def test_there_and_back(height: int, width: int) -> None:
    """A smooth frame survives, in its own size, and the frames that come back are those of its places."""
    native = Native(5, 4, 16, 16, (64, 64), 8)
    y, x = np.mgrid[:height, :width]
    frame = np.stack([255 * y / height, 255 * x / width, 0 * x + 100], -1).astype(np.uint8)
    big = to_model(frame, native)
    assert big.shape == (*model_size((height, width), native), 3)
    video = np.stack([big / 255 / (k + 1) for k in range(5)])
    found = times("any", 3, (0, 2), 16, native)
    back = from_model(video, found, (height, width))
    assert back.shape == (3, height, width, 3)
    for k, made in zip((1, 3, 5), back, strict=True):
        assert np.abs(made.astype(float) - frame / k).max() < 20
    with pytest.raises(ValueError, match="4 frames instead of 5"):
        from_model(video[:4], found, (height, width))
    with pytest.raises(ValueError, match="no numbers"):
        from_model(video * np.nan, found, (height, width))
