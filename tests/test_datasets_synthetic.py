"""The generated dataset: sized, seeded, apart from training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eval.datasets import DATASETS, load_dataset
from eval.datasets import synthetic as module
from mardini import synthetic
from mardini.errors import UserError
from mardini.synthetic import HELD_OUT


def test_default_set() -> None:
    dataset = load_dataset("synthetic")
    assert len(dataset.clips) == module.CLIPS == DATASETS["synthetic"].default_clips
    assert [clip.id for clip in dataset.clips][:2] == ["synth/00000", "synth/00001"]
    assert all(clip.source == clip.id for clip in dataset.clips)
    assert dataset.root is None
    assert any(clip.tags for clip in dataset.clips)


def test_frames_come_from_the_stated_seeds() -> None:
    clip = load_dataset("synthetic", limit=3, seed=2).clips[1]
    frames = clip.load()
    assert frames.shape == (9, 128, 128, 3) and frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, synthetic.make_clip(10_200_001, frames=9, size=(128, 128)))
    assert clip.tags == synthetic.tags(10_200_001)


def test_seeds_are_apart_from_training() -> None:
    assert module.FIRST_SEED >= HELD_OUT


def test_limit_keeps_the_clips_before(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(module, "make_clip", lambda seed, **_: drawn.append(seed))
    for limit in (2, 20):
        for clip in load_dataset("synthetic", limit=limit).clips:
            clip.load()
    assert drawn == [*range(10_000_000, 10_000_002), *range(10_000_000, 10_000_020)]


def test_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_dataset("synthetic").fingerprint
    assert load_dataset("synthetic").fingerprint == first
    assert load_dataset("synthetic", seed=1).fingerprint != first
    assert load_dataset("synthetic", limit=5).fingerprint != first
    monkeypatch.setattr(module, "VERSION", module.VERSION + "x")
    assert load_dataset("synthetic").fingerprint != first


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"limit": 0}, "--limit 1"),
        ({"limit": 100_001}, "too many"),
        ({"seed": -1}, "negative"),
        ({"data_root": Path()}, "is generated"),
    ],
)
def test_refused(options: dict, word: str) -> None:
    with pytest.raises(UserError, match=word):
        load_dataset("synthetic", **options)
