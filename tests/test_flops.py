"""Analytic operation counts against torch's own counter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mardini import flops
from mardini.config import MarDiniConfig, preset
from mardini.masks import MaskedFrames
from mardini.model import MarDini
from mardini.sampling import sample
from mardini.stages import STAGES
from mardini.vae import LatentCodec


def counted(run) -> float:
    # Attention as plain products: not every release of torch counts the fused kernel of every device.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def packed(frames: int, masked: int, device: str) -> MaskedFrames:
    """``masked`` frames of a window of one clip, made where the device cannot be asked for values."""
    mask = torch.arange(frames)[None] >= frames - masked
    made = MaskedFrames.pack(mask)
    return MaskedFrames(*(part.to(device) for part in (made.mask, made.index, made.slot)))


def joint(config: MarDiniConfig, masked: int, device: str, side: int, backward: bool):
    """A joint forward, or training, pass over one window, and its analytic cost."""
    with torch.device(device):
        model = MarDini(config)
        low = side // config.low_ratio
        frames = config.frames
        z_low, z = torch.zeros(1, frames, 16, low, low), torch.zeros(1, frames, 16, side, side)
        time, step = torch.arange(frames, dtype=torch.float32), torch.ones(1)
    mask = packed(frames, masked, device)

    def run() -> None:
        with torch.set_grad_enabled(backward):
            out = model.generator(z, step, model.plan(z_low, mask, time), mask, time)
        if backward:
            out.sum().backward()

    cost = flops.planner(config, frames, masked, (low, low))
    return run, cost + flops.generator(config, frames, masked, (side, side), (low, low))


@pytest.mark.parametrize("attention", ["S/ST", "S/T"])
@pytest.mark.parametrize("masked", [1, 3])
@pytest.mark.parametrize("backward", [False, True])
def test_tiny_costs_what_the_counter_counts(attention: str, masked: int, backward: bool) -> None:
    config = preset("tiny")
    kind = preset(attention).generator.attention
    config = replace(config, generator=replace(config.generator, attention=kind))
    run, cost = joint(config, masked, "cpu", 4, backward)
    # Plain products keep the scores that a fused kernel computes again in the backward pass.
    expected = cost.training - 0.5 * cost.attention if backward else cost.forward
    assert counted(run) == pytest.approx(expected, rel=0.02)


def test_identity_attention_saves_what_is_said() -> None:
    config = preset("tiny")
    off = replace(config, generator=replace(config.generator, identity=False))
    sizes = (config.frames, 1, (4, 4), (2, 2))
    saved = flops.generator(off, *sizes).attention - flops.generator(config, *sizes).attention
    n, frames, d, depth = 20, config.frames, config.generator.hidden, config.generator.depth
    assert saved == 4 * d * (frames - 1) * n * frames * n * depth


@pytest.mark.parametrize("attention", ["S/ST", "S/T"])
@pytest.mark.parametrize("guidance", [None, 2.5])
@pytest.mark.parametrize("identity", [True, False])
def test_sampling_costs_what_the_counter_counts(
    attention: str, guidance: float | None, identity: bool
) -> None:
    config, kind = preset("tiny"), preset(attention).generator.attention
    config = replace(config, generator=replace(config.generator, attention=kind, identity=identity))
    model, frames, given = MarDini(config).requires_grad_(False), config.frames, 2
    mask = torch.arange(frames) >= given
    z_given, z_low = torch.zeros(1, given, 16, 4, 4), torch.zeros(1, frames, 16, 2, 2)
    noise = torch.zeros(1, frames - given, 16, 4, 4)
    expected = flops.sampling(config, frames, given, (4, 4), (2, 2), 3, guidance is not None)
    got = counted(lambda: sample(model, z_given, z_low, mask, noise, 3, guidance))
    assert got == pytest.approx(expected.forward, rel=0.02)


@pytest.mark.parametrize("name", ["tiny", "nano", "mini"])
def test_the_codec_costs_what_the_counter_counts(name: str) -> None:
    config = preset(name).codec
    codec, frame = LatentCodec(config), torch.zeros(1, 3, 32, 48)
    assert counted(lambda: codec.encode(frame)) == pytest.approx(
        flops.encoder(config, (32, 48)).forward, rel=0.02
    )
    latents = torch.zeros(1, 16, 4, 6)
    assert counted(lambda: codec.decode(latents)) == pytest.approx(
        flops.decoder(config, (32, 48)).forward, rel=0.02
    )


def test_the_largest_model_on_the_meta_device() -> None:
    """MarDini-L/T at 512 px: one forward, and one training pass, shapes only."""
    run, cost = joint(preset("L/T"), 12, "meta", 64, backward=False)
    assert counted(run) == pytest.approx(cost.forward, rel=0.02)
    run, cost = joint(preset("L/T"), 12, "meta", 64, backward=True)
    # Without a device there is no attention kernel: its products are done one by one, and no score twice.
    assert counted(run) == pytest.approx(cost.training - 0.5 * cost.attention, rel=0.02)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_largest_model_trains_on_a_gpu() -> None:
    """MarDini-L/T in bfloat16 at 256 px: one forward and one training step, finite, at the analytic cost."""
    config = preset("L/T")
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = MarDini(config).to(torch.bfloat16)
        z_low, z = torch.randn(1, 17, 16, 8, 8), torch.randn(1, 17, 16, 32, 32)
        mask = torch.arange(17)[None] > 4
        inputs = (z_low.bfloat16(), z.bfloat16(), mask, torch.tensor([500]), torch.randn_like(z).bfloat16())
        optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    drop = torch.tensor([False], device="cuda")

    def step() -> None:
        loss = model.joint_loss(*inputs, drop)
        loss.backward()
        assert loss.isfinite()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        assert norm.isfinite() and norm > 0
        optimizer.step()

    cost = flops.planner(config, 17, 12, (8, 8)) + flops.generator(config, 17, 12, (32, 32), (8, 8))
    assert counted(step) == pytest.approx(cost.training, rel=0.02)


@pytest.mark.parametrize("stage", ["codec", "initial-planner", "initial-generator", "joint-task-17-t"])
def test_a_step_costs_in_proportion_to_its_clips(stage: str) -> None:
    row, config = STAGES[stage], preset("S/ST")
    one, four = (flops.training_step(row, config, clips, row.frames, 256) for clips in (1, 4))
    assert four.total() == pytest.approx(4 * one.total())
    assert one.total(activation_checkpointing=True) >= one.total() > one.model_flops * 0.9
