"""Training clips: item i is always the same clip, from whatever files; what cannot be read is told by name."""

from __future__ import annotations

import io
import json
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import ablations
from eval.datasets import synthetic
from mardini.data import BEYOND, OF_A_RUN, Item, Pictures, Problems, SyntheticClips, batches, first_clip
from mardini.errors import UserError
from mardini.image import write_png
from mardini.synthetic import HELD_OUT, make_clip
from mardini.train import main
from mardini.video import write_video
from mardini.video_data import VideoClips, split
from mardini.video_files import find_videos, read_window


def numbered(count: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Frames whose brightness tells their number: 5 levels a frame."""
    levels = np.arange(count, dtype=np.uint8) * 5
    return np.broadcast_to(levels[:, None, None, None], (count, height, width, 3)).copy()


def numbers(window: np.ndarray) -> list[int]:
    return [round(float(frame.mean()) / 5) for frame in window]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos, a folder of frames and a shard: 6 readable videos at 24 FPS, and a damaged file."""
    root = tmp_path_factory.mktemp("videos")
    for number in range(3):
        write_video(root / "files" / f"{number}.mp4", numbered(30), 24)
    for number, frame in enumerate(numbered(30)):
        write_png(root / "frames" / f"{number}.png", frame)
    with tarfile.open(root / "shard-000.tar", "w") as shard:
        for name in ("a.mp4", "b.mp4"):
            shard.add(root / "files" / "0.mp4", name)
        note = tarfile.TarInfo("a.txt")
        note.size = 4
        shard.addfile(note, io.BytesIO(b"note"))
    whole = (root / "files" / "0.mp4").read_bytes()
    (root / "files" / "broken.mp4").write_bytes(whole[: len(whole) // 2])
    return root


def test_all_kinds_are_found_by_name(folder: Path) -> None:
    names = [video.name.removeprefix(f"{folder}/") for video in find_videos([folder])]
    files = ["files/0.mp4", "files/1.mp4", "files/2.mp4", "files/broken.mp4"]
    assert sorted(names) == sorted([*files, "frames", f"{'shard-000.tar'}:a.mp4", "shard-000.tar:b.mp4"])
    assert find_videos([folder / "files", folder / "frames"])[0].name.endswith("0.mp4")


def test_linked_folders_are_found_once(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(folder / "files")
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "loop").symlink_to(tmp_path)
    assert len(find_videos([tmp_path])) == 4


@pytest.mark.parametrize("kind", ["files/0.mp4", "frames", "shard-000.tar"])
@pytest.mark.parametrize(("place", "first"), [(0.0, 0), (1.0, 17), (0.5, 8)])
def test_a_window_has_the_rate_asked_for(folder: Path, kind: str, place: float, first: int) -> None:
    video = find_videos([folder / kind])[0]
    window = read_window(video, place, 5, 8.0, 24.0)  # every third of 30 frames
    assert window.shape == (5, 48, 64, 3)
    assert numbers(window) == [first + 3 * step for step in range(5)]


def test_a_window_may_be_the_whole_video(folder: Path) -> None:
    for video in find_videos([folder / "files" / "0.mp4", folder / "frames"]):
        assert numbers(read_window(video, 0.7, 30, 24.0, 24.0)) == list(range(30))


@pytest.mark.parametrize(
    ("frames", "fps", "sentence"), [(31, 24.0, "less than the 1.25 s"), (5, 30.0, "fewer than the 30")]
)
def test_a_window_is_never_made_up(folder: Path, frames: int, fps: float, sentence: str) -> None:
    for video in find_videos([folder / "files" / "0.mp4", folder / "frames", folder / "shard-000.tar"]):
        with pytest.raises(UserError, match=sentence):
            read_window(video, 0.0, frames, fps, 24.0)


def clips(folder: Path, count: int = 40, seed: int = 0) -> VideoClips:
    return VideoClips(find_videos([folder]), count, 5, 8.0, 32, seed)


def test_an_item_is_a_function_of_seed_and_number(folder: Path) -> None:
    parts = [range(0, 4), range(4, 8)]
    direct = [clips(folder)[number] for number in range(8)]
    for workers in (0, 2):
        loaded = [item for part in batches(clips(folder), parts, workers) for item in part]
        for item, expected in zip(loaded, direct, strict=True):
            assert torch.equal(item.frames, expected.frames) and item.problems == expected.problems
    assert direct[0].frames.shape == (5, 3, 32, 32) and direct[0].frames.dtype == torch.uint8
    other = [clips(folder, seed=1)[number] for number in range(8)]
    assert any(not torch.equal(a.frames, b.frames) for a, b in zip(direct, other, strict=True))


def test_every_pass_shows_every_video_once(folder: Path) -> None:
    data = clips(folder)
    assert sorted(data._order(3)) == list(range(len(data.videos)))
    assert data._order(0) != data._order(1)


def test_unreadable_files_are_named_and_replaced(folder: Path) -> None:
    problems, told = Problems(), []
    for number in range(14):  # two passes
        item = clips(folder)[number]
        assert item.frames is not None
        told += problems.add([item], number)
    assert list(problems.known) == [str(folder / "files" / "broken.mp4")]
    assert len(told) == 1 and "broken.mp4" in told[0]


def test_nothing_readable_is_a_mistake(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"no video")
    data = VideoClips(find_videos([tmp_path]), 4, 5, 8.0, 32, 0)
    with pytest.raises(UserError, match="none of the files given as data"):
        list(batches(data, [range(2)], 0))
    with pytest.raises(UserError, match="none of the files held out"):
        list(batches(data, [range(2)], 0, "files held out of the data"))


def test_held_out_videos_are_never_trained_on(folder: Path) -> None:
    training, held_out = split([folder])
    assert len(held_out) == 1 and len(training) == 6
    assert not {v.name for v in training} & {v.name for v in held_out}
    with pytest.raises(UserError, match="at least two"):
        split([folder / "files" / "0.mp4"])


@pytest.mark.parametrize("content", [None, "", "text"])
def test_places_without_videos_are_refused(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "data"
    if content == "":
        path.mkdir()
    elif content:
        path.with_suffix(".tar").write_text(content)
        path = path.with_suffix(".tar")
    with pytest.raises(UserError, match="data"):
        find_videos([path])


def test_training_on_files_counts_what_it_could_not_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--preset", "tiny", "--clips", "16", "--batch", "8", "--workers", "0", "--log-every", "1"]
    options += ["--stage", "codec", "--out", str(tmp_path), "--data", str(folder / "files"), "--data"]
    assert main([*options, str(folder / "frames")]) == 0
    captured = capsys.readouterr()
    assert "1 files could not be read" in captured.out and "broken.mp4" in captured.out
    rows = (tmp_path / "tiny" / "codec" / "log.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["unreadable"] == 1
    named = json.loads((tmp_path / "tiny" / "codec" / "unreadable.json").read_text())
    assert [Path(name).name for name in named] == ["broken.mp4"]


def test_procedural_clips_show_time_at_their_rate() -> None:
    whole = SyntheticClips(2, 9, 24.0, 32, first=5)[0].frames
    assert torch.equal(whole, torch.from_numpy(make_clip(5, 9, (32, 32))).permute(0, 3, 1, 2))
    part, slower = (SyntheticClips(2, 3, fps, 32, first=5)[0].frames for fps in (24.0, 6.0))
    ends = [float((clip[0].float() - clip[-1].float()).abs().mean()) for clip in (part, slower)]
    assert part.shape == (3, 3, 32, 32) and ends[0] < ends[1]
    assert torch.equal(slower, torch.from_numpy(make_clip(5, 3, (32, 32))).permute(0, 3, 1, 2))


def test_training_seeds_stay_below_held_out_ones() -> None:
    with pytest.raises(ValueError, match="held-out"):
        SyntheticClips(HELD_OUT + 1, 9, 24.0, 32)
    assert len(SyntheticClips(32, 9, 24.0, 32, first=HELD_OUT)) == 32


@pytest.mark.parametrize("seed", [*range(30), 1_000])
def test_no_training_seed_draws_held_out_clips_or_those_of_a_benchmark(seed: int) -> None:
    first, last = first_clip(seed), first_clip(seed) + OF_A_RUN
    assert last <= HELD_OUT or first >= BEYOND
    assert BEYOND > ablations.FIRST_SEED + ablations.SCORED_CLIPS
    assert synthetic.FIRST_SEED + 100_000 * 1_000_000 < BEYOND  # of the millionth --seed of an evaluation
    assert first_clip(8) == 8_000_000  # what ships and what is recorded drew these
    with pytest.raises(ValueError, match="held-out"):
        Pictures(32 * (HELD_OUT + 1), 1, 32)


def test_problems_are_counted_once() -> None:
    problems = Problems()
    item = Item(None, (("a", "a is broken"), ("b", "b is broken")))
    assert problems.add([item, item], 4) == ["a is broken", "b is broken"]
    assert problems.add([item], 9) == []
    assert problems.known == {"a": ("a is broken", 4), "b": ("b is broken", 4)}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_memory_is_kept_where_clips_are_made() -> None:
    """In a process of its own, since it cannot be undone: hardly any new pages from clip to clip."""
    code = """
import resource, numpy as np
from mardini.data import keep_memory
from mardini.synthetic import make_scene, render
keep_memory()
def faults(clips):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for seed in range(clips):
        render(make_scene(seed), np.linspace(0, 1, 9), (128, 128))
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(8)
print(faults(8) / 8)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 500  # a thousand without
