"""Clips of a video come in any order as the whole video has them, and in order it is decoded once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mardini import playback as module
from mardini.errors import UserError
from mardini.playback import Playback
from mardini.synthetic import make_clip
from mardini.video import read_video, write_video


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("videos") / "a.mp4"
    write_video(file, make_clip(5, frames=30, size=(48, 64)), 24)
    return file


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts of beginnings, of frames that were decoded and of frames that were converted."""
    counts = [0, 0, 0]

    def frames(*args):
        counts[0] += 1
        for frame in true_frames(*args):
            counts[1] += 1
            yield frame

    def rgb(*args):
        counts[2] += 1
        return true_rgb(*args)

    true_frames, true_rgb = module.decoded_frames, module.to_rgb
    monkeypatch.setattr(module, "decoded_frames", frames)
    monkeypatch.setattr(module, "to_rgb", rgb)
    return counts


def test_clips_in_order_decode_once(video: Path, decoded: list[int]) -> None:
    whole, played = read_video(video), Playback()
    for start in (0, 9, 18):
        assert (played.clip(video, start, 9) == whole[start : start + 9]).all()
    assert decoded == [1, 27, 27]


def test_what_is_passed_over_is_not_converted(video: Path, decoded: list[int]) -> None:
    assert (Playback().clip(video, 20, 4) == read_video(video)[20:24]).all()
    assert decoded == [1, 24, 4]


def test_clips_in_any_order(video: Path, decoded: list[int]) -> None:
    whole, played = read_video(video), Playback()
    for start in (12, 3, 3, 20, 0):
        assert (played.clip(video, start, 5) == whole[start : start + 5]).all()
    assert decoded[0] == 4  # on from 3 to 20 alone


def test_two_videos_by_turns_and_a_size(video: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.mp4"
    write_video(other, make_clip(6, frames=12, size=(48, 64)), 24)
    played, wholes = Playback((32, 32)), {file: read_video(file, (32, 32)) for file in (video, other)}
    for file, start in ((video, 0), (other, 0), (video, 4), (other, 4)):
        clip = played.clip(file, start, 4)
        assert clip.shape == (4, 32, 32, 3) and (clip == wholes[file][start : start + 4]).all()


def test_a_video_that_ends(video: Path) -> None:
    played = Playback()
    assert len(played.clip(video, 27, 9)) == 3
    assert len(played.clip(video, 36, 9)) == 0
    assert (played.clip(video, 0, 2) == read_video(video)[:2]).all()


def test_damage_is_told_each_time(video: Path, tmp_path: Path) -> None:
    broken = tmp_path / "c.mp4"
    broken.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    played = Playback()
    for _ in range(2):
        with pytest.raises(UserError, match=r"c\.mp4"):
            played.clip(broken, 9, 9)
    assert len(played.clip(video, 9, 9)) == 9


def test_memory_is_that_of_a_clip(video: Path) -> None:
    """Nothing of a video stays behind its clip: the same array never comes twice, and none is a view of more."""
    played = Playback()
    first, second = played.clip(video, 0, 9), played.clip(video, 9, 9)
    assert first.base is None and second.base is None and not np.shares_memory(first, second)
