"""How the pipeline runs: sizes of frames, precision, schedulers, devices, codecs, steps."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from pipelines import clips, random_pipeline

from mardini import checkpoint
from mardini.config import MarDiniConfig
from mardini.errors import UserError
from mardini.pipeline import MarDiniPipeline


@pytest.fixture(scope="module")
def tiny() -> MarDiniPipeline:
    return random_pipeline()


# Sizes


@pytest.mark.parametrize("size", [(48, 80), (100, 61), (1, 7), (33, 32)])
@pytest.mark.parametrize("resolution", [None, "native", 24])
def test_any_size_returns_as_it_came(tiny: MarDiniPipeline, size: tuple[int, int], resolution: Any) -> None:
    (clip,) = clips(1, size=size)
    made = tiny.fill(clip, (0, 4), steps=1, resolution=resolution)
    assert made.shape == clip.shape
    np.testing.assert_array_equal(made[[0, 4]], clip[[0, 4]])


def test_native_sizes_are_padded_by_their_edge_and_cropped(tiny: MarDiniPipeline) -> None:
    (clip,) = clips(1, size=(30, 41))
    made = tiny.fill(clip, (0, 4), steps=2, resolution="native", detail=0)
    full = np.pad(clip, ((0, 0), (0, 2), (0, 7), (0, 0)), mode="edge")
    np.testing.assert_array_equal(
        made, tiny.fill(full, (0, 4), steps=2, resolution="native", detail=0)[:, :30, :41]
    )


# Precision, schedulers, devices


def test_bfloat16_is_close_to_float32() -> None:
    """The tolerance that the class states: pixels within 2% of the range in the mean, after 10 steps."""
    (clip,) = clips(1, size=(32, 32))
    exact, rough = (
        random_pipeline(dtype=dtype).fill(clip, (0, 4), steps=10).astype(float) / 255
        for dtype in (torch.float32, torch.bfloat16)
    )
    difference = np.abs(exact - rough)[1:4]
    assert 0 < difference.mean() < 0.02


@pytest.mark.slow
def test_compiled_is_as_uncompiled() -> None:
    (clip,) = clips(1, size=(32, 32))
    plain, compiled = (random_pipeline(compile=c).fill(clip, (0, 4), steps=3) for c in (False, True))
    assert np.abs(plain.astype(int) - compiled).max() <= 1


@pytest.mark.gpu
def test_cuda_agrees_with_cpu() -> None:
    clip = clips(3, size=(32, 32))
    cpu, cuda = random_pipeline(), random_pipeline()
    cuda.device = torch.device("cuda")
    cuda.model.to("cuda")
    cuda.codec.to("cuda")
    made = [p.fill(clip, (0, 4), seed=1, steps=3).astype(int) for p in (cpu, cuda)]
    assert np.abs(made[0] - made[1]).max() <= 2


def test_the_scheduler_is_used(tiny: MarDiniPipeline) -> None:
    pytest.importorskip("diffusers")
    (clip,) = clips(1)
    ours = tiny.fill(clip, (0,), steps=5)
    theirs = tiny.fill(clip, (0,), steps=5, scheduler="DDIMScheduler")
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert (ours != tiny.fill(clip, (0,), steps=5, scheduler="UniPCMultistepScheduler")).any()


def test_another_codec_by_name(tmp_path: Any, tiny: MarDiniPipeline) -> None:
    diffusers = pytest.importorskip("diffusers")
    diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4, latent_channels=16
    ).save_pretrained(tmp_path / "codec")
    checkpoint.save(tmp_path / "model", tiny.model, tiny.codec)
    with pytest.warns(UserWarning, match="makes other latents than the codec in this model's checkpoint"):
        pipeline = MarDiniPipeline.from_pretrained(tmp_path / "model", codec=tmp_path / "codec")
    assert type(pipeline.codec).__name__ == "DiffusersCodec"
    assert pipeline.animate(clips(1)[0, 0], steps=1).shape == (5, 32, 48, 3)


def test_large_frames_are_decoded_in_tiles(tiny: MarDiniPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    (clip,) = clips(1, size=(64, 80))
    whole = tiny.fill(clip, (0, 4), steps=1, resolution="native")
    monkeypatch.setattr("mardini.pipeline.TILE", 3)
    assert np.abs(tiny.fill(clip, (0, 4), steps=1, resolution="native").astype(int) - whole).max() <= 1


def test_a_model_is_sampled_in_as_many_steps_as_its_configuration_says(
    tiny: MarDiniPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clip,), config = clips(1), tiny.model.config
    assert config.steps == 25 and "steps" not in config.to_dict()
    monkeypatch.setattr(tiny.model, "config", dataclasses.replace(config, steps=3))
    assert MarDiniConfig.from_dict(tiny.model.config.to_dict()).steps == 3
    np.testing.assert_array_equal(tiny.fill(clip, (0, 4)), tiny.fill(clip, (0, 4), steps=3))
    with pytest.raises(UserError, match="0 sampling steps"):
        tiny.fill(clip, (0, 4), steps=0)


def test_a_bar_counts_all_steps(tiny: MarDiniPipeline, capsys: pytest.CaptureFixture[str]) -> None:
    (clip,) = clips(1, frames=3)
    tiny.slow_motion(clip, 8, steps=2, progress=True)
    captured = capsys.readouterr()
    assert "12/12" in captured.err and not captured.out
    tiny.fill(clip, (0,), steps=2)
    assert not capsys.readouterr().err
