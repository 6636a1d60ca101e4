"""The two networks: sizes of the paper, Identity Attention, planning signal, losses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from mardini.blocks import IdentityAttention
from mardini.config import PRESETS, MarDiniConfig, preset
from mardini.errors import UserError
from mardini.masks import MaskedFrames, mask_from_given
from mardini.model import MarDini, masked_mse, random_steps
from mardini.planner import ReconstructionHead
from mardini.positions import append_next, drop_next, rope, rotate, sequence_index

TABLE_1 = {
    "S/ST": (1.3e9, 288e6, 9),
    "L/ST": (3.1e9, 288e6, 9),
    "S/T": (1.3e9, 288e6, 17),
    "L/T": (3.1e9, 288e6, 17),
}


def perturbed(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The model with all parameters random: its zero gates would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model.eval()


@pytest.fixture(scope="module")
def tiny() -> MarDini:
    torch.manual_seed(0)
    return perturbed(MarDini(preset("tiny")))  # pyright: ignore[reportReturnType]


@pytest.mark.parametrize("name", TABLE_1)
def test_parameter_counts_match_table_1(name: str) -> None:
    config = preset(name)
    with torch.device("meta"):
        model = MarDini(config)
    planner, generator, frames = TABLE_1[name]
    assert sum(p.numel() for p in model.planner.parameters()) == pytest.approx(planner, rel=0.05)
    assert sum(p.numel() for p in model.generator.parameters()) == pytest.approx(generator, rel=0.05)
    assert config.frames == frames


@pytest.mark.parametrize("name", PRESETS)
def test_configuration_survives_json(name: str) -> None:
    assert MarDiniConfig.from_dict(preset(name).to_dict()) == preset(name)


def test_configuration_refuses_unknown_fields() -> None:
    with pytest.raises(UserError, match="not a MarDini configuration"):
        MarDiniConfig.from_dict({**preset("tiny").to_dict(), "surplus": 1})
    for steps in (0, "x"):
        with pytest.raises(UserError, match="at least 1"):
            MarDiniConfig.from_dict({**preset("tiny").to_dict(), "steps": steps})
    with pytest.raises(UserError, match="did you mean 'nano'"):
        preset("nanno")


masks = st.lists(st.booleans(), min_size=4, max_size=4).filter(any)


@settings(max_examples=25, deadline=None)
@given(st.lists(masks, min_size=1, max_size=3), st.sampled_from(["spatio-temporal", "temporal"]))
def test_identity_attention_equals_dense_masked_attention(rows: list[list[bool]], kind: str) -> None:
    torch.manual_seed(0)
    layer = IdentityAttention(16, 2, kind).double()  # pyright: ignore[reportArgumentType]
    mask = torch.tensor(rows)
    batch, frames, tokens = len(rows), 4, 6
    x = torch.randn(batch, frames, tokens, 16, dtype=torch.float64)
    angles = rope(sequence_index(2, 2), torch.arange(frames), 8)
    out, _ = layer(x, angles, MaskedFrames.pack(mask))

    q, (k, v) = layer.queries(x, angles), layer.keys_values(x, angles)
    frame = torch.arange(frames).repeat_interleave(tokens)
    place = torch.arange(tokens).repeat(frames)
    allowed = mask[:, frame][:, :, None] & torch.ones(len(frame), dtype=torch.bool)
    if kind == "temporal":
        allowed = allowed & (place[:, None] == place[None])
    allowed = allowed | torch.eye(len(frame), dtype=torch.bool)
    flat = (part.flatten(1, 2).transpose(1, 2) for part in (q, k, v))
    dense = torch.nn.functional.scaled_dot_product_attention(*flat, attn_mask=allowed[:, None])
    expected = layer.merge(dense.transpose(1, 2).unflatten(1, (frames, tokens)))
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)


def test_attention_of_bfloat16_learns_on_a_cpu_as_in_float32() -> None:
    """Spelled out there, by another path than without gradients; both agree with float32 to bfloat16's rounding."""
    torch.manual_seed(0)
    layer = IdentityAttention(16, 2, "spatio-temporal")
    angles = rope(sequence_index(2, 2), torch.arange(4), 8)
    x, packed = torch.randn(2, 4, 6, 16), MaskedFrames.pack(torch.tensor([[True, False, True, True]] * 2))
    results = []
    for lower in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=lower):
            out = layer(x, angles, packed)[0]
            with torch.no_grad():
                fast = layer(x, angles, packed)[0]
        torch.testing.assert_close(out.float(), fast.float(), atol=0.02, rtol=0.02)
        out.float().square().sum().backward()
        assert layer.query.weight.grad is not None
        results.append((out.float(), layer.query.weight.grad.float()))
    for exact, lower in zip(*results, strict=True):
        assert (exact - lower).norm() < 0.03 * exact.norm()


class LargestTensor(TorchDispatchMode):
    """Remembers the number of elements of the largest tensor that any operation makes."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, torch.Tensor):
                self.largest = max(self.largest, tensor.numel())
        return out


def test_memory_grows_as_the_tokens_not_as_their_square() -> None:
    """Forward and backward: no attention matrix and no N x N mask is ever made."""
    layer = IdentityAttention(16, 2, "spatio-temporal")
    mask = torch.tensor([[True, False, True, True]])
    sizes = []
    for side in (8, 16):
        angles = rope(sequence_index(side, side), torch.arange(4), 8)
        x = torch.randn(1, 4, side * (side + 1), 16, requires_grad=True)
        with LargestTensor() as seen:
            layer(x, angles, MaskedFrames.pack(mask))[0].sum().backward()
        sizes.append(seen.largest / x.shape[2])
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01)


def test_identity_can_be_switched_off_for_the_ablation() -> None:
    """Without it references see noise, and sampling with the cache is refused rather than wrong."""
    config = preset("tiny")
    config = replace(config, generator=replace(config.generator, identity=False))
    model = MarDini(config)
    perturbed(model)
    mask = mask_from_given(5, (0, 4))[None]
    z = torch.randn(1, 5, 16, 4, 4, requires_grad=True)
    plan = model.generator.unconditional_plan((1, 5, 2, 2, 64))
    out = model.generator(z, torch.tensor([500]), plan, MaskedFrames.pack(mask), torch.arange(5.0))
    (gradient,) = torch.autograd.grad(out[0, 0].sum(), z)
    assert gradient[0, 2].abs().max() > 0
    with pytest.raises(ValueError, match="without the cache"):
        model.generator.prepare(z[:, [0, 4]].detach(), plan, mask[0], torch.arange(5.0))


def test_noise_never_reaches_references(tiny: MarDini) -> None:
    """Changing masked frames changes nothing in a reference frame's hidden state, in every layer of both networks."""
    mask = torch.tensor([[True, False, True, False, True]])
    masked = MaskedFrames.pack(mask)
    time = torch.arange(5.0)
    seen: list[list[torch.Tensor]] = [[], []]
    z_low = torch.randn(1, 5, 16, 2, 2)
    for run in range(2):
        z_low = torch.where(mask[:, :, None, None, None], torch.randn_like(z_low), z_low)
        hooks = [
            block.register_forward_hook(
                lambda _m, _i, out, run=run: seen[run].append(
                    (out[0] if isinstance(out, tuple) else out)[:, ~mask[0]]
                )
            )
            for block in [*tiny.planner.blocks, *tiny.generator.blocks]
        ]
        plan = tiny.plan(z_low, masked, time)
        z = torch.randn(1, 5, 16, 4, 4, generator=torch.Generator().manual_seed(1))
        z[:, mask[0]] = torch.randn(1, 3, 16, 4, 4)
        tiny.generator(z, torch.tensor([500]), plan, masked, time)
        for hook in hooks:
            hook.remove()
    assert len(seen[0]) == 4
    for first, second in zip(*seen, strict=True):
        torch.testing.assert_close(first, second, atol=0, rtol=0)


def test_masked_frames_see_every_frame(tiny: MarDini) -> None:
    mask = mask_from_given(5, (0, 4))[None]
    z = torch.randn(1, 5, 16, 4, 4, requires_grad=True)
    plan = tiny.generator.unconditional_plan((1, 5, 2, 2, 64))
    out = tiny.generator(z, torch.tensor([500]), plan, MaskedFrames.pack(mask), torch.arange(5.0))
    (gradient,) = torch.autograd.grad(out[0, 2].sum(), z)
    assert (gradient[0].abs().amax(dim=(1, 2, 3)) > 0).all()


def test_reference_frames_are_conditioned_on_step_zero(tiny: MarDini) -> None:
    """With the step embedding the only thing that differs, references' outputs are equal at any step."""
    mask = mask_from_given(5, (0, 4))[None]
    z, time = torch.randn(1, 5, 16, 4, 4), torch.arange(5.0)
    plan = tiny.generator.unconditional_plan((1, 5, 2, 2, 64))
    low, high = (tiny.generator(z, torch.tensor([t]), plan, MaskedFrames.pack(mask), time) for t in (1, 900))
    torch.testing.assert_close(low[:, [0, 4]], high[:, [0, 4]], atol=0, rtol=0)
    assert (low[:, 2] - high[:, 2]).abs().max() > 1e-3


def test_a_sample_does_not_depend_on_its_neighbours_mask(tiny: MarDini) -> None:
    mask = torch.tensor([[False, True, True, True, False], [False, True, False, False, False]])
    z, time = torch.randn(2, 5, 16, 4, 4), torch.arange(5.0)
    plan = tiny.plan(torch.randn(2, 5, 16, 2, 2), MaskedFrames.pack(mask), time)
    both = tiny.generator(z, torch.tensor([300, 700]), plan, MaskedFrames.pack(mask), time)
    alone = tiny.generator(z[1:], torch.tensor([700]), plan[1:], MaskedFrames.pack(mask[1:]), time)
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5))
def test_next_tokens_come_and_go(height: int, width: int) -> None:
    grid, token = torch.randn(2, 3, height, width, 4), torch.randn(4)
    tokens = append_next(grid, token)
    assert tokens.shape == (2, 3, height * (width + 1), 4)
    torch.testing.assert_close(tokens[:, :, width], token.expand(2, 3, 4))
    torch.testing.assert_close(drop_next(tokens, width), grid)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(-20, 20), st.integers(-5, 5))
def test_rotary_scores_depend_on_differences_only(i: int, j: int, shift: int, later: int) -> None:
    q, k = torch.randn(1, 1, 1, 1, 8, dtype=torch.float64), torch.randn(1, 1, 1, 1, 8, dtype=torch.float64)

    def score(a: int, b: int, t: int, u: int) -> torch.Tensor:
        at = [rope(torch.tensor([float(p)]), torch.tensor([float(s)]), 8) for p, s in ((a, t), (b, u))]
        return (rotate(q, at[0]) * rotate(k, at[1])).sum()

    torch.testing.assert_close(
        score(i, j, 0, 3), score(i + shift, j + shift, later, later + 3), atol=1e-4, rtol=0
    )


def test_losses_count_masked_frames_only(tiny: MarDini) -> None:
    mask = torch.tensor([[False, True, False, False, False]])
    target = torch.zeros(1, 5, 3, 2, 2)
    prediction = torch.ones_like(target) * torch.tensor([9.0, 2.0, 9.0, 9.0, 9.0])[:, None, None, None]
    assert masked_mse(prediction, target, mask).item() == pytest.approx(4.0)


def test_all_three_losses_reach_their_network(tiny: MarDini) -> None:
    generator = torch.Generator().manual_seed(0)
    z_low, z_high = torch.randn(3, 5, 16, 2, 2), torch.randn(3, 5, 16, 4, 4)
    mask = mask_from_given(5, (0, 4)).expand(3, -1)
    step, noise = random_steps(3, generator), torch.randn_like(z_high)
    head = ReconstructionHead(tiny.config.planner, 16)
    joint = tiny.joint_loss(z_low, z_high, mask, step, noise, torch.tensor([False, True, False]))
    expectations = [
        (tiny.planner_loss(z_low, mask, head), [*tiny.planner.parameters(), *head.parameters()]),
        (tiny.generator_loss(z_high, mask, step, noise, (2, 2)), list(tiny.generator.parameters())),
        (joint, [*tiny.planner.parameters(), *tiny.generator.parameters()]),
    ]
    for loss, parameters in expectations:
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        assert all(g is not None and g.isfinite().all() for g in gradients)


def test_random_steps_are_stratified() -> None:
    steps = random_steps(10, torch.Generator().manual_seed(3)).sort().values
    assert ((steps // 100) == torch.arange(10)).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(0.2, 20), st.integers(0, 100))
def test_shifted_steps_are_the_uniform_ones_moved(shift: float, seed: int) -> None:
    plain, moved = (
        random_steps(4000, torch.Generator().manual_seed(seed), value).double() for value in (1.0, shift)
    )
    assert moved.min() >= 0 and moved.max() <= 999
    assert ((moved >= plain) if shift >= 1 else (moved <= plain)).all()
    half = 1000 * shift / (1 + shift)
    assert moved.median().item() == pytest.approx(half, abs=2)
