"""Clips shrunk to a model's own size: their frames, their protocol, their place among results, mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eval.datasets import load_dataset
from eval.interpolation import main
from eval.protocols import protocol_for
from mardini.errors import UserError
from mardini.image import write_png
from mardini.video import resize


def test_every_frame_is_averaged_down() -> None:
    whole, small = (load_dataset("synthetic", limit=2, side=side) for side in (None, 32))
    for large, clip in zip(whole.clips, small.clips, strict=True):
        assert clip.id == large.id and clip.size == (32, 32)
        assert np.array_equal(clip.load(), resize(large.load(), (32, 32)))
        blocks = large.load()[0].reshape(32, 4, 32, 4, 3).mean((1, 3))
        assert np.abs(clip.load()[0] - blocks).max() <= 1
    assert small.fingerprint != whole.fingerprint


def test_the_protocol_has_a_name_of_its_own() -> None:
    assert protocol_for("interpolation", "davis", side=64).name == "davis-7-64px"
    assert protocol_for("interpolation", "davis", side=64).size == (64, 64)
    assert protocol_for("i2v", "vbench-i2v-16-9", side=288).size == (288, 512)
    assert protocol_for("i2v", "folder", side=64).size is None
    assert protocol_for("interpolation", "davis", side=256) == protocol_for("interpolation", "davis")


def test_the_full_size_is_the_dataset_itself() -> None:
    assert (
        load_dataset("synthetic", limit=1, side=128).fingerprint
        == load_dataset("synthetic", limit=1).fingerprint
    )


def test_a_run_scores_at_that_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--systems", "repeat", "--metrics", "psnr", "--limit", "2", "--output", str(tmp_path)]
    for more in ([], ["--size", "32"]):
        assert main([*command, *more]) == 0
    assert "synthetic-7-32px/v1 on synthetic" in capsys.readouterr().out
    records = sorted((tmp_path / "interpolation").glob("*/repeat/record.json"))
    assert [record.parent.parent.name for record in records] == [
        "synthetic-7-32px-v1-limit2",
        "synthetic-7-v1-limit2",
    ]
    small, whole = (json.loads(record.read_text()) for record in records)
    assert small["metrics"]["psnr_mid"]["value"] > whole["metrics"]["psnr_mid"]["value"]


def test_clips_are_never_enlarged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--size", "200", "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "the 128 pixels of the clips' shorter side" in error and error.count("\n") == 1
    for index in range(9):
        write_png(tmp_path / "clips" / "one" / f"{index}.png", np.zeros((40, 60, 3), np.uint8))
    with pytest.raises(UserError, match="more than the 40 pixels"):
        load_dataset("folder", data_root=tmp_path / "clips", side=50)
    assert load_dataset("folder", data_root=tmp_path / "clips", side=20).clips[0].load().shape == (
        9,
        20,
        30,
        3,
    )
