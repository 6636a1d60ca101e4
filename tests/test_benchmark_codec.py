"""The codec's benchmark: a PCA that no linear code beats, errors pooled, and gains with intervals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.codec import Cell, measure, pca_errors, squares
from benchmarks.suite import Context
from mardini.shipped import CODECS


def test_the_pca_loses_what_it_must() -> None:
    random = torch.Generator().manual_seed(0)
    low = torch.randn(3, 1, 1, 1, generator=random).expand(3, 3, 16, 16) + 0.5  # one number says it all
    assert max(pca_errors([low], 1)) < 1e-12
    noise = [torch.rand(4, 3, 16, 16, generator=random) for _ in range(2)]
    assert sum(pca_errors(noise, 32)) < sum(pca_errors(noise, 16)) < sum(float(clip.var()) for clip in noise)


def test_squares_are_the_middle_of_the_frame() -> None:
    import numpy as np

    frames = np.zeros((2, 32, 48, 3), np.uint8)
    frames[:, :, 8:40] = 255
    assert squares(frames, 16).shape == (2, 3, 16, 16) and float(squares(frames, 16).min()) == 1


@pytest.mark.parametrize("codec", CODECS)
def test_a_shipped_codec_beats_the_best_linear_one(codec: str, tmp_path: Path) -> None:
    outcome = measure(Cell("synthetic", 64, 3, codec), Context("cpu", tmp_path, tmp_path))
    gain = outcome.values["gain"]
    assert gain["value"] == pytest.approx(
        outcome.values["psnr"]["value"] - outcome.values["psnr_pca"]["value"]
    )
    assert 15 < outcome.values["psnr_pca"]["value"] < 40
    assert gain["low"] <= gain["value"] <= gain["high"] and outcome.details["frames"] == 27
