"""The codec's benchmarks: a PCA that no linear code beats, gains with intervals, and the ceiling of models on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import ceiling
from benchmarks.codec import Cell, measure, pca_errors, squares
from benchmarks.suite import Context
from eval.datasets import load_dataset
from eval.systems.base import Task
from mardini.codecs import load_codec
from mardini.errors import UserError
from mardini.shipped import CODECS, shipped
from mardini.video import to_float, to_uint8


def test_the_pca_loses_what_it_must() -> None:
    random = torch.Generator().manual_seed(0)
    low = torch.randn(3, 1, 1, 1, generator=random).expand(3, 3, 16, 16) + 0.5  # one number says it all
    assert max(pca_errors([low], 1)) < 1e-12
    noise = [torch.rand(4, 3, 16, 16, generator=random) for _ in range(2)]
    assert sum(pca_errors(noise, 32)) < sum(pca_errors(noise, 16)) < sum(float(clip.var()) for clip in noise)


def test_squares_are_the_middle_of_the_frame() -> None:
    frames = np.zeros((2, 32, 48, 3), np.uint8)
    frames[:, :, 8:40] = 255
    assert squares(frames, 16).shape == (2, 3, 16, 16) and float(squares(frames, 16).min()) == 1
    with pytest.raises(UserError, match="frames of 32 px hold no squares of 64: choose --with size=32"):
        squares(frames, 64)


@pytest.mark.parametrize("codec", CODECS)
def test_a_shipped_codec_beats_the_best_linear_one(codec: str, tmp_path: Path) -> None:
    outcome, closer = (
        measure(Cell("synthetic", 64, 3, codec, steps), Context("cpu", tmp_path, tmp_path))
        for steps in (0, 3)
    )
    assert closer.values["psnr_pca"] == outcome.values["psnr_pca"]
    assert closer.values["psnr"]["value"] > outcome.values["psnr"]["value"] + 0.1
    gain = outcome.values["gain"]
    assert gain["value"] == pytest.approx(
        outcome.values["psnr"]["value"] - outcome.values["psnr_pca"]["value"]
    )
    assert 15 < outcome.values["psnr_pca"]["value"] < 40
    assert gain["low"] <= gain["value"] <= gain["high"] and outcome.details["frames"] == 27


def test_the_ceiling_is_the_truth_through_the_codec_and_detail_raises_it(tmp_path: Path) -> None:
    context = Context("cpu", tmp_path, tmp_path)
    plain, carried = (
        ceiling.measure(ceiling.Cell("synthetic", 64, 3, "nano", detail), context).values
        for detail in (0.0, 1.0)
    )
    assert plain.keys() == carried.keys() and "repeat_fvd_random" in plain
    for name in ("psnr_clip", "ssim_vidim_mid"):
        assert carried[name]["value"] > plain[name]["value"] > plain[f"repeat_{name}"]["value"]
    assert carried["lpips_alex_random_all"]["value"] < plain["lpips_alex_random_all"]["value"]
    assert all(plain[name] == carried[name] for name in plain if name.startswith("repeat_"))


def test_what_a_codec_makes_of_a_clip_does_not_depend_on_what_is_generated() -> None:
    dataset = load_dataset("synthetic", limit=1)
    (clip,) = dataset.clips
    true = clip.load()
    system = ceiling.Coded(dataset, "nano", 0.0)
    (made,) = system.predict([Task(clip.id, {0: true[0], 8: true[8]}, 9, 0)])
    (other,) = system.predict([Task(clip.id, {4: true[4]}, 9, 1)])
    np.testing.assert_array_equal(made, other)
    codec = load_codec(shipped("nano"))
    with torch.no_grad():
        expected = to_uint8(codec.decode(codec.encode(to_float(true))))
    np.testing.assert_array_equal(made, expected)
