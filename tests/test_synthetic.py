"""Procedural clips: the same everywhere, exact between frames, and worth looking at."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mardini.errors import UserError
from mardini.image import read_image
from mardini.light import Light
from mardini.motion import PROFILES, Motion, Wave
from mardini.strip import strip
from mardini.synthetic import Layer, Scene, main, make_clip, make_scene, render, tags
from mardini.textures import PHOTOGRAPHS, SHAPES, TEXTURES, fractal_noise, mask, photograph, texture
from mardini.video import read_frames

ALL_TAGS = {
    "translation",
    "rotation",
    "zoom",
    "perspective",
    "nonrigid",
    "curved",
    "accelerated",
    "occlusion",
    "lighting",
}


def still(texture: str = "noise", radius: float = 1.0, **motion: object) -> Scene:
    """A scene of one background that moves as told and in no other way."""
    layer = Layer(texture, None, 0.0, radius, 7, Motion(**motion))  # type: ignore[arg-type]
    return Scene((layer,), Light(), frozenset())


@pytest.mark.parametrize("seed", [0, 1, 2, 12345, 2**40])
def test_a_seed_gives_one_clip(seed: int) -> None:
    clip = make_clip(seed, 3)
    assert clip.shape == (3, 64, 64, 3) and clip.dtype == np.uint8
    np.testing.assert_array_equal(clip, make_clip(seed, 3))
    assert not np.array_equal(clip, make_clip(seed + 1, 3))


def test_another_process_and_thread_count_give_the_same_clips() -> None:
    code = (
        "import sys, cv2, hashlib; cv2.setNumThreads(int(sys.argv[1])); from mardini.synthetic import make_clip;"
        "print(hashlib.sha256(b''.join(make_clip(s, 3, (72, 96)).tobytes() for s in range(6))).hexdigest())"
    )
    root = Path(__file__).parents[1]
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code, threads], cwd=root, capture_output=True, text=True, check=True
        ).stdout
        for threads in ("1", "3")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("seed", range(12))
def test_more_frames_show_the_same_time_in_finer_steps(seed: int) -> None:
    np.testing.assert_array_equal(make_clip(seed, 17)[::2], make_clip(seed, 9))


def test_a_frame_does_not_depend_on_the_other_times_asked_for() -> None:
    scene = make_scene(4)
    np.testing.assert_array_equal(render(scene, [0.3]), render(scene, [0.9, 0.3, 0.0])[1:2])


@pytest.mark.parametrize("seed", range(24))
def test_sizes_show_the_same_scene(seed: int) -> None:
    large, small = make_clip(seed, 3, (128, 128)), make_clip(seed, 3, (64, 64))
    shrunk = np.stack([cv2.resize(frame, (64, 64), interpolation=cv2.INTER_AREA) for frame in large])
    difference = np.abs(shrunk.astype(float) - small)
    moved = np.abs(np.roll(shrunk, 2, axis=2).astype(float) - small)
    assert difference.mean() < 6
    assert difference.mean() < 0.6 * moved.mean()  # closer than the same scene two pixels away


@pytest.mark.parametrize("size", [(64, 96), (96, 64), (33, 57)])
def test_an_oblong_frame_is_the_middle_of_the_square_one(size: tuple[int, int]) -> None:
    side = max(size)
    square, oblong = make_clip(8, 2, (side, side)), make_clip(8, 2, size)
    assert oblong.shape == (2, *size, 3)
    top, left = (side - size[0]) // 2, (side - size[1]) // 2
    middle = square[:, top : top + size[0], left : left + size[1]].astype(float)
    assert np.abs(middle - oblong).mean() < (1 if (side - min(size)) % 2 == 0 else 8)


def test_every_kind_of_motion_occurs_and_none_rules() -> None:
    found = [tags(seed) for seed in range(200)]
    counts = {tag: sum(tag in one for one in found) for tag in set().union(*found)}
    assert set(counts) == ALL_TAGS
    assert min(counts.values()) >= 20
    assert counts["lighting"] < 120 and counts["nonrigid"] < 190
    assert tags(3) == make_scene(3).tags


def test_pure_translation_shifts_the_picture() -> None:
    moving = still(path=((0.0, 0.0), (12 / 64, -5 / 64)))
    frames = render(moving, [0, 1]).astype(int)
    np.testing.assert_allclose(frames[1, :-5, 12:], frames[0, 5:, :-12], atol=1)


def test_half_way_of_a_translation_is_half_the_shift() -> None:
    frames = render(still(path=((0.0, 0.0), (16 / 64, 0.0))), [0, 0.5, 1]).astype(int)
    np.testing.assert_allclose(frames[1, :, 8:], frames[0, :, :-8], atol=1)
    np.testing.assert_allclose(frames[2, :, 16:], frames[0, :, :-16], atol=1)


def test_a_half_turn_turns_the_picture() -> None:
    frames = render(still(angles=(0.0, np.pi)), [0, 0.5, 1]).astype(int)
    np.testing.assert_allclose(frames[2], frames[0, ::-1, ::-1], atol=1)
    np.testing.assert_allclose(frames[1], np.rot90(frames[0], -1), atol=1)  # clockwise, as y points down


def test_zoom_enlarges_about_the_centre() -> None:
    frames = render(still("photo", zooms=(0.0, np.log(2))), [0, 1], (128, 128))
    middle = cv2.resize(frames[0, 32:96, 32:96], (128, 128), interpolation=cv2.INTER_LINEAR)
    assert np.abs(middle.astype(float) - frames[1]).mean() < 8
    assert np.abs(frames[0].astype(float) - frames[1]).mean() > 12


@given(
    path=st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=4),
    profile=st.sampled_from(list(PROFILES)),
    ease=st.floats(0, 1),
)
def test_a_path_joins_its_ends_with_increasing_progress(
    path: list[tuple[float, float]], profile: str, ease: float
) -> None:
    motion = Motion(path=tuple(path), profile=profile, ease=ease)
    times = np.linspace(0, 1, 33)
    progress, centres = motion.progress(times), motion.centres(times)
    assert progress[0] == 0 and progress[-1] == pytest.approx(1)
    assert (np.diff(progress) >= 0).all()
    np.testing.assert_allclose(centres[[0, -1]], [path[0], path[-1]], atol=1e-12)
    np.testing.assert_allclose(motion.matrices(times)[:, :2, 2], centres, atol=1e-12)


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_motion_is_smooth_and_never_folds(seed: int) -> None:
    for layer in make_scene(seed).layers:
        motion, times = layer.motion, np.linspace(0, 1, 65)
        steps = np.diff(motion.matrices(times), axis=0)
        assert np.abs(np.diff(steps, axis=0)).max() < 0.01
        assert (np.linalg.det(motion.matrices(times)) > 0).all()
        slope = sum(
            2 * np.pi * np.hypot(*wave.amplitude) * np.hypot(*wave.frequency) for wave in motion.waves
        )
        assert slope < 1


def test_the_displacement_is_bounded_by_its_reach() -> None:
    motion = Motion(
        waves=(Wave((0.02, 0.01), (3.0, 1.0), 0.5, 2.0), Wave((0.0, 0.03), (0.0, 2.0), 0.1, -1.0))
    )
    points = np.random.default_rng(0).uniform(-1, 1, (5, 400, 2))
    shift = motion.displacement(points, np.linspace(0, 1, 5))
    assert np.hypot(shift[..., 0], shift[..., 1]).max() <= motion.reach


def test_waves_bend_the_picture_smoothly() -> None:
    """The map enlarged from a coarse grid agrees with one evaluated at every pixel."""
    waves = (Wave((0.03, 0.0), (0.0, 1.5), 0.3, 2.0),)
    flat = render(still("photo"), [0.5], (64, 64))[0]
    bent = render(still("photo", waves=waves), [0.5], (64, 64))[0]
    axis = (np.arange(64) + 0.5 - 32) / 64
    y = np.repeat(axis[:, None], 64, 1)
    shift = 0.03 * np.sin(2 * np.pi * 1.5 * y + 0.3 + 2.0 * 0.5) * 64
    columns, rows = np.meshgrid(np.arange(64), np.arange(64))
    expected = cv2.remap(
        flat, (columns + shift).astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR
    )
    inner = np.s_[4:-4, 4:-4]
    error = np.abs(expected[inner].astype(float) - bent[inner]).mean()
    assert error < 0.3 * np.abs(flat[inner].astype(float) - bent[inner]).mean()


def test_layers_hide_what_is_behind_them() -> None:
    scene = still("photo")
    front = Layer("gradient", "ellipse", 0.0, 0.3, 11, Motion())
    both = render(dataclasses.replace(scene, layers=(*scene.layers, front)), [0], (64, 64))[0].astype(int)
    other = still("stripes")
    swapped = render(dataclasses.replace(other, layers=(*other.layers, front)), [0], (64, 64))[0].astype(int)
    alone = render(scene, [0], (64, 64))[0].astype(int)
    np.testing.assert_array_equal(both[28:36, 28:36], swapped[28:36, 28:36])
    np.testing.assert_array_equal(both[:8], alone[:8])


def test_light_changes_level_and_colour() -> None:
    dim = Light(gains=((1.0, 1.0, 1.0), (0.5, 1.0, 1.0)))
    frames = render(dataclasses.replace(still("photo"), light=dim), [0, 1]).astype(float)
    np.testing.assert_allclose(frames[1, ..., 0], frames[0, ..., 0] / 2, atol=1)
    np.testing.assert_array_equal(frames[1, ..., 1:], frames[0, ..., 1:])
    shadow = Light(spot=-0.5, width=0.2)
    darkened = render(dataclasses.replace(still("photo"), light=shadow), [0])[0] / np.maximum(frames[0], 1)
    assert darkened[30:34, 30:34].mean() < 0.6 and darkened[:2, :2].mean() > 0.9


def test_clips_are_varied_and_move() -> None:
    clips = np.stack([make_clip(seed, 3, (48, 48)) for seed in range(80)]).astype(float)
    contrast = clips.std(axis=(2, 3)).mean(-1)
    assert contrast.min() > 4  # no blank frame
    assert np.median(contrast) > 30
    colours = clips.mean((1, 2, 3))
    assert (colours.std(0) > 25).all()
    change = np.abs(clips[:, 2] - clips[:, 0]).mean((1, 2, 3))
    assert np.mean(change > 5) > 0.85 and change.max() > 40
    blend = np.abs(clips[:, 1] - (clips[:, 0] + clips[:, 2]) / 2).mean((1, 2, 3))
    assert np.median(blend) > 8  # averaging the ends is not good enough
    assert (clips.min(axis=-1) < 1).mean() < 0.2  # no black borders


@pytest.mark.parametrize("kind", TEXTURES)
def test_textures_fill_the_range_at_any_size(kind: str) -> None:
    for seed in range(6):
        large, small = (texture(kind, np.random.default_rng(seed), n) for n in (192, 64))
        assert large.shape == (192, 192, 3) and large.dtype == np.float32
        assert large.min() >= 0 and large.max() <= 1 and large.std() > 0.01
        shrunk = cv2.resize(large, (64, 64), interpolation=cv2.INTER_AREA)
        assert np.abs(shrunk - small).mean() < 0.4 * large.std()


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes_have_soft_edges_and_a_clear_border(kind: str) -> None:
    for seed in range(6):
        alpha = mask(kind, np.random.default_rng(seed), 96)
        assert alpha.min() == 0 and alpha.max() == 1
        assert 0.08 < alpha.mean() < 0.9
        assert not alpha[[0, -1]].any() and not alpha[:, [0, -1]].any()
        assert ((alpha > 0) & (alpha < 1)).mean() > 0.01
        assert mask(kind, np.random.default_rng(seed), 96, softness=0.2).mean() > 0.05


@pytest.mark.parametrize("index", range(len(PHOTOGRAPHS)))
def test_photographs_are_there_and_cannot_be_written_to(index: int) -> None:
    image = photograph(index)
    assert image.dtype == np.uint8 and min(image.shape[:2]) >= 280
    assert image.shape[0] % 8 == image.shape[1] % 8 == 0
    assert photograph(index, 2).shape[0] == image.shape[0] // 4
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0] = 0


def test_noise_does_not_shift_later_draws() -> None:
    one, other = np.random.default_rng(0), np.random.default_rng(0)
    fractal_noise(one, 16, 1.0)
    fractal_noise(other, 256, 1.0)
    assert one.uniform() == other.uniform()


@pytest.mark.parametrize(
    "call",
    [
        lambda: make_clip(-1),
        lambda: make_clip(0, 0),
        lambda: make_clip(0, 9, (4, 64)),
        lambda: render(make_scene(0), [1.5]),
        lambda: render(make_scene(0), [float("nan")]),
    ],
)
def test_impossible_clips_are_refused(call) -> None:
    with pytest.raises(UserError, match="choose"):
        call()


def test_the_command_writes_a_strip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "strip.png"
    assert main(["--out", str(out), "--seed", "3", "--clips", "2", "--frames", "3", "--size", "32"]) == 0
    np.testing.assert_array_equal(
        read_image(out), strip([make_clip(3, 3, (32, 32)), make_clip(4, 3, (32, 32))])
    )
    assert "seed 4: " in capsys.readouterr().out
    assert main(["--out", str(tmp_path / "one"), "--seed", "3", "--clips", "1", "--size", "32"]) == 0
    np.testing.assert_array_equal(read_frames(tmp_path / "one"), make_clip(3, 9, (32, 32)))
    assert main(["--out", str(tmp_path / "two"), "--seed", "3", "--clips", "2", "--size", "32"]) == 0
    np.testing.assert_array_equal(read_frames(tmp_path / "two" / "4"), make_clip(4, 9, (32, 32)))
    assert main(["--out", str(out), "--clips", "0"]) == 2
    assert "choose" in capsys.readouterr().err
