"""Frames in, frames out: with random weights for what must always hold, and with the checkpoint that ships."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pipelines import clips, random_pipeline

from mardini import windows
from mardini.config import preset
from mardini.detail import carry_detail
from mardini.errors import UserError
from mardini.model import MarDini
from mardini.pipeline import MarDiniPipeline
from mardini.sharpness import match_sharpness
from mardini.synthetic import make_clip
from mardini.vae import FACTOR, LatentCodec
from mardini.video import resize, to_float, to_uint8
from mardini.windows import FALLING


@pytest.fixture(scope="module")
def tiny() -> MarDiniPipeline:
    return random_pipeline()


@pytest.fixture(scope="module")
def shipped() -> MarDiniPipeline:
    return MarDiniPipeline.from_pretrained(device="cpu")


def count_windows(pipeline: MarDiniPipeline) -> tuple[list[int], Callable[[], None]]:
    """How many frames each window had, from now on (the planner runs once a window), and how to stop."""
    seen: list[int] = []
    hook = pipeline.model.planner.register_forward_pre_hook(
        lambda _, args: seen.extend([args[0].shape[1]] * len(args[0]))
    )
    return seen, hook.remove


# The tasks


@pytest.mark.parametrize("where", [(0,), (4,), (2,), (0, 1, 2, 3), (1, 3)])
def test_any_frames_may_be_given(tiny: MarDiniPipeline, where: tuple[int, ...]) -> None:
    (clip,) = clips(1)
    made = tiny.fill(clip, where, steps=1)
    kept = np.isin(np.arange(5), where)
    assert (made[kept] == clip[kept]).all()
    assert (made[~kept] != clip[~kept]).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(tiny.fill(clip, mask=~kept, steps=1), made)
    np.testing.assert_array_equal(tiny.fill(clip, mask=torch.from_numpy(~kept), steps=1), made)
    np.testing.assert_array_equal(tiny.fill(clip, (~kept).tolist(), steps=1), made)


def test_frames_that_are_not_given_are_never_read(tiny: MarDiniPipeline) -> None:
    (clip,) = clips(1)
    blank = clip.copy()
    blank[[1, 2, 4]] = 0
    np.testing.assert_array_equal(tiny.fill(clip, (0, 3), steps=2), tiny.fill(blank, (0, 3), steps=2))


def test_interpolation_is_a_fill_between_two(tiny: MarDiniPipeline) -> None:
    (clip,) = clips(1)
    made = tiny.interpolate(clip[0], clip[-1], 3, seed=4, steps=2)
    np.testing.assert_array_equal(made, tiny.fill(clip, (0, 4), seed=4, steps=2))


def test_detail_of_given_frames_is_carried_over_unless_told(tiny: MarDiniPipeline) -> None:
    """At any resolution; what is generated before it is the same."""
    (clip,) = clips(1)
    mask = np.array([False, True, True, False, True])
    made = tiny.fill(clip, mask=mask, steps=2)
    plain = tiny.fill(clip, mask=mask, steps=2, detail=0)
    work = windows.working_size((clip.shape[1], clip.shape[2]), preset("tiny").resolution)
    given = windows.padded(resize(clip[~mask], work), FACTOR * preset("tiny").low_ratio)
    with torch.no_grad():
        latents = tiny.codec.encode(to_float(given))
        coded = resize(to_uint8(tiny.codec.decode(latents))[:, : work[0], : work[1]], clip.shape[1:3])
    np.testing.assert_array_equal(made[mask], carry_detail(plain[mask], clip[~mask], coded, mask))
    assert (made[mask] != plain[mask]).any() and (made[~mask] == clip[~mask]).all()


def test_frames_are_made_as_sharp_as_given_ones_where_asked(tiny: MarDiniPipeline) -> None:
    (clip,) = clips(1)
    mask = np.array([False, True, True, False, True])
    made, plain = (tiny.fill(clip, mask=mask, steps=2, sharpness=share) for share in (0.5, 0))
    np.testing.assert_array_equal(plain, tiny.fill(clip, mask=mask, steps=2))
    np.testing.assert_array_equal(made[mask], match_sharpness(plain[mask], clip[~mask], mask, 0.5))
    assert (made[mask] != plain[mask]).any() and (made[~mask] == clip[~mask]).all()


def test_images_to_video_and_expansion_are_guided_unless_told(tiny: MarDiniPipeline) -> None:
    (clip,) = clips(1)
    moved = tiny.animate(clip[0], steps=2)
    assert moved.shape == (preset("tiny").frames, *clip.shape[1:])
    np.testing.assert_array_equal(moved, tiny.fill(clip, (0,), steps=2, guidance=2.5, skip_guidance=(3, 0.5)))
    papers = tiny.animate(clip[0], 4, steps=2, skip_guidance=0)
    np.testing.assert_array_equal(papers, tiny.fill(clip, (0,), steps=2, guidance=2.5, skip_guidance=0))
    free = tiny.animate(clip[0], 4, steps=2, guidance=None, skip_guidance=FALLING)
    np.testing.assert_array_equal(free, tiny.fill(clip, (0,), steps=2))
    assert (free != moved).any() and (papers != moved).any()
    longer = tiny.expand(clip[:2], 3, steps=2)
    np.testing.assert_array_equal(longer, tiny.fill(clip, (0, 1), steps=2, **windows.OPEN_FUTURE))


@pytest.mark.parametrize(("factor", "lengths"), [(4, [5, 5]), (2, [5]), (8, [5, 5, 5, 5, 5, 5])])
def test_slow_motion_keeps_its_frames_and_fits_its_windows(
    tiny: MarDiniPipeline, factor: int, lengths: list[int]
) -> None:
    (clip,) = clips(1, frames=3)
    seen, stop = count_windows(tiny)
    made = tiny.slow_motion(clip, factor, steps=1)
    stop()
    assert made.shape == (2 * factor + 1, *clip.shape[1:])
    np.testing.assert_array_equal(made[::factor], clip)
    assert seen == lengths
    assert all((a != b).any() for a, b in itertools.pairwise(made))


def test_four_images_become_more_than_a_hundred_frames(tiny: MarDiniPipeline) -> None:
    """As in the paper's Figure 11: with windows of 33 frames, a factor of 32 is one level."""
    (clip,) = clips(1, frames=4, size=(16, 16))
    seen, stop = count_windows(tiny)
    made = tiny.slow_motion(clip, 32, window=33, steps=1, resolution=16)
    stop()
    assert made.shape[0] == 97 and seen == [33, 33, 33]
    assert tiny.slow_motion(clip, 42, window=15, steps=1, resolution=16).shape[0] == 127


def test_a_longer_rollout_begins_with_the_shorter(tiny: MarDiniPipeline) -> None:
    (clip,) = clips(1, frames=3)
    seen, stop = count_windows(tiny)
    long = tiny.rollout(clip, 9, steps=1)
    stop()
    assert long.shape == (12, *clip.shape[1:]) and seen == [5, 5, 5]
    np.testing.assert_array_equal(long[:3], clip)
    np.testing.assert_array_equal(long[:8], tiny.rollout(clip, 5, steps=1))
    from_one = tiny.rollout(clip[:1], 6, window=4, references=1, steps=1)
    assert from_one.shape == (7, *clip.shape[1:])


def test_each_rollout_window_continues_the_last_frames(tiny: MarDiniPipeline) -> None:
    """The second window is a fill of the last references, with its own seed."""
    (clip,) = clips(1, frames=2, size=(32, 32))
    made = tiny.rollout(clip, 6, references=2, steps=2, seed=7)
    window = np.concatenate([made[3:5], np.zeros_like(made[:3])])
    again = tiny.fill(window, (0, 1), steps=2, **windows.OPEN_FUTURE, seed=windows.derived_seed(7, 1))
    np.testing.assert_array_equal(made[5:], again[2:])


# Batches and seeds

CALLS: dict[str, Callable[..., Any]] = {
    "fill": lambda p, x, **o: p.fill(x, (0, 3), **o),
    "interpolate": lambda p, x, **o: (
        p.interpolate(x[:, 0], x[:, 1], 3, **o) if x.ndim == 5 else p.interpolate(x[0], x[1], 3, **o)
    ),
    "animate": lambda p, x, **o: p.animate(x[:, 0] if x.ndim == 5 else x[0], **o),
    "expand": lambda p, x, **o: p.expand(x, 2, **o),
    "slow_motion": lambda p, x, **o: p.slow_motion(x[..., :3, :, :, :], 3, **o),
    "rollout": lambda p, x, **o: p.rollout(x[..., :3, :, :, :], 4, **o),
}


@pytest.mark.parametrize("task", CALLS)
@pytest.mark.parametrize("scheduler", ["ddim", "EulerAncestralDiscreteScheduler"])
def test_a_sample_does_not_depend_on_its_batch(tiny: MarDiniPipeline, task: str, scheduler: str) -> None:
    """On a CPU to the last bit, also for schedulers that add noise at every step."""
    if scheduler != "ddim":
        pytest.importorskip("diffusers")
    batch, seeds = clips(3), [5, 0, 9]
    together = CALLS[task](tiny, batch, seed=seeds, steps=2, scheduler=scheduler)
    assert len(together) == 3
    for sample, seed, got in zip(batch, seeds, together, strict=True):
        np.testing.assert_array_equal(CALLS[task](tiny, sample, seed=seed, steps=2, scheduler=scheduler), got)


@pytest.mark.parametrize(
    ("scheduler", "tolerance"), [("ddim", 1e-5), ("EulerAncestralDiscreteScheduler", 1e-4)]
)
def test_batched_windows_agree_with_single_ones_before_rounding(
    monkeypatch: pytest.MonkeyPatch, scheduler: str, tolerance: float
) -> None:
    """Run as one batch, as on a GPU: within 1e-5 in float, before pixels are rounded.

    Schedulers of the Euler family start from noise times 4096, and lose another digit to that.
    """
    if scheduler != "ddim":
        pytest.importorskip("diffusers")
    pipeline = random_pipeline()
    frames: list[torch.Tensor] = []
    decode = pipeline._decode
    monkeypatch.setattr(pipeline, "_decode", lambda z: frames.append(decode(z)) or frames[-1])
    for batch_size in (1, 3):
        pipeline.fill(clips(3), (0, 3), seed=2, steps=3, batch_size=batch_size, scheduler=scheduler, detail=0)
    torch.testing.assert_close(
        torch.stack(frames[:3]), torch.stack(frames[3:]), atol=tolerance, rtol=tolerance
    )


def test_lists_may_differ_in_size_and_one_seed_counts_up(tiny: MarDiniPipeline) -> None:
    (small,), (large,) = clips(1), clips(1, size=(40, 33))
    one, two = tiny.fill([small, large], (0,), seed=3, steps=1, batch_size=2)
    np.testing.assert_array_equal(one, tiny.fill(small, (0,), seed=3, steps=1))
    np.testing.assert_array_equal(two, tiny.fill(large, (0,), seed=4, steps=1))
    assert (tiny.fill(small, (0,), seed=3, steps=1) != tiny.fill(small, (0,), seed=4, steps=1)).any()


# Mistakes


def test_mistakes_get_a_sentence(tiny: MarDiniPipeline) -> None:
    (clip,) = clips(1)
    for wrong, match in (
        (lambda: tiny.fill(clip.astype(np.float32), (0,)), "uint8 RGB"),
        (lambda: tiny.fill([clip, clip[:3]], (0,)), "of one length"),
        (lambda: tiny.fill([], (0,)), "empty batch"),
        (lambda: tiny.fill(clip, (9,)), "do not fit"),
        (lambda: tiny.fill(clip, ()), "at least one of"),
        (lambda: tiny.fill(clip, (0.5, 3)), "give their indices"),  # pyright: ignore[reportArgumentType]
        (lambda: tiny.fill(clip), "either 'given'"),
        (lambda: tiny.fill(clip, (0,), mask=[True] * 5), "either 'given'"),
        (lambda: tiny.fill(clip, mask=[True] * 3), "give 5 booleans"),
        (lambda: tiny.fill(clip, mask=np.ones(5, bool)), "at least one of"),
        (lambda: tiny.fill(clip, (0,), steps=0), "choose 1 to 1000"),
        (lambda: tiny.fill(clip, (0,), resolution=4), "at least 8 pixels"),
        (lambda: tiny.fill(clip, (0,), skip_guidance=-1), "give 0 .none. or more"),
        (lambda: tiny.fill(clip, (0,), detail=1.5), "give 0 .none. to 1"),
        (lambda: tiny.fill(clip, (0,), sharpness=-0.1), "give 0 .none. to 1"),
        (lambda: tiny.fill(clip, (0,), batch_size=0), "at least 1"),
        (lambda: tiny.fill(clip, (0,), scheduler="ddimm"), "did you mean 'ddim'"),
        (lambda: tiny.fill(clips(2), (0,), seed=[1, 2, 3]), "3 seeds for 2 samples"),
        (lambda: tiny.interpolate(clip[0], clip[1], 0), "at least 1"),
        (lambda: tiny.interpolate(clip[0], clip[1, :9]), "resize one"),
        (lambda: tiny.animate(clip[0], 0), "at least 1"),
        (lambda: tiny.slow_motion(clip[:1], 2), "at least 2"),
        (lambda: tiny.slow_motion(clip, 1), "at least 2"),
        (lambda: tiny.slow_motion(clip, 7), "does not split"),
        (lambda: tiny.rollout(clip, 3, references=5), "choose 1 to 4"),
        (lambda: tiny.rollout(clip, 0), "at least 1"),
        (lambda: random_pipeline_on("cuda:99"), "cannot be used here"),
        (lambda: MarDiniPipeline.from_pretrained("nowhere"), "checkpoint"),
    ):
        with pytest.raises(UserError, match=match):
            wrong()
    with pytest.raises(TypeError, match="no such option: guide"):
        tiny.fill(clip, (0,), guide=2.0)  # pyright: ignore[reportCallIssue]


def random_pipeline_on(device: str) -> MarDiniPipeline:
    config = preset("tiny")
    return MarDiniPipeline(MarDini(config), LatentCodec(config.codec), device=device)


# The checkpoint that ships


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a.astype(float) - b.astype(float)) ** 2).mean())


def test_in_betweens_are_recognisable(shipped: MarDiniPipeline) -> None:
    """Over a few clips, what is made for a clip is closer to its true middle than to the other clips' middles."""
    made_of = [make_clip(10_000_000 + seed, 9, (64, 64)) for seed in range(4)]
    middles = [shipped.interpolate(clip[0], clip[-1], 7, seed=0, steps=4)[4] for clip in made_of]
    errors = np.array([[error(made, clip[4]) for clip in made_of] for made in middles])
    assert (errors.argmin(axis=1) == np.arange(len(made_of))).all()
    assert np.diag(errors).mean() < 0.35 * errors.mean()


def test_given_frames_return_untouched_and_the_seed_decides(shipped: MarDiniPipeline) -> None:
    clip = make_clip(10_000_002, 9, (64, 64))
    first, again, other = (shipped.interpolate(clip[0], clip[-1], 7, seed=s, steps=2) for s in (1, 1, 2))
    assert (first[[0, 8]] == clip[[0, 8]]).all()
    assert (first == again).all() and (first != other).any()
