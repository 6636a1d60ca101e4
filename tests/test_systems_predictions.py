"""Folders of predictions: every way to name and store a clip, and every way to get it wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eval.systems.base import Task
from eval.systems.predictions import Predictions, parse
from mardini.errors import UserError
from mardini.image import write_png
from mardini.video import write_video

IDS = ["cat/00000", "dog/00000", "dog/00009"]
SIZE = (16, 24)


def frames(clip_id: str, count: int = 7) -> np.ndarray:
    return np.random.default_rng(IDS.index(clip_id)).integers(0, 256, (count, *SIZE, 3), np.uint8)


def pngs(folder: Path, clip: np.ndarray) -> None:
    for index, frame in enumerate(clip):
        write_png(folder / f"{index:03d}.png", frame)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One clip in nested folders of PNG, one flat ``.npy``, one ``.npz`` of whole length."""
    folder = tmp_path / "mine"
    pngs(folder / "cat" / "00000", frames("cat/00000"))
    np.save(folder / "dog_00000.npy", frames("dog/00000"))
    (folder / "dog").mkdir()
    np.savez(folder / "dog" / "00009.npz", frames=frames("dog/00009", 9))
    return folder


def check(predictions: Predictions) -> None:
    predictions.check(lambda clip_id: SIZE, 9, (0, 8))


def test_all_forms_are_read(folder: Path) -> None:
    (folder / ".hidden.npy").write_bytes(b"")
    (folder / "notes.txt").write_text("ignored")
    predictions = Predictions("mine", folder, IDS)
    check(predictions)
    given = {0: np.full((*SIZE, 3), 1, np.uint8), 8: np.full((*SIZE, 3), 2, np.uint8)}
    for clip_id in IDS:
        (made,) = predictions.predict([Task(clip_id, given, 9, 0)])
        assert made.shape == (9, *SIZE, 3)
        whole = frames(clip_id, 9 if clip_id == "dog/00009" else 7)
        np.testing.assert_array_equal(made[1:8], whole[1:8] if len(whole) == 9 else whole)
    assert predictions.notices == []


def test_description_follows_the_bytes(folder: Path) -> None:
    before = Predictions("mine", folder, IDS).describe()
    assert Predictions("mine", folder, IDS).describe() == before
    write_png(folder / "cat" / "00000" / "003.png", frames("dog/00000")[0])
    assert Predictions("mine", folder, IDS).describe() != before


def test_missing_clips_are_listed(folder: Path) -> None:
    ids = IDS + [f"fox/{i:05d}" for i in range(7)]
    with pytest.raises(UserError, match=r"7 of 10 clips are missing .*fox/00000, .*fox/00004 and 2 more"):
        Predictions("mine", folder, ids)


def test_surplus_is_refused_but_for_a_limit(folder: Path) -> None:
    with pytest.raises(UserError, match=r"1 entries belong to no clip .*dog/00009\.npz"):
        Predictions("mine", folder, IDS[:2])
    limited = Predictions("mine", folder, IDS[:2], limited=True)
    assert "1 entries beyond the limit" in limited.notices[0]


def test_two_entries_for_one_clip_are_refused(folder: Path) -> None:
    np.save(folder / "cat_00000.npy", frames("cat/00000"))
    with pytest.raises(UserError, match=r"1 clips match no single entry .*cat/00000"):
        Predictions("mine", folder, IDS)


@pytest.mark.parametrize("count", [6, 8, 10])
def test_wrong_length_is_refused_before_scoring(folder: Path, count: int) -> None:
    np.save(folder / "dog_00000.npy", frames("dog/00000", count))
    with pytest.raises(
        UserError, match=rf"1 of 3 clips .*dog/00000 has {count} frames.*9 frames \(all\) or 7"
    ):
        check(Predictions("mine", folder, IDS))


def test_wrong_size_is_refused_before_scoring(folder: Path) -> None:
    pngs(folder / "cat" / "00000", frames("cat/00000")[:, :, :16])
    with pytest.raises(UserError, match=r"cat/00000 is 16x16, not 16x24"):
        check(Predictions("mine", folder, IDS))


def test_truncated_image_is_named(folder: Path) -> None:
    file = folder / "cat" / "00000" / "002.png"
    file.write_bytes(file.read_bytes()[:10])
    with pytest.raises(UserError, match=r"1 of 3 clips cannot be read \(cat/00000 .*002\.png"):
        check(Predictions("mine", folder, IDS))


def test_hidden_files_beside_the_frames_are_no_frames(folder: Path) -> None:
    """Such as those that a Mac leaves: the check counts the frames that are read, and no others."""
    (folder / "cat" / "00000" / "._000.png").write_bytes(b"resource fork")
    predictions = Predictions("mine", folder, IDS)
    check(predictions)
    assert predictions.describe()


def test_videos_are_taken_with_a_notice(folder: Path) -> None:
    (folder / "dog_00000.npy").unlink()
    write_video(folder / "dog_00000.mp4", frames("dog/00000"), 24)
    predictions = Predictions("mine", folder, IDS)
    check(predictions)
    assert "1 clips are video files" in predictions.notices[0]


def test_absent_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        Predictions("mine", tmp_path / "nothing", IDS)


def test_names_on_the_command_line() -> None:
    assert parse("mine=a/b") == ("mine", Path("a/b"))
    assert parse("a/b") == ("b", Path("a/b"))
    for text in ("_reference=a", "my model=a", "../x=a"):
        with pytest.raises(UserError, match="cannot name a system"):
            parse(text)
