"""The systems on scenes whose answer is known: still, translating, and given frames anywhere."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.datasets.base import Clip, Dataset
from eval.protocols import protocol_for
from eval.systems import SYSTEMS, build_systems, default_systems
from eval.systems.base import Task, clip_seed, fill_gaps, keep_given, neighbours
from eval.systems.baselines import Blend, Flow, Minterpolate, Repeat, cross_fade, minterpolate
from eval.systems.flow import fill_holes, flow_frames, motion_at, visibility
from eval.systems.rivals import RIVALS
from mardini.errors import UserError

BASELINES = [Repeat, Blend, Flow, Minterpolate]


def texture(size: int, seed: int = 0) -> np.ndarray:
    """Smooth coloured noise, uint8 (size, size, 3), over the whole range of values."""
    noise = np.random.default_rng(seed).uniform(0, 255, (size, size, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)


def translating(size: int = 64, step: int = 1, frames: int = 9) -> np.ndarray:
    """A texture that moves ``step`` pixels a frame to the left."""
    image = texture(size + step * frames)
    return np.stack([image[:size, step * k : step * k + size] for k in range(frames)])


def task(clip: np.ndarray, *given: int) -> Task:
    return Task("clip", {i: clip[i] for i in given}, len(clip), seed=0)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.square(a.astype(float) - b).mean()))


@pytest.mark.parametrize("system", BASELINES)
@pytest.mark.parametrize("places", [(0, 8), (0, 3, 8), (2, 5), (4,)])
def test_still_scene_is_exact(system: type, places: tuple[int, ...]) -> None:
    clip = np.repeat(texture(48)[None], 9, axis=0)
    (frames,) = system().predict([task(clip, *places)])
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, clip)


def test_ladder_on_a_translating_scene() -> None:
    clip = translating(96)
    scores = [psnr(system().predict([task(clip, 0, 8)])[0][1:8], clip[1:8]) for system in BASELINES]
    repeat, blend, flow, minter = scores
    assert repeat + 0.5 < blend
    assert blend + 6 < flow
    assert blend + 4 < minter


def shown(made: np.ndarray, true: np.ndarray) -> list[int]:
    """Which true frame each made one is nearest to, away from what enters at the border."""
    inner = slice(24, -24)
    made, true = (x[:, inner, inner].astype(float) for x in (made, true))
    return [int(np.argmin(np.square(true - frame).mean(axis=(1, 2, 3)))) for frame in made]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8])
def test_flow_shows_each_time(n: int) -> None:
    clip = translating(96, frames=n + 2)
    assert shown(flow_frames(clip[0], clip[-1], n), clip) == list(range(1, n + 1))


@pytest.mark.parametrize(("n", "step"), [(1, 2), (2, 2), (2, 3), (3, 1), (4, 2), (7, 1)])
def test_minterpolate_shows_each_time(n: int, step: int) -> None:
    """The filter moves whole pixels, so the motion is whole pixels at each of these times."""
    clip = translating(128, step, frames=n + 2)
    made = minterpolate(clip[0], clip[-1], n)
    assert shown(made, clip) == list(range(1, n + 1))
    assert psnr(made, clip[1:-1]) > psnr(cross_fade(clip[0], clip[-1], n), clip[1:-1]) + 3


@pytest.mark.parametrize("n", [1, 2, 5, 8, 15])
def test_minterpolate_gives_exactly_n_frames(n: int) -> None:
    clip = translating(48)
    assert minterpolate(clip[0], clip[-1], n).shape == (n, 48, 48, 3)


def test_neighbours_within_and_outside() -> None:
    assert [neighbours((2, 5), i) for i in range(7)] == [
        (2, 2),
        (2, 2),
        (2, 2),
        (2, 5),
        (2, 5),
        (5, 5),
        (5, 5),
    ]


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 8), min_size=1))
def test_each_gap_is_filled_from_its_own_ends(places: set[int]) -> None:
    clip = (np.arange(9, dtype=np.uint8) * 20)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    frames = Blend().predict([task(clip, *places)])[0]
    for index in range(9):
        left, right = neighbours(places, index)
        expected = clip[index] if left <= index <= right else clip[left]
        np.testing.assert_array_equal(frames[index], expected)
    nearest = Repeat().predict([task(clip, *places)])[0]
    distance = np.abs(nearest[:, 0, 0, 0].astype(int) // 20 - np.arange(9))
    np.testing.assert_array_equal(distance, [min(abs(i - p) for p in places) for i in range(9)])


def test_repeat_takes_the_later_frame_half_way() -> None:
    clip = translating(48)
    frames = Repeat().predict([task(clip, 0, 8)])[0]
    np.testing.assert_array_equal(frames[3], clip[0])
    np.testing.assert_array_equal(frames[4], clip[8])


def test_minterpolate_refuses_what_it_would_only_cross_fade() -> None:
    clip = translating(47)
    with pytest.raises(UserError, match=r"at least 48x48 pixels.*'clip' has 47x47"):
        Minterpolate().predict([task(clip, 0, 8)])


@pytest.mark.parametrize("height,width", [(1, 1), (5, 9), (16, 33), (31, 64)])
def test_flow_takes_any_size(height: int, width: int) -> None:
    clip = translating(64)[:, :height, :width]
    assert Flow().predict([task(clip, 0, 8)])[0].shape == clip.shape


def test_visibility_marks_what_leaves_the_image() -> None:
    flow = np.zeros((20, 20, 2), np.float32)
    flow[..., 0] = 5  # to the right
    seen = visibility(flow, -flow)
    np.testing.assert_array_equal(seen[:, :15], 1)
    np.testing.assert_array_equal(seen[:, 15:], 0)


def test_motion_is_carried_to_its_time() -> None:
    """One moving pixel on still ground: at half time its motion is found half way, in front of the ground."""
    forward, backward = np.zeros((2, 11, 11, 2), np.float32)
    forward[5, 2] = 6, 0
    backward[5, 8] = -6, 0
    ones = np.ones((11, 11), np.float32)
    motion = motion_at(0.5, forward, backward, ones, ones)
    assert motion[5, 5].tolist() == [6, 0]
    motion[5, 5] = 0
    assert not motion.any()


def test_holes_are_filled_with_their_surroundings() -> None:
    motion = np.full((40, 40, 2), 3.0, np.float32)
    hit = np.ones((40, 40), np.float32)
    hit[10:30, 10:30] = motion[10:30, 10:30] = 0
    np.testing.assert_allclose(fill_holes(motion, hit), 3.0, rtol=1e-5)
    nothing = np.zeros((40, 40), np.float32)
    assert not fill_holes(np.zeros((40, 40, 2), np.float32), nothing).any()


def test_seeds_depend_on_run_and_clip_only() -> None:
    seeds = {clip_seed(run, clip) for run in range(20) for clip in ("a", "b", "dog/00009")}
    assert len(seeds) == 60
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert clip_seed(0, "dog/00009") == 6044961292857385953


def test_given_frames_are_put_back_and_wrong_output_is_refused() -> None:
    clip = translating(48)
    asked = task(clip, 0, 8)
    made = keep_given("any", asked, np.zeros_like(clip))
    np.testing.assert_array_equal(made[[0, 8]], clip[[0, 8]])
    assert not made[1:8].any()
    for wrong in (clip[:8], clip[:, :40], clip.astype(np.float32)):
        with pytest.raises(UserError, match="system 'any' gave"):
            keep_given("any", asked, wrong)


def test_fill_gaps_asks_for_what_is_missing_only() -> None:
    clip, calls = translating(48), []

    def between(first: np.ndarray, last: np.ndarray, n: int) -> np.ndarray:
        calls.append(n)
        return np.repeat(first[None], n, axis=0)

    fill_gaps(task(clip, 1, 2, 4, 8), between)
    assert calls == [1, 3]


FOLDER = protocol_for("interpolation", "folder")


def dataset(*methods: str) -> Dataset:
    clip = translating(48)
    outputs = {method: lambda: clip[1:8] for method in methods}
    return Dataset("folder", [Clip("a", "a", lambda: clip, outputs)], "fingerprint")


def test_names_are_checked_against_the_systems_and_the_datasets_methods() -> None:
    data = dataset("amt")
    own = ["repeat", "blend", "flow", "minterpolate", "mardini"]
    assert default_systems(data, FOLDER) == ["amt", *own]
    assert set(SYSTEMS) - set(own) == set(RIVALS)
    assert default_systems(data, protocol_for("i2v", "folder")) == ["repeat", "mardini"]
    assert default_systems(data, protocol_for("interpolation", "folder", given=(0, 4, 8))) == own
    assert [s.name for s in build_systems(["amt", "flow"], data, FOLDER)] == ["amt", "flow"]
    with pytest.raises(UserError, match=r"unknown system 'flwo': did you mean 'flow'\?.*amt"):
        build_systems(["flwo"], data, FOLDER)
    with pytest.raises(UserError, match="unknown system 'amt'"):
        build_systems(["amt"], dataset(), FOLDER)
    with pytest.raises(UserError, match="'flow' is asked for twice"):
        build_systems(["flow", "flow"], data, FOLDER)
    with pytest.raises(UserError, match="no system to score"):
        build_systems([], data, FOLDER)
