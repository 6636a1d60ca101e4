"""What is on disk: written whole, read back exactly, refused when stale or damaged."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.datasets.base import Clip, Dataset
from eval.protocols import protocol_for
from eval.results import FeatureCache, ReferencePixels, Store, key_of, protocol_folder, stacked
from eval.rows import Rows, end_of_last_line
from eval.shards import Shard
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
    rows = Rows(tmp_path_factory.mktemp("rows"))
    written = [{"clip": str(i), "score": i / 3} for i in range(6)]
    with rows.appending() as append:
        for row in written:
            append(row)
    assert dict(rows) == {row["clip"]: row for row in written} and rows.whole
    data = rows.path.read_bytes()[:cut]
    rows.path.write_bytes(data)
    whole = data.count(b"\n")
    again = Rows(rows.folder)
    assert again.torn == (not data.endswith(b"\n") and data != b"")
    assert list(again.values()) == written[:whole]
    with again.appending() as append:
        append(written[5])
    assert not again.torn and not Rows(rows.folder).torn
    assert list(Rows(rows.folder).values()) == ([*written[:whole], written[5]] if whole < 6 else written)


def test_the_latest_row_of_a_clip_counts(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    with rows.appending() as append:
        append({"clip": "a", "score": 1})
        append({"clip": "b", "score": 2})
        append({"clip": "a", "score": 3})
    for found in (rows, Rows(tmp_path)):
        assert {clip: row["score"] for clip, row in found.items()} == {"a": 3, "b": 2}
        assert not found.whole
    rows.replace(rows[clip] for clip in ("b", "a"))
    assert list(rows) == ["b", "a"] and rows.whole


def test_rows_of_shards_are_read_as_one(tmp_path: Path) -> None:
    for index in (0, 1):
        with Rows(tmp_path, Shard(index, 2)).appending() as append:
            append({"clip": str(index)})
    assert set(Rows(tmp_path)) == set(Rows(tmp_path, Shard(0, 2))) == {"0", "1"}
    whole = Rows(tmp_path)
    assert not whole.whole
    whole.replace(whole[clip] for clip in ("0", "1"))
    assert [path.name for path in tmp_path.iterdir()] == ["clips.jsonl"] and whole.whole


def test_rows_hold_no_nan(tmp_path: Path) -> None:
    with Rows(tmp_path).appending() as append, pytest.raises(ValueError, match="not JSON compliant"):
        append({"clip": "a", "score": float("nan")})


@given(st.binary(max_size=300_000).map(lambda data: data * 2), st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_last_newline_is_found(data: bytes, newline: bool) -> None:
    data = data + b"\n" if newline else data
    assert end_of_last_line(io.BytesIO(data)) == data.rfind(b"\n") + 1


def test_full_disk_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with store.rows.appending() as append:
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
    pixels.learn({"a": FRAMES, "b": FRAMES})
    digest = pixels.known["a"]

    def read(fingerprint: str) -> dict[str, str]:
        return ReferencePixels(Store(store.folder), fingerprint).known

    assert read("one") == {"a": digest, "b": digest}
    assert read("two") == {}
    pixels.learn({"a": FRAMES + np.uint8(1)})
    assert pixels.known["a"] != digest and read("one") == pixels.known
    pixels.fold(["b", "a"])
    assert list(read("one")) == ["b", "a"] and pixels.rows.whole


def test_features_of_all_clips_lie_below_one_another(store: Store) -> None:
    arrays = {f"c{i}": np.full((7, 3), i, np.float32) for i in range(5)}
    for clip_id, array in arrays.items():
        store.save_features(
            clip_id, {"inception": array, "i3d": array[:1, :2]}, {"inception": "k", "i3d": "k"}
        )
    with stacked(store, list(arrays), lambda clip_id: {"inception": "k", "i3d": "k"}) as found:
        np.testing.assert_array_equal(found["inception"], np.concatenate(list(arrays.values())))
        assert found["i3d"].shape == (5, 2)
    assert {path.name for path in store.folder.iterdir()} == {"features"}


def test_true_features_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARDINI_FEATURES", str(tmp_path / "kept"))
    FeatureCache().save("abcd", {"i3d": np.ones((1, 2), np.float32)}, {"i3d": "k"})
    np.testing.assert_array_equal(FeatureCache().load("abcd", {"i3d": "k"})["i3d"], np.ones((1, 2)))
    assert FeatureCache().load("abcd", {"i3d": "other"}) == {}
    monkeypatch.setenv("MARDINI_FEATURES", "off")
    FeatureCache().save("abcd", {"i3d": np.ones((1, 2), np.float32)}, {"i3d": "k"})
    assert FeatureCache().load("abcd", {"i3d": "k"}) == {}


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
