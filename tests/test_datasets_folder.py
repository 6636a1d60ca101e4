"""Any folder of videos or frame folders, and the rules all datasets share."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from eval.datasets import DATASETS, load_dataset
from eval.datasets.chunks import spread
from mardini.errors import UserError


def write_frames(folder: Path, count: int, size: tuple[int, int] = (48, 64), digits: int = 3) -> None:
    folder.mkdir(parents=True)
    for index in range(count):
        picture = np.full((*size, 3), index, np.uint8)
        Image.fromarray(picture).save(folder / f"frame_{index:0{digits}d}.png")


def write_video(file: Path, count: int, rate: int = 25) -> None:
    """Lossless, so that frame ``i`` reads back as grey level ``8 * i``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264rgb", rate=rate, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        for index in range(count):
            picture = np.full((48, 64, 3), 8 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def fails(root: Path | None, *words: str, name: str = "folder", **options) -> None:
    with pytest.raises(UserError) as error:
        load_dataset(name, data_root=root, **options)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_videos_and_frame_folders(tmp_path: Path) -> None:
    write_video(tmp_path / "b.mp4", 20)
    write_frames(tmp_path / "a", 18)
    write_video(tmp_path / "more" / "c.MP4", 9)
    dataset = load_dataset("folder", data_root=tmp_path)
    ids = ["a/00000", "a/00009", "b/00000", "b/00009", "more/c/00000"]
    assert [clip.id for clip in dataset.clips] == ids
    assert [clip.source for clip in dataset.clips] == ["a", "a", "b", "b", "more/c"]
    assert dataset.fps == 25 and not dataset.notices
    frames = dataset.clips[1].load()
    assert frames.shape == (9, 48, 64, 3) and frames.dtype == np.uint8
    assert frames[:, 0, 0, 0].tolist() == list(range(9, 18))
    assert dataset.clips[3].load()[:, 0, 0, 0].tolist() == [8 * index for index in range(9, 18)]


def test_clips_of_one_video_do_not_share_memory(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 9)
    clip = load_dataset("folder", data_root=tmp_path).clips[0]
    clip.load()[:] = 255
    assert clip.load()[0].max() == 0


def test_root_as_one_frame_folder(tmp_path: Path) -> None:
    write_frames(tmp_path / "walk", 10)
    assert [clip.id for clip in load_dataset("folder", data_root=tmp_path / "walk").clips] == ["walk/00000"]


def test_limit_spreads_and_changes_the_fingerprint(tmp_path: Path) -> None:
    for name in "abc":
        write_frames(tmp_path / name, 18)
    whole = load_dataset("folder", data_root=tmp_path)
    part = load_dataset("folder", data_root=tmp_path, limit=3)
    assert [clip.id for clip in part.clips] == ["a/00000", "b/00000", "c/00000"]
    assert "3 of 6 clips" in part.notices[0]
    assert part.fingerprint != whole.fingerprint
    assert load_dataset("folder", data_root=tmp_path, limit=99).fingerprint == whole.fingerprint


def test_fingerprint_follows_the_bytes(tmp_path: Path) -> None:
    write_frames(tmp_path / "a", 9)
    before = load_dataset("folder", data_root=tmp_path).fingerprint
    Image.fromarray(np.full((48, 64, 3), 7, np.uint8)).save(tmp_path / "a" / "frame_000.png")
    assert load_dataset("folder", data_root=tmp_path).fingerprint != before


def test_what_is_no_video_is_left_out_aloud(tmp_path: Path) -> None:
    write_frames(tmp_path / "a", 9)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").write_text("x")
    notice = load_dataset("folder", data_root=tmp_path).notices[0]
    assert "2 entries" in notice and "notes.txt" in notice
    write_frames(tmp_path / "b" / "deeper", 9)
    write_video(tmp_path / "b" / "v.mp4", 9)
    found = load_dataset("folder", data_root=tmp_path)
    assert "3 entries" in found.notices[0] and "b/deeper" in found.notices[0]


def test_missing_and_empty_roots(tmp_path: Path) -> None:
    fails(None, "--data-root")
    fails(tmp_path / "nowhere", "does not exist")
    fails(tmp_path, "is empty")
    (tmp_path / "notes.txt").write_text("x")
    fails(tmp_path, "no videos and no frames")


def test_short_sources(tmp_path: Path) -> None:
    write_frames(tmp_path / "one" / "short", 8)
    fails(tmp_path / "one", "short has 8 frames, fewer than the 9")
    write_video(tmp_path / "two" / "brief.mp4", 8)
    fails(tmp_path / "two", "brief.mp4 has 8 frames, fewer than the 9")


def test_damaged_files(tmp_path: Path) -> None:
    empty = tmp_path / "a" / "zero.mp4"
    empty.parent.mkdir()
    empty.touch()
    fails(empty.parent, "zero.mp4", "it is empty")
    empty.write_bytes(b"this is no video" * 100)
    fails(empty.parent, "zero.mp4")
    write_frames(tmp_path / "b" / "x", 9)
    cut = tmp_path / "b" / "x" / "frame_002.png"
    cut.write_bytes(cut.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"frame_002\.png"):
        load_dataset("folder", data_root=tmp_path / "b").clips[0].load()


def test_truncated_video(tmp_path: Path) -> None:
    """A file cut short either fails to open or announces more than it holds; never a shorter clip."""
    write_video(tmp_path / "a.mkv", 18)
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    try:
        clips = load_dataset("folder", data_root=tmp_path).clips
    except UserError as error:
        assert "a.mkv" in str(error)
        return
    for clip in clips:
        try:
            assert len(clip.load()) == 9
        except UserError as error:
            assert "a.mkv" in str(error)


def test_ambiguous_layouts(tmp_path: Path) -> None:
    write_frames(tmp_path / "mixed", 9)
    write_frames(tmp_path / "mixed" / "inner", 9)
    fails(tmp_path / "mixed", "frames beside videos or folders")
    write_frames(tmp_path / "twice" / "a", 9)
    write_video(tmp_path / "twice" / "a.mp4", 9)
    fails(tmp_path / "twice", "both be called 'a'")


def test_numbers_without_zeros_sort_as_numbers(tmp_path: Path) -> None:
    write_frames(tmp_path / "a", 12, digits=1)
    clip = load_dataset("folder", data_root=tmp_path).clips[0]
    assert clip.load()[:, 0, 0, 0].tolist() == list(range(9))


def test_mixed_sizes(tmp_path: Path) -> None:
    write_frames(tmp_path / "a", 9)
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a" / "frame_004.png")
    with pytest.raises(UserError, match=r"frame_004\.png is 30x20"):
        load_dataset("folder", data_root=tmp_path).clips[0].load()


def test_unknown_dataset() -> None:
    fails(None, "unknown dataset 'davos'", "did you mean 'davis'?", name="davos")


def test_table_of_datasets() -> None:
    assert all(name == info.name for name, info in DATASETS.items())
    for name, info in DATASETS.items():
        if info.origin == "root":
            fails(None, f"dataset '{name}'", "--data-root", name=name)


@given(st.integers(1, 400), st.integers(1, 500))
def test_spread(count: int, limit: int) -> None:
    kept = spread(range(count), limit)
    assert len(kept) == min(count, limit) and kept == sorted(set(kept)) and kept[0] == 0
    gaps = np.diff([*kept, count])
    assert gaps.max() - gaps.min() <= 1
    assert spread(range(count), None) == list(range(count))
