"""What is on disk: written whole, read back exactly, refused when stale or damaged."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.datasets.base import Clip, Dataset
from eval.protocols import protocol_for
from eval.results import ReferencePixels, Store, key_of, protocol_folder
from mardini.errors import UserError

FRAMES = np.arange(9 * 4 * 5 * 3, dtype=np.uint8).reshape(9, 4, 5, 3)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "system")


def test_predictions_come_back_exactly_and_only_for_their_key(store: Store) -> None:
    store.save_prediction("dog/00009", FRAMES, 1.5, "key")
    saved = store.load_prediction("dog/00009", "key")
    assert saved is not None
    np.testing.assert_array_equal(saved[0], FRAMES)
    assert saved[1] == 1.5
    assert store.load_prediction("dog/00009", "other") is None
    assert store.load_prediction("cat/00000", "key") is None
    path = store.prediction_path("dog/00009")
    path.write_bytes(path.read_bytes()[:100])
    assert store.load_prediction("dog/00009", "key") is None


def test_features_gather_and_each_has_its_key(store: Store) -> None:
    one, two = np.ones((7, 3), np.float32), np.zeros((1, 4), np.float32)
    store.save_features("a", {"inception": one}, {"inception": "k1"})
    store.save_features("a", {"i3d": two}, {"i3d": "k2"})
    found = store.load_features("a", {"inception": "k1", "i3d": "k2"})
    np.testing.assert_array_equal(found["inception"], one)
    np.testing.assert_array_equal(found["i3d"], two)
    assert set(store.load_features("a", {"inception": "stale", "i3d": "k2"})) == {"i3d"}
    store.features_path("a").write_bytes(b"")
    assert store.load_features("a", {"i3d": "k2"}) == {}
    store.save_features("a", {"i3d": two}, {"i3d": "k3"})
    assert set(store.load_features("a", {"i3d": "k3"})) == {"i3d"}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200))
def test_rows_survive_a_cut_anywhere(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """Whatever part of the file a kill leaves, whole rows are kept and new ones can be added."""
    store = Store(tmp_path_factory.mktemp("rows"))
    rows = [{"clip": str(i), "score": i / 3} for i in range(6)]
    with store.appending() as append:
        for row in rows:
            append(row)
    data = store.rows_path.read_bytes()[:cut]
    store.rows_path.write_bytes(data)
    whole = data.count(b"\n")
    assert store.torn() == (not data.endswith(b"\n") and data != b"")
    with store.appending() as append:
        append(rows[5])
    assert not store.torn()
    assert list(store.read_rows().values()) == ([*rows[:whole], rows[5]] if whole < 6 else rows)


def test_the_latest_row_of_a_clip_counts(store: Store) -> None:
    with store.appending() as append:
        append({"clip": "a", "score": 1})
        append({"clip": "b", "score": 2})
        append({"clip": "a", "score": 3})
    assert {clip: row["score"] for clip, row in store.read_rows().items()} == {"a": 3, "b": 2}


def test_rows_hold_no_nan(store: Store) -> None:
    with store.appending() as append, pytest.raises(ValueError, match="not JSON compliant"):
        append({"clip": "a", "score": float("nan")})


def test_full_disk_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with store.appending() as append:
        append({"clip": "a"})
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"cannot write .*clips.jsonl .*No space left.*--output"):
            append({"clip": "b"})
    with pytest.raises(UserError, match=r"cannot write .*No space left"):
        store.save_prediction("a", FRAMES, 1.0, "key")
    assert not store.prediction_path("a").exists()


def test_keys_do_not_depend_on_order() -> None:
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1}) != key_of({"a": 1, "b": [3]})


def test_pixels_are_forgotten_with_their_fingerprint(store: Store) -> None:
    pixels = ReferencePixels(store, "one")
    digest = pixels.learn("a", FRAMES)
    pixels.save()
    assert ReferencePixels(store, "one").known == {"a": digest}
    assert ReferencePixels(store, "two").known == {}
    assert pixels.learn("a", FRAMES + np.uint8(1)) != digest
    pixels.save()
    assert json.loads(pixels.path.read_text())["pixels"]["a"] == pixels.known["a"]


def test_folders_tell_partial_data_limits_and_seeds_apart() -> None:
    protocol = protocol_for("interpolation", "davis")
    clips = [Clip(str(i), "a", lambda: FRAMES) for i in range(3)]

    def folder(expected: int | None, root: Path | None, limit: int | None = None, seed: int = 0) -> str:
        data = Dataset("davis", clips, "0123456789", expected, root=root)
        return protocol_folder(data, protocol, limit, seed)

    assert folder(3, Path()) == "davis-7-v1"
    assert folder(357, Path()) == "davis-7-v1-01234567"
    assert folder(357, Path(), limit=3) == "davis-7-v1-limit3-01234567"
    assert folder(None, None, seed=2) == "davis-7-v1-seed2"
