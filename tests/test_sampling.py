"""Schedule, velocity algebra, DDIM, masks, and sampling with and without the cache."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mardini.config import preset
from mardini.diffusion import STEPS, add_noise, alpha_sigma, ddim_step, sampling_steps, velocity
from mardini.errors import UserError
from mardini.guidance import Scales
from mardini.masks import MaskedFrames, mask_from_given, sample_masks
from mardini.model import MarDini
from mardini.sampling import sample
from mardini.stages import stage


@pytest.fixture(scope="module")
def tiny() -> MarDini:
    torch.manual_seed(0)
    model = MarDini(preset("tiny"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.eval()


def test_schedule_ends_in_pure_noise_and_preserves_variance() -> None:
    steps = torch.arange(-1, STEPS)
    alpha, sigma = alpha_sigma(steps, torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha))
    assert alpha[0] == 1 and alpha[-1] == 0
    assert (alpha[1:] <= alpha[:-1]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, STEPS - 1), st.integers(-1, STEPS - 1))
def test_ddim_with_the_true_velocity_lands_on_the_true_latent(step: int, previous: int) -> None:
    generator = torch.Generator().manual_seed(step)
    z, noise = (torch.randn(2, 3, dtype=torch.float64, generator=generator) for _ in range(2))
    at = torch.tensor([step, step])
    got = ddim_step(add_noise(z, noise, at), velocity(z, noise, at), step, previous)
    torch.testing.assert_close(
        got, add_noise(z, noise, torch.tensor([previous, previous])), atol=1e-9, rtol=0
    )


def test_sampling_steps_trail_from_pure_noise() -> None:
    assert sampling_steps(1) == [999]
    assert sampling_steps(4) == [999, 749, 499, 249]
    assert sampling_steps(25)[-1] == 39
    assert sampling_steps(1000) == list(range(999, -1, -1))
    with pytest.raises(UserError, match="choose 1 to 1000"):
        sampling_steps(0)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 17), st.floats(0, 1), st.floats(0, 1), st.booleans(), st.integers(0, 99))
def test_sampled_masks_respect_the_preserved_ratio(
    frames: int, a: float, b: float, keep: bool, seed: int
) -> None:
    low, high = min(a, b), max(a, b)
    mask = sample_masks(40, frames, (low, high), torch.Generator().manual_seed(seed), keep)
    kept = (~mask).sum(dim=1)
    assert (mask.sum(dim=1) >= 1).all()
    assert (kept >= (1 if keep else 0)).all()
    assert (kept >= min(int(low * frames - 1e-3), frames - 1)).all()
    assert (kept <= max(int(high * frames + 1e-3), int(keep))).all()


@pytest.mark.parametrize("name, frames", [("joint-task", 9), ("joint-task-17", 17)])
def test_the_joint_task_trains_image_to_video_too(name: str, frames: int) -> None:
    """One given frame of a window must be no rare accident."""
    masks = sample_masks(4000, frames, stage(name).preserved, torch.Generator().manual_seed(0))
    assert 0.1 < float(((~masks).sum(dim=1) == 1).float().mean()) < 0.4


def test_sampled_masks_reach_every_frame() -> None:
    mask = sample_masks(500, 9, (0.35, 1.0), torch.Generator().manual_seed(0))
    share = mask.float().mean(dim=0)
    assert share.min() > 0.2 and share.max() - share.min() < 0.12


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6).filter(any), min_size=1, max_size=4))
def test_packed_masks_find_every_masked_frame(rows: list[list[bool]]) -> None:
    mask = torch.tensor(rows)
    packed = MaskedFrames.pack(mask)
    for sample_mask, index, slot in zip(mask, packed.index, packed.slot, strict=True):
        for frame in sample_mask.nonzero().flatten():
            assert index[slot[frame]] == frame


@pytest.mark.parametrize(
    ("given_frames", "message"),
    [((), "at least one"), ((0, 9), "do not fit"), (range(5), "nothing to generate")],
)
def test_bad_masks_are_refused(given_frames: tuple[int, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        mask_from_given(5, given_frames)


@pytest.mark.parametrize(("guidance", "skip"), [(None, 0), (2.5, 0), (None, 1), (2.5, 0.7)])
@pytest.mark.parametrize("given_frames", [(0, 4), (0,), (2,), (0, 1, 3)])
def test_cached_sampling_equals_uncached(
    tiny: MarDini, given_frames: tuple[int, ...], guidance: float | None, skip: float
) -> None:
    mask = mask_from_given(5, given_frames)
    generator = torch.Generator().manual_seed(0)
    z_given = torch.randn(2, len(given_frames), 16, 4, 4, generator=generator)
    z_low = torch.randn(2, 5, 16, 2, 2, generator=generator)
    noise = torch.randn(2, 5 - len(given_frames), 16, 4, 4, generator=generator)
    fast, slow = (
        sample(tiny, z_given, z_low, mask, noise, 6, guidance, cache=cache, skip_guidance=skip)
        for cache in (True, False)
    )
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)


def test_the_planner_runs_once_per_window(tiny: MarDini) -> None:
    calls = []
    hook = tiny.planner.register_forward_hook(lambda *_: calls.append(1))
    mask = mask_from_given(5, (0, 4))
    sample(
        tiny,
        torch.randn(1, 2, 16, 4, 4),
        torch.randn(1, 5, 16, 2, 2),
        mask,
        torch.randn(1, 3, 16, 4, 4),
        10,
        2.0,
    )
    hook.remove()
    assert len(calls) == 1


def test_skip_guidance_leads_away_from_a_generator_that_looks_at_no_other_frame(tiny: MarDini) -> None:
    """By hand: one step, with the block's attention across frames replaced by the tokens' own values."""
    mask = mask_from_given(5, (0,))
    z_given, z_low, noise = (
        torch.randn(2, frames, 16, side, side) for frames, side in ((1, 4), (5, 2), (4, 4))
    )
    plain, guided = (sample(tiny, z_given, z_low, mask, noise, 1, skip_guidance=s) for s in (0.0, 2.0))
    attention = tiny.generator.get_submodule(f"blocks.{tiny.generator.skipped}.temporal")

    def alone(module: Any, inputs: tuple, _: object) -> tuple:
        keys_values = module.keys_values(*inputs[:2])
        return module.merge(keys_values[1]), keys_values

    hook = attention.register_forward_hook(alone)
    skipped = sample(tiny, z_given, z_low, mask, noise, 1)
    hook.remove()
    # In one step from pure noise the latents are minus the velocity, so guidance acts on them alike.
    torch.testing.assert_close(guided, plain + 2 * (plain - skipped), atol=1e-5, rtol=1e-5)
    assert (plain - skipped).abs().max() > 1e-4


def test_two_scales_of_skip_guidance_go_from_the_first_to_the_second(tiny: MarDini) -> None:
    """At the only step all is noise; of several, the later the nearer to the second."""
    mask = mask_from_given(5, (0,))
    sizes = (1, 4), (5, 2), (4, 4)
    z_given, z_low, noise = (torch.randn(1, frames, 16, side, side) for frames, side in sizes)

    def made(steps: int, scales: Scales) -> torch.Tensor:
        return sample(tiny, z_given, z_low, mask, noise, steps, skip_guidance=scales)

    assert torch.equal(made(1, (2.0, 0.0)), made(1, 2.0))
    assert torch.equal(made(4, (2.0, 2.0)), made(4, 2.0)) and torch.equal(made(4, (0.0, 0.0)), made(4, 0.0))
    falling, rising = made(2, (4.0, 0.0)), made(2, (0.0, 4.0))
    assert min((falling - other).abs().max() for other in (rising, made(2, 4.0), made(2, 2.0))) > 1e-4


def test_blocks_before_the_skipped_one_run_once_a_step() -> None:
    """Those from it on twice, once without its attention across frames; and once more for the references."""
    config = preset("tiny")
    deep = dataclasses.replace(config, generator=dataclasses.replace(config.generator, depth=5))
    torch.manual_seed(1)
    model = MarDini(deep).eval()
    runs = [0] * 5
    for index, block in enumerate(model.generator.blocks):

        def count(*_: Any, index: int = index) -> None:
            runs[index] += 1

        block.register_forward_hook(count)
    assert model.generator.skipped == 2
    mask = mask_from_given(5, (0, 4))
    sizes = (2, 4), (5, 2), (3, 4)
    z_given, z_low, noise = (torch.randn(1, frames, 16, side, side) for frames, side in sizes)
    sample(model, z_given, z_low, mask, noise, 3, skip_guidance=1)
    assert runs == [4, 4, 7, 7, 7]


def test_guidance_of_one_is_no_guidance(tiny: MarDini) -> None:
    mask = mask_from_given(5, (0, 4))
    parts = torch.randn(1, 2, 16, 4, 4), torch.randn(1, 5, 16, 2, 2), mask, torch.randn(1, 3, 16, 4, 4), 4
    torch.testing.assert_close(sample(tiny, *parts, 1.0), sample(tiny, *parts, None), atol=0, rtol=0)
    assert (sample(tiny, *parts, 3.0) - sample(tiny, *parts, None)).abs().max() > 1e-4


def test_guidance_of_zero_leaves_the_plan_out(tiny: MarDini) -> None:
    """Whatever the low-resolution frames, and with skip guidance too."""
    mask = mask_from_given(5, (0, 4))
    z_given, noise = torch.randn(1, 2, 16, 4, 4), torch.randn(1, 3, 16, 4, 4)
    one, other = (
        sample(tiny, z_given, torch.randn(1, 5, 16, 2, 2), mask, noise, 4, 0.0, skip_guidance=1) for _ in "ab"
    )
    torch.testing.assert_close(one, other, atol=0, rtol=0)
