"""Refined latents: nearer to the frames, each frame by itself, whatever mode of autograd they are asked for in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mardini.codecs import load_codec
from mardini.errors import UserError
from mardini.pictures import crops, sheet
from mardini.refinement import refined
from mardini.shipped import CODECS, shipped
from mardini.synthetic import HELD_OUT
from mardini.vae import LatentCodec
from mardini.video import to_float


@pytest.fixture(scope="module", params=CODECS)
def codec(request: pytest.FixtureRequest) -> LatentCodec:
    found = load_codec(shipped(request.param))
    assert isinstance(found, LatentCodec)
    return found


@pytest.fixture(scope="module")
def frames() -> Tensor:
    """Six crops of pictures that no codec was trained on."""
    rng = np.random.default_rng(0)
    return to_float(np.concatenate([crops(sheet(HELD_OUT + n), rng, 2, 32) for n in range(3)]))


def errors(codec: LatentCodec, latents: Tensor, frames: Tensor) -> Tensor:
    with torch.no_grad():
        return (codec.decode(latents) - frames).square().mean(dim=(1, 2, 3))


def test_more_steps_come_nearer_for_every_frame(codec: LatentCodec, frames: Tensor) -> None:
    encoded, few, many = (errors(codec, refined(codec, frames, steps), frames) for steps in (0, 5, 20))
    assert (few < encoded).all() and (many < few).all()
    gain = 10 * torch.log10(encoded.mean() / many.mean())
    assert 0.2 < float(gain) < 2


def test_no_steps_are_the_encoders_own_latents(codec: LatentCodec, frames: Tensor) -> None:
    assert torch.equal(refined(codec, frames, 0), codec.encode(frames))


def test_a_frame_does_not_depend_on_its_batch(codec: LatentCodec, frames: Tensor) -> None:
    together = refined(codec, frames, 3)
    torch.testing.assert_close(refined(codec, frames[4:5], 3), together[4:5], atol=2e-3, rtol=0)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_any_mode_of_autograd_will_do(codec: LatentCodec, frames: Tensor, mode: type) -> None:
    with mode():
        latents = refined(codec, frames * 1, 2)
    assert torch.equal(latents, refined(codec, frames, 2)) and not latents.requires_grad
    assert all(weight.grad is None for weight in codec.parameters())


def test_fewer_than_no_steps_are_refused(codec: LatentCodec, frames: Tensor) -> None:
    with pytest.raises(UserError, match="-1 steps of refinement"):
        refined(codec, frames, -1)
