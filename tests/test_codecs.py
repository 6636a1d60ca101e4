"""Codecs of diffusers behind our interface, and decoding in slices and tiles."""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mardini import checkpoint
from mardini.codecs import DiffusersCodec, decode_tiled, in_slices, load_codec, reach_of
from mardini.config import CodecConfig, Convolutions, preset
from mardini.errors import UserError
from mardini.model import MarDini
from mardini.pipeline import MarDiniPipeline
from mardini.vae import BLOCKS, LatentCodec

diffusers = pytest.importorskip("diffusers")


def small_kl(**changes: Any) -> Any:
    """An AutoencoderKL shaped as SD3's, with few and narrow layers."""
    config: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (8, 8, 8, 8),
        "norm_num_groups": 4,
        "latent_channels": 16,
        "scaling_factor": 1.5305,
        "shift_factor": 0.0609,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
    }
    torch.manual_seed(0)
    return diffusers.AutoencoderKL(**{**config, **changes}).eval()


def small_tiny() -> Any:
    """An AutoencoderTiny shaped as TAESD3, narrow."""
    torch.manual_seed(0)
    return diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4, latent_channels=16
    ).eval()


def random_codec(convolutions: Convolutions = "depth-wise") -> LatentCodec:
    torch.manual_seed(0)
    sizes = CodecConfig(encoder=16, encoder_blocks=2, decoder=16, decoder_blocks=2, convolutions=convolutions)
    codec = LatentCodec(sizes).eval()
    with torch.no_grad():
        for parameter in codec.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return codec


FRAMES = torch.rand(3, 3, 64, 48, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_autoencoder_kl_with_scale_and_shift(tmp_path: Path) -> None:
    vae = small_kl()
    vae.save_pretrained(tmp_path)
    codec = load_codec(tmp_path)
    latents = codec.encode(FRAMES)
    assert latents.shape == (3, 16, 8, 6)
    raw = vae.encode(FRAMES * 2 - 1).latent_dist.mode()
    torch.testing.assert_close(latents, (raw - 0.0609) * 1.5305)
    torch.testing.assert_close(codec.decode(latents), (vae.decode(raw).sample + 1) / 2, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_autoencoder_tiny(tmp_path: Path) -> None:
    vae = small_tiny()
    vae.save_pretrained(tmp_path)
    codec = load_codec(str(tmp_path))
    latents = codec.encode(FRAMES)
    torch.testing.assert_close(latents, vae.encode(FRAMES * 2 - 1).latents)
    decoded = codec.decode(latents)
    assert decoded.shape == FRAMES.shape
    torch.testing.assert_close(decoded, (vae.decode(latents).sample + 1) / 2)


def test_the_autoencoder_of_a_whole_pipeline_folder(tmp_path: Path) -> None:
    small_kl().save_pretrained(tmp_path / "vae")
    (tmp_path / "model_index.json").write_text("{}")
    assert isinstance(load_codec(tmp_path), DiffusersCodec)


def test_the_codec_of_a_checkpoint(tmp_path: Path) -> None:
    config = preset("tiny")
    saved = LatentCodec(config.codec)
    checkpoint.save(tmp_path, MarDini(config), saved)
    loaded = load_codec(tmp_path)
    assert isinstance(loaded, LatentCodec)
    torch.testing.assert_close(loaded.analysis.weight, saved.analysis.weight)


@pytest.mark.parametrize("changes", [{"latent_channels": 4}, {"block_out_channels": (8, 8, 8)}])
def test_codecs_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    blocks = len(changes.get("block_out_channels", (8,) * 4))
    types = {
        "down_block_types": ("DownEncoderBlock2D",) * blocks,
        "up_block_types": ("UpDecoderBlock2D",) * blocks,
    }
    small_kl(**changes, **types).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"needs 16 at 1/8"):
        load_codec(tmp_path)


def test_mistakes_get_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no codec at"):
        load_codec(tmp_path / "nothing")
    small_tiny().save_pretrained(tmp_path / "other")
    config = tmp_path / "other" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "_class_name": "VQModel"}))
    with pytest.raises(UserError, match="holds a VQModel"):
        load_codec(tmp_path / "other")
    small_tiny().save_pretrained(tmp_path / "cut")
    weights = tmp_path / "cut" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(UserError, match="do not fit its configuration"):
        load_codec(tmp_path / "cut")

    def refuse(*_: Any, **__: Any) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr("mardini.hub.snapshot_download", refuse)
    with pytest.raises(UserError, match="check the name and the network"):
        load_codec("nobody/nothing-of-this-name")
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(UserError, match=r"pip install mardini\[diffusers\]"):
        load_codec(tmp_path / "cut")


def test_hub_id_of_a_pipeline_is_downloaded_without_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_tiny().save_pretrained(tmp_path / "vae")
    asked: dict[str, list[str]] = {}

    def download(name: str, allow_patterns: list[str]) -> str:
        asked[name] = allow_patterns
        return str(tmp_path)

    monkeypatch.setattr("mardini.hub.snapshot_download", download)
    assert isinstance(load_codec("someone/sd3"), DiffusersCodec)
    assert "vae/config.json" in asked["someone/sd3"] and len(asked["someone/sd3"]) == 4


@torch.no_grad()
@pytest.mark.parametrize("convolutions", BLOCKS)
@pytest.mark.parametrize("tile", [2, 5, 16, 99])
def test_tiles_of_the_shipped_codec_equal_the_whole(tile: int, convolutions: Convolutions) -> None:
    codec = random_codec(convolutions)
    latents = torch.randn(2, 16, 19, 26, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        decode_tiled(codec, latents, tile), codec.decode(latents), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("convolutions", BLOCKS)
def test_a_decoded_pixel_sees_as_far_as_stated(convolutions: Convolutions) -> None:
    codec = random_codec(convolutions)
    reach, centre = reach_of(codec), 12
    latents = torch.randn(1, 16, 25, 25, requires_grad=True)
    block = codec.decode(latents)[..., centre * 8 : centre * 8 + 8, centre * 8 : centre * 8 + 8]
    (slope,) = torch.autograd.grad(block.sum(), latents)
    rows = slope.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert reach < centre and rows.min() >= centre - reach and rows.max() <= centre + reach
    assert rows.max() - rows.min() >= 2 * (reach - 1)


@torch.no_grad()
def test_a_rescaled_codec_decodes_as_before() -> None:
    codec = random_codec("dense")
    before, decoded = codec.encode(FRAMES), codec.decode(codec.encode(FRAMES))
    codec.rescale(FRAMES)
    after = codec.encode(FRAMES)
    assert abs(float(before.var(dim=(0, 2, 3)).mean()) - 1) > 0.01
    assert float(after.var(dim=(0, 2, 3)).mean()) == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(codec.decode(after), decoded, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("make", [small_kl, small_tiny])
def test_tiles_of_diffusers_are_close_and_leave_no_trace(make: Any) -> None:
    codec = DiffusersCodec(make())
    latents = torch.randn(1, 16, 24, 24, generator=torch.Generator().manual_seed(2)) * 0.5
    whole = codec.decode(latents)
    tiled = decode_tiled(codec, latents, 16)
    assert tiled.shape == whole.shape
    assert (tiled - whole).abs().mean() < 0.25 * whole.std()
    torch.testing.assert_close(codec.decode(latents), whole, atol=0, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 2, 8])
def test_slices_equal_the_whole(frames: int) -> None:
    codec = random_codec()
    seen: list[int] = []

    def decode(part: torch.Tensor) -> torch.Tensor:
        seen.append(len(part))
        return codec.decode(part)

    latents = torch.randn(5, 16, 4, 4)
    torch.testing.assert_close(
        in_slices(decode, latents, frames), codec.decode(latents), atol=1e-5, rtol=1e-5
    )
    assert max(seen) <= frames and sum(seen) == 5


def test_another_decoder_of_the_same_latents_is_taken_in_silence(tmp_path: Path) -> None:
    config = preset("tiny")
    model, codec = MarDini(config), LatentCodec(config.codec)
    checkpoint.save(tmp_path / "model", model, codec)
    for parameter in codec.decoder.parameters():
        parameter.data.add_(1)
    checkpoint.save_codec(tmp_path / "codec", codec, torch.float16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline = MarDiniPipeline.from_pretrained(tmp_path / "model", codec=tmp_path / "codec")
    for taken, given in zip(pipeline.codec.parameters(), codec.parameters(), strict=True):
        torch.testing.assert_close(taken, given.half().float())
