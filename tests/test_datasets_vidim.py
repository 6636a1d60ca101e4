"""The layout of VIDIM's site samples, and finding which clips show one scene."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from eval.datasets import load_dataset, scenes
from mardini.errors import UserError

METHODS = ["amt", "film", "ldmvfi", "rife", "vidm"]


def write_video(file: Path, frames: np.ndarray) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264rgb", rate=8, options={"crf": "0"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "rgb24"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def write_clip(
    root: Path, number: int, methods: dict[str, int], size: tuple[int, int] = (32, 48)
) -> np.ndarray:
    clip = np.full((9, *size, 3), number, np.uint8) + np.arange(9, dtype=np.uint8)[:, None, None, None] * 10
    write_video(root / f"{number}_input.mp4", clip[[0, 8]])
    write_video(root / f"{number}_gt.mp4", clip[1:8])
    for method, level in methods.items():
        write_video(root / f"{number}_{method}.mp4", np.full((7, *size, 3), level + number, np.uint8))
    return clip


def fails(root: Path, *words: str) -> None:
    with pytest.raises(UserError) as error:
        load_dataset("vidim", data_root=root)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_clips_and_outputs(tmp_path: Path) -> None:
    clips = {number: write_clip(tmp_path, number, {"rife": 50, "amt": 90}) for number in (2, 10, 100)}
    dataset = load_dataset("vidim", data_root=tmp_path)
    assert [clip.id for clip in dataset.clips] == ["002", "010", "100"]
    assert dataset.methods == ["amt", "rife"]
    for clip, frames in zip(dataset.clips, clips.values(), strict=True):
        np.testing.assert_array_equal(clip.load(), frames)
        output = clip.outputs["amt"]()
        assert output.shape == (7, 32, 48, 3) and np.all(output == 90 + int(clip.id))
    assert len(load_dataset("vidim", data_root=tmp_path, limit=2).clips) == 2


def test_incomplete_method_is_not_offered_and_said(tmp_path: Path) -> None:
    write_clip(tmp_path, 0, {"amt": 1, "rife": 2})
    write_clip(tmp_path, 1, {"amt": 1})
    dataset = load_dataset("vidim", data_root=tmp_path)
    assert dataset.methods == ["amt"]
    assert any("'rife' is not offered" in notice and "1_rife.mp4" in notice for notice in dataset.notices)


@pytest.mark.parametrize("kind", ["gt", "input"])
def test_missing_part_of_a_clip(tmp_path: Path, kind: str) -> None:
    write_clip(tmp_path, 0, {})
    write_clip(tmp_path, 1, {})
    (tmp_path / f"1_{kind}.mp4").unlink()
    fails(tmp_path, f"1_{kind}.mp4")


@pytest.mark.parametrize("kind", ["gt", "input", "amt"])
def test_empty_video(tmp_path: Path, kind: str) -> None:
    write_clip(tmp_path, 0, {"amt": 1})
    (tmp_path / f"0_{kind}.mp4").write_bytes(b"")
    fails(tmp_path, f"0_{kind}.mp4 is empty")


def test_wrong_frame_counts(tmp_path: Path) -> None:
    write_clip(tmp_path, 0, {"amt": 1})
    write_video(tmp_path / "0_amt.mp4", np.zeros((6, 32, 48, 3), np.uint8))
    write_video(tmp_path / "0_gt.mp4", np.zeros((8, 32, 48, 3), np.uint8))
    clip = load_dataset("vidim", data_root=tmp_path).clips[0]
    with pytest.raises(UserError, match=r"0_amt\.mp4 has 6 frames instead of 7"):
        clip.outputs["amt"]()
    with pytest.raises(UserError, match=r"0_gt\.mp4 has 8 frames instead of 7"):
        clip.load()
    write_video(tmp_path / "0_input.mp4", np.zeros((3, 32, 48, 3), np.uint8))
    fails(tmp_path, "0_input.mp4 has 3 frames instead of 2")


def test_sizes_must_agree(tmp_path: Path) -> None:
    write_clip(tmp_path, 0, {})
    write_video(tmp_path / "0_gt.mp4", np.zeros((7, 32, 32, 3), np.uint8))
    with pytest.raises(UserError, match="differ in size"):
        load_dataset("vidim", data_root=tmp_path).clips[0].load()


def test_roots_without_clips(tmp_path: Path) -> None:
    fails(tmp_path / "nowhere", "does not exist")
    fails(tmp_path, "is empty")
    (tmp_path / "movie.mp4").write_bytes(b"x")
    fails(tmp_path, "no clips", "N_input.mp4")


def test_fingerprint_follows_the_bytes(tmp_path: Path) -> None:
    write_clip(tmp_path, 0, {"amt": 1})
    before = load_dataset("vidim", data_root=tmp_path).fingerprint
    write_video(tmp_path / "0_amt.mp4", np.full((7, 32, 48, 3), 77, np.uint8))
    assert load_dataset("vidim", data_root=tmp_path).fingerprint != before


def texture(seed: int, size: int = 400) -> np.ndarray:
    """Blobs of several sizes: plenty of local features, different for each seed."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size, size, 3), np.float32)
    for cells in (8, 20, 50):
        coarse = rng.uniform(0, 255, (cells, cells, 3)).astype(np.float32)
        total += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(total / 3, 0, 255).astype(np.uint8)


def test_views_of_one_scene_are_grouped() -> None:
    first, second, third = texture(1), texture(2), texture(3)
    moved = cv2.warpAffine(first, cv2.getRotationMatrix2D((150.0, 150.0), 7, 1.1), (400, 400))
    views = [
        first[:256, :256],
        second[:256, :256],
        moved[20:276, 30:286],
        third[:256, :256],
        second[60:316, 60:316],
    ]
    assert scenes.group([view[None] for view in views]) == [0, 1, 0, 3, 1]


def test_grouping_is_transitive() -> None:
    """Far ends of a pan share nothing, but are joined by the view between them."""
    wide = np.concatenate([texture(4), texture(5)], axis=1)
    left, between, right = wide[:256, :256], wide[:256, 180:436], wide[:256, 380:636]
    assert scenes.group([left[None], right[None]]) == [0, 1]
    assert scenes.group([left[None], right[None], between[None]]) == [0, 0, 0]


def test_featureless_clips_stay_alone() -> None:
    flat = np.full((2, 64, 64, 3), 128, np.uint8)
    assert scenes.group([flat, flat.copy(), flat.copy()]) == [0, 1, 2]
    assert scenes.group([]) == []


def test_real_clips(shared: Path, tmp_path: Path) -> None:
    root = shared / "vidim"
    if not root.is_dir():
        pytest.skip(f"no VIDIM samples at {root}")
    for number in (11, 27, 40, 48, 18, 22, 6):
        for kind in ("input", "gt", *METHODS):
            shutil.copy(root / f"{number}_{kind}.mp4", tmp_path)
    dataset = load_dataset("vidim", data_root=tmp_path)
    source = {clip.id: clip.source for clip in dataset.clips}
    assert source["011"] == source["027"] == source["048"] == "scene-011"  # a break dancer before one wall
    assert source["018"] == source["022"] == "scene-018"  # the same clip twice
    assert len(set(source.values())) == 4
    clip = dataset.clips[0]
    assert clip.load().shape == (9, 256, 256, 3)
    assert all(clip.outputs[method]().shape == (7, 256, 256, 3) for method in METHODS)


@pytest.mark.slow
def test_all_real_clips(shared: Path) -> None:
    root = shared / "vidim"
    if not root.is_dir():
        pytest.skip(f"no VIDIM samples at {root}")
    dataset = load_dataset("vidim", data_root=root)
    assert len(dataset.clips) == 60 and dataset.methods == METHODS
    assert len({clip.source for clip in dataset.clips}) == 43
