"""DAVIS-7: the published rules, the counts, the layouts, and a sentence for every damaged tree."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eval.datasets import load_dataset
from eval.datasets.chunks import starts
from eval.datasets.davis import CLIPS, SEQUENCES, TRAIN, VAL, check_complete, preprocess
from mardini.errors import UserError
from mardini.image import read_image
from mardini.video import read_video


def frame(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def make_tree(folder: Path, counts: dict[str, int], seed: int = 0) -> Path:
    """A DAVIS tree below ``folder``; gives the folder ``JPEGImages/480p``."""
    frames = folder / "JPEGImages" / "480p"
    for number, (name, count) in enumerate(counts.items()):
        (frames / name).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(frame(seed + 1000 * number + index)).save(
                frames / name / f"{index:05d}.jpg", quality=90
            )
    return frames


def fails(root: Path | None, *words: str, **options) -> None:
    with pytest.raises(UserError) as error:
        load_dataset("davis", data_root=root, **options)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_the_fifty_sequences() -> None:
    assert (len(TRAIN), sum(TRAIN.values())) == (30, 2079)
    assert (len(VAL), sum(VAL.values())) == (20, 1376)
    assert list(SEQUENCES) == sorted(SEQUENCES) and len(SEQUENCES) == 50
    assert sum(len(starts(frames, 9)) for frames in SEQUENCES.values()) == CLIPS == 357


@given(st.integers(0, 500))
def test_chunks_are_whole_apart_and_all_there(frames: int) -> None:
    chunks = [range(start, start + 9) for start in starts(frames, 9)]
    assert [index for chunk in chunks for index in chunk] == list(range(9 * (frames // 9)))


def test_partial_root(tmp_path: Path) -> None:
    frames = make_tree(tmp_path, {"dog": 20, "bear": 9})
    dataset = load_dataset("davis", data_root=tmp_path)
    assert [clip.id for clip in dataset.clips] == ["bear/00000", "dog/00000", "dog/00009"]
    assert [clip.source for clip in dataset.clips] == ["bear", "dog", "dog"]
    assert dataset.expected == 357 and dataset.root == frames
    assert list(dataset.notices) == [
        "3 of the 357 clips of DAVIS-7 are here (2 of 50 sequences); "
        "numbers are not comparable with the full set"
    ]
    clip = dataset.clips[2].load()
    assert clip.shape == (9, 256, 256, 3) and clip.dtype == np.uint8
    third = np.asarray(Image.open(frames / "dog" / "00011.jpg"))
    np.testing.assert_array_equal(clip[2], preprocess(third))


@pytest.mark.parametrize("above", ["", "DAVIS", "DAVIS-data/DAVIS"])
def test_layouts(tmp_path: Path, above: str) -> None:
    frames = make_tree(tmp_path / above, {"cows": 9})
    whole = load_dataset("davis", data_root=tmp_path)
    direct = load_dataset("davis", data_root=frames)
    assert [clip.id for clip in whole.clips] == [clip.id for clip in direct.clips] == ["cows/00000"]
    assert whole.fingerprint == direct.fingerprint
    shutil.move(frames, tmp_path / "renamed")
    assert load_dataset("davis", data_root=tmp_path / "renamed").fingerprint == whole.fingerprint


def test_2017_is_filtered_with_a_notice(tmp_path: Path) -> None:
    make_tree(tmp_path, {"cows": 9, "bike-packing": 12, "boxing-fisheye": 9})
    dataset = load_dataset("davis", data_root=tmp_path)
    assert [clip.source for clip in dataset.clips] == ["cows"]
    assert "2 folders" in dataset.notices[0] and "bike-packing, boxing-fisheye" in dataset.notices[0]


def test_full_set(tmp_path: Path) -> None:
    """The full set by its frame counts, with hard links to one picture in place of 3455 of them."""
    image = tmp_path / "image.jpg"
    Image.fromarray(frame(1)).save(image)
    for name, count in SEQUENCES.items():
        folder = tmp_path / "DAVIS" / "JPEGImages" / "480p" / name
        folder.mkdir(parents=True)
        for index in range(count):
            (folder / f"{index:05d}.jpg").hardlink_to(image)
    dataset = load_dataset("davis", data_root=tmp_path)
    assert len(dataset.clips) == 357 and not dataset.notices
    assert [clip.id for clip in dataset.clips] == sorted(clip.id for clip in dataset.clips)
    ten = load_dataset("davis", data_root=tmp_path, limit=10)
    assert len({clip.source for clip in ten.clips}) == 10 and "10 of 357" in ten.notices[0]
    (tmp_path / "DAVIS" / "JPEGImages" / "480p" / "lucia" / "00069.jpg").unlink()  # 70 -> 69: still 7 clips
    assert len(load_dataset("davis", data_root=tmp_path).clips) == 357
    for index in range(60, 69):
        (tmp_path / "DAVIS" / "JPEGImages" / "480p" / "lucia" / f"{index:05d}.jpg").unlink()
    fails(tmp_path, "356 clips instead of 357", "lucia 60 of 70")


def test_complete_check_passes_only_on_357() -> None:
    check_complete(dict(SEQUENCES), 357, 357)
    with pytest.raises(UserError, match="bear 9 of 82, boat 9 of 75"):
        check_complete(SEQUENCES | {"bear": 9, "boat": 9}, 342, 357)


def test_fingerprint_is_of_the_used_bytes(tmp_path: Path) -> None:
    frames = make_tree(tmp_path, {"bear": 10, "dog": 18})
    before = load_dataset("davis", data_root=tmp_path).fingerprint
    assert load_dataset("davis", data_root=tmp_path, limit=2).fingerprint != before
    Image.fromarray(frame(99)).save(frames / "bear" / "00009.jpg")  # the remainder: in no clip
    assert load_dataset("davis", data_root=tmp_path).fingerprint == before
    Image.fromarray(frame(99)).save(frames / "bear" / "00008.jpg")
    assert load_dataset("davis", data_root=tmp_path).fingerprint != before


def test_missing_empty_and_foreign_roots(tmp_path: Path) -> None:
    fails(tmp_path / "nowhere", "does not exist", "--data-root")
    fails(tmp_path, "is empty", "JPEGImages/480p")
    (tmp_path / "file").write_text("x")
    fails(tmp_path / "file", "is not a folder")
    fails(tmp_path, "holds no JPEGImages/480p")
    (tmp_path / "JPEGImages" / "480p").mkdir(parents=True)
    fails(tmp_path, "is empty")
    (tmp_path / "JPEGImages" / "480p" / "my-holidays").mkdir()
    fails(tmp_path, "none of the 50 sequences")


def test_short_sequence(tmp_path: Path) -> None:
    make_tree(tmp_path, {"bear": 9, "dog": 8})
    fails(tmp_path, "dog has 8 frames, fewer than the 9")


def test_clips_longer_than_every_sequence(tmp_path: Path) -> None:
    make_tree(tmp_path, {"dog": SEQUENCES["dog"]})
    fails(tmp_path, "holds no clip of 99 frames", "give fewer --frames", frames=99)


def test_gap_surplus_and_odd_names(tmp_path: Path) -> None:
    frames = make_tree(tmp_path, {"dog-agility": 26, "dog": 12})
    fails(tmp_path, "dog-agility has 26 frames where DAVIS has 25")
    (frames / "dog-agility" / "00025.jpg").unlink()
    (frames / "dog" / "00003.jpg").unlink()
    fails(tmp_path, "lacks frame 00003.jpg")
    (frames / "dog" / "00004.jpg").rename(frames / "dog" / "00003.jpg")
    (frames / "dog" / "copy.jpg").write_bytes((frames / "dog" / "00003.jpg").read_bytes())
    fails(tmp_path, "lacks frame 00004.jpg")
    (frames / "dog" / "00011.jpg").rename(frames / "dog" / "00004.jpg")
    fails(tmp_path, "copy.jpg is no frame of DAVIS")


def test_truncated_jpeg(tmp_path: Path) -> None:
    frames = make_tree(tmp_path, {"bear": 9})
    file = frames / "bear" / "00004.jpg"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    clip = load_dataset("davis", data_root=tmp_path).clips[0]
    with pytest.raises(UserError, match=r"00004\.jpg"):
        clip.load()


@pytest.mark.parametrize("limit", [0, -3])
def test_limit_below_one(tmp_path: Path, limit: int) -> None:
    make_tree(tmp_path, {"bear": 9})
    fails(tmp_path, f"limit of {limit}", limit=limit)


def reference(image: np.ndarray) -> np.ndarray:
    """The published steps in float64: centre square, x/255, x^2.2, area, x^(1/2.2), x*255+0.5.

    Area averaging as an explicit matrix of overlaps, so nothing is shared with what it checks.
    """
    side = 2 * (min(image.shape[:2]) // 2)
    top, left = (length // 2 - side // 2 for length in image.shape[:2])
    square = (image[top : top + side, left : left + side].astype(np.float64) / 255) ** 2.2
    edges = np.arange(257) * side / 256
    pixel = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    weights = np.clip(overlap, 0, None) * 256 / side
    small = np.einsum("yh,hwc,xw->yxc", weights, square, weights, optimize=True)
    return small ** (1 / 2.2) * 255 + 0.5


def assert_agrees(image: np.ndarray) -> None:
    """Equal up to float32 rounding of the exact value, before it is cut to an integer."""
    result, exact = preprocess(image), reference(image)
    assert result.shape == (256, 256, 3) and result.dtype == np.uint8
    step = exact - result  # between 0 and 1, as + 0.5 is part of both
    assert step.min() > -2e-3 and step.max() < 1 + 2e-3


@pytest.mark.parametrize("size", [(480, 854), (481, 700), (700, 513), (256, 300)])
def test_preprocessing_follows_the_published_steps(size: tuple[int, int]) -> None:
    image = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    image[:20] = 0
    image[-20:] = 255
    assert_agrees(image)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 255), st.integers(2, 300), st.integers(2, 300))
def test_flat_frames_keep_their_grey(grey: int, height: int, width: int) -> None:
    """Also when enlarging: the gamma is undone exactly."""
    assert np.all(preprocess(np.full((height, width, 3), grey, np.uint8)) == grey)


def test_averages_in_linear_light() -> None:
    """Black and white columns mix to 255 * 0.5^(1/2.2) = 186, not to 128."""
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.all(preprocess(stripes) == 186)


def test_real_frames(shared: Path) -> None:
    root = shared / "davis"
    if not root.is_dir():
        pytest.skip(f"no DAVIS at {root}")
    dataset = load_dataset("davis", data_root=root)
    assert len(dataset.clips) == 30 and len({clip.source for clip in dataset.clips}) == 10
    assert "30 of the 357 clips of DAVIS-7 are here (10 of 50 sequences)" in dataset.notices[0]
    image = np.asarray(Image.open(root / "JPEGImages" / "480p" / "dog" / "00013.jpg"))
    assert_agrees(image)
    clip = next(clip for clip in dataset.clips if clip.id == "dog/00009")
    np.testing.assert_array_equal(clip.load()[4], preprocess(image))


def test_agrees_with_the_authors_own_clip(shared: Path) -> None:
    """Clip 1 of VIDIM's web site is ``dance-twirl/00000``: nearer to ours than without the linear light."""
    ours, theirs = shared / "davis", shared / "vidim"
    if not (ours.is_dir() and theirs.is_dir()):
        pytest.skip(f"no DAVIS and VIDIM samples in {shared}")
    dataset = load_dataset("davis", data_root=ours)
    clip = next(clip for clip in dataset.clips if clip.id == "dance-twirl/00000").load()[1:8]
    published = read_video(theirs / "1_gt.mp4").astype(np.float64)
    files = [ours / "JPEGImages" / "480p" / "dance-twirl" / f"{index:05d}.jpg" for index in range(1, 8)]
    plain = [
        cv2.resize(read_image(file)[:, 187:667], (256, 256), interpolation=cv2.INTER_AREA) for file in files
    ]

    def psnr(frames: np.ndarray) -> float:
        return float(10 * np.log10(255**2 / np.mean((published - frames) ** 2)))

    assert psnr(clip) > 35.0  # what H.264 leaves
    assert psnr(clip) > psnr(np.stack(plain)) + 0.1
