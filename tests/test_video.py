"""Clips are read whole and exactly, or refused with the file's name."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mardini.errors import UserError
from mardini.image import image_files, write_png
from mardini.synthetic import make_clip
from mardini.video import (
    VideoInfo,
    probe_video,
    read_clip,
    read_frames,
    read_video,
    resize,
    to_float,
    to_uint8,
    write_video,
)
from mardini.video_files import Video, read_window


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return make_clip(3, frames=5, size=(48, 64))


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def write_frames(folder: Path, clip: np.ndarray, names: list[str]) -> None:
    for frame, name in zip(clip, names, strict=True):
        write_png(folder / name, frame)


@pytest.mark.parametrize("suffix", [".mp4", ".MKV", ".mov"])
def test_a_written_video_comes_back(tmp_path: Path, clip: np.ndarray, suffix: str) -> None:
    grey = np.repeat(clip.mean(-1, keepdims=True), 3, -1).astype(np.uint8)  # chroma is halved by design
    write_video(tmp_path / f"a{suffix}", grey, 24)
    back = read_clip(tmp_path / f"a{suffix}")
    assert back.shape == clip.shape and back.dtype == np.uint8
    assert psnr(back, grey) > 38
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


def test_colours_come_back(tmp_path: Path) -> None:
    colours = np.array([(200, 30, 40), (20, 180, 60), (30, 50, 220), (128, 128, 128)], np.uint8)
    frames = np.broadcast_to(colours[:, None, None], (4, 32, 32, 3)).copy()
    write_video(tmp_path / "a.mp4", frames, 23.976)
    assert np.abs(read_video(tmp_path / "a.mp4").astype(int) - frames).max() <= 6


def test_odd_sizes_are_padded_by_copies_of_the_border(tmp_path: Path) -> None:
    frames = make_clip(5, frames=2, size=(33, 47))
    write_video(tmp_path / "a.mp4", frames, 10)
    back = read_video(tmp_path / "a.mp4").astype(int)
    assert back.shape == (2, 34, 48, 3)
    assert np.abs(back[:, 33] - back[:, 32]).mean() < 8


def test_a_gif_has_as_many_frames(tmp_path: Path, clip: np.ndarray) -> None:
    write_video(tmp_path / "a.gif", clip, 12.5)
    assert psnr(read_clip(tmp_path / "a.gif"), clip) > 25


def test_the_rate_is_kept(tmp_path: Path, clip: np.ndarray) -> None:
    import av

    write_video(tmp_path / "a.mp4", clip, 30000 / 1001)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(29.97, abs=1e-3)


@pytest.mark.parametrize("fps", [0, -1, float("nan")])
def test_a_rate_must_be_positive(tmp_path: Path, clip: np.ndarray, fps: float) -> None:
    with pytest.raises(UserError, match="fps"):
        write_video(tmp_path / "a.mp4", clip, fps)


def test_what_cannot_be_written_is_refused(tmp_path: Path, clip: np.ndarray) -> None:
    with pytest.raises(UserError, match="suffix"):
        write_video(tmp_path / "a.xyz", clip, 24)
    with pytest.raises(UserError, match="float32"):
        write_video(tmp_path / "a.mp4", clip.astype(np.float32), 24)
    with pytest.raises(UserError, match=r"shape \(48, 64\)"):
        write_png(tmp_path / "a.png", clip[0, ..., 0])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.mp4", "a.jpg", "a.png", "a.npy", "a.npz"])
def test_an_empty_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=rf"{name} is empty"):
        read_clip(tmp_path / name)


@pytest.mark.parametrize("name", ["a.mp4", "a.jpg", "a.png", "a.npy", "a.npz"])
def test_garbage_and_absence_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=name):
        read_clip(tmp_path / name)
    (tmp_path / name).write_bytes(b"no such format " * 50)
    with pytest.raises(UserError, match=name):
        read_clip(tmp_path / name)


@pytest.mark.parametrize("name", ["a.mp4", "a.jpg", "a.png", "a.npy", "a.npz"])
@pytest.mark.parametrize("part", [0.3, 0.7, 0.95])
def test_a_truncated_file_is_refused_by_name(
    tmp_path: Path, clip: np.ndarray, name: str, part: float
) -> None:
    path = tmp_path / name
    match path.suffix:
        case ".mp4":
            write_video(path, clip, 24)
        case ".npy":
            np.save(path, clip)
        case ".npz":
            np.savez_compressed(path, clip)
        case _:
            Image.fromarray(clip[0]).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(UserError, match=name):
        read_clip(path)


def test_a_video_damaged_in_the_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, make_clip(1, frames=9, size=(128, 128)), 24)
    data = bytearray(path.read_bytes())
    start, end = data.index(b"mdat"), data.index(b"moov") - 4
    middle = (start + end) // 2
    data[middle:end] = bytes(end - middle)
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"a\.mp4"):
        read_video(path)


def test_a_video_that_is_stored_turned_is_refused(tmp_path: Path, clip: np.ndarray) -> None:
    """As a phone writes it: upright by the matrix of its track alone."""
    path = tmp_path / "phone.mp4"
    write_video(path, clip, 24)
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    content[place : place + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 32 << 16, 0, 1 << 30)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"phone\.mp4 is stored turned by 90 degrees"):
        read_video(path)
    with pytest.raises(UserError, match="is stored turned"):
        read_window(Video(path, "phone"), 0.0, 2, 24.0, 24.0)


def test_a_codec_that_is_not_known_is_refused(tmp_path: Path, clip: np.ndarray) -> None:
    path = tmp_path / "odd.mp4"
    write_video(path, clip, 24)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9"))
    for read in (read_video, probe_video):
        with pytest.raises(UserError, match=r"odd\.mp4"):
            read(path)


def test_a_file_without_video_is_refused(tmp_path: Path) -> None:
    import av

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(UserError, match="no video stream"):
        read_video(path)


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path, clip: np.ndarray) -> None:
    write_frames(tmp_path, clip, ["f1.png", "f2.PNG", "f9.png", "f10.png", "f11.png"])
    (tmp_path / "notes.txt").write_text("no frame")
    (tmp_path / "._f3.png").write_bytes(b"a file manager's")
    assert [path.name for path in image_files(tmp_path)] == [
        "f1.png",
        "f2.PNG",
        "f9.png",
        "f10.png",
        "f11.png",
    ]
    np.testing.assert_array_equal(read_clip(tmp_path), clip)


def test_a_folder_of_mixed_sizes_is_refused(tmp_path: Path, clip: np.ndarray) -> None:
    write_frames(tmp_path, clip[:2], ["0.png", "1.png"])
    write_png(tmp_path / "2.png", clip[2, 1:])
    with pytest.raises(UserError, match=r"2\.png is 47x64 but .*0\.png is 48x64"):
        read_frames(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no images"):
        read_clip(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        read_frames(tmp_path / "absent")


def test_one_image_is_a_clip_of_one_frame(tmp_path: Path, clip: np.ndarray) -> None:
    write_png(tmp_path / "a.png", clip[0])
    np.testing.assert_array_equal(read_clip(tmp_path / "a.png"), clip[:1])


def test_a_video_says_what_it_is_without_being_decoded(tmp_path: Path, clip: np.ndarray) -> None:
    write_video(tmp_path / "a.mp4", clip, 12.5)
    assert probe_video(tmp_path / "a.mp4") == VideoInfo(5, 12.5, 48, 64, "h264", "yuv420p")
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot read video .*a\.mp4 \(it is empty\)"):
        probe_video(tmp_path / "a.mp4")


def test_a_video_is_stretched_as_ffmpeg_does(tmp_path: Path, clip: np.ndarray) -> None:
    """By the scale filter, run here by itself in one graph with the conversion to RGB, in the video's format."""
    from av.filter import Graph

    write_video(tmp_path / "a.mp4", clip, 24)
    stretched = read_video(tmp_path / "a.mp4", size=(40, 100))
    assert stretched.shape == (5, 40, 100, 3)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        for frame, ours in zip(container.decode(stream), stretched, strict=True):
            graph = Graph()
            nodes = [
                graph.add_buffer(template=stream),
                graph.add("scale", "100x40"),
                graph.add("format", "yuv420p"),
            ]
            graph.link_nodes(*nodes, graph.add("buffersink")).configure()
            graph.push(frame)
            np.testing.assert_array_equal(ours, graph.pull().to_ndarray(format="rgb24"))
    plain = resize(read_video(tmp_path / "a.mp4"), (40, 100))
    assert psnr(stretched, plain) > 30


def test_arrays_come_back(tmp_path: Path, clip: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", clip)
    np.savez(tmp_path / "one.npz", anything=clip)
    np.savez(tmp_path / "two.npz", frames=clip, mask=np.zeros(3))
    for name in ("a.npy", "one.npz", "two.npz"):
        np.testing.assert_array_equal(read_clip(tmp_path / name), clip)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_in_the_unit_range_are_rounded(tmp_path: Path, clip: np.ndarray, dtype: type) -> None:
    np.save(tmp_path / "a.npy", (clip / 255).astype(dtype))
    np.testing.assert_array_equal(read_clip(tmp_path / "a.npy"), clip)


@pytest.mark.parametrize(
    ("array", "what"),
    [
        (np.full((2, 4, 4, 3), 1.5), "floats from 1.5 to 1.5"),
        (np.full((2, 4, 4, 3), -0.1), "floats from -0.1"),
        (np.full((2, 4, 4, 3), np.nan), "nan"),
        (np.zeros((2, 4, 4, 3), np.int64), "int64"),
        (np.zeros((2, 4, 4, 3), bool), "bool"),
        (np.zeros((2, 3, 4, 4), np.uint8), r"\(2, 3, 4, 4\)"),
        (np.zeros((4, 4, 3), np.uint8), r"\(4, 4, 3\)"),
        (np.zeros((0, 4, 4, 3), np.uint8), r"\(0, 4, 4, 3\)"),
    ],
)
def test_arrays_of_another_kind_are_refused(tmp_path: Path, array: np.ndarray, what: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UserError, match=what):
        read_clip(tmp_path / "a.npy")


def test_ambiguous_and_pickled_arrays_are_refused(tmp_path: Path, clip: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", one=clip, two=clip)
    with pytest.raises(UserError, match="one, two"):
        read_clip(tmp_path / "a.npz")
    np.save(tmp_path / "b.npy", np.array([{"code": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"b\.npy"):
        read_clip(tmp_path / "b.npy")


def test_unknown_kinds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(UserError, match="no known kind"):
        read_clip(tmp_path / "a.txt")
    with pytest.raises(UserError, match="does not exist"):
        read_clip(tmp_path / "absent")


def test_shrinking_averages_areas() -> None:
    frames = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
    means = frames.reshape(2, 2, 2, 3, 2, 3).astype(float).mean((2, 4))
    assert np.abs(resize(frames, (2, 3)) - means).max() <= 0.5


@given(height=st.integers(1, 40), width=st.integers(1, 40), level=st.integers(0, 255))
def test_resizing_keeps_constants_and_gives_the_size(height: int, width: int, level: int) -> None:
    frames = np.full((2, 13, 17, 3), level, np.uint8)
    result = resize(frames, (height, width))
    assert result.shape == (2, height, width, 3)
    assert (result == level).all()


def test_resizing_to_the_same_size_copies(clip: np.ndarray) -> None:
    result = resize(clip, (48, 64))
    np.testing.assert_array_equal(result, clip)
    assert not np.shares_memory(result, clip)
    assert resize(clip[:0], (8, 8)).shape == (0, 8, 8, 3)


def test_tensors_round_trip(clip: np.ndarray) -> None:
    tensor = to_float(clip)
    assert tensor.shape == (5, 3, 48, 64) and tensor.dtype == torch.float32
    assert float(tensor.min()) >= 0 and float(tensor.max()) <= 1
    np.testing.assert_array_equal(to_uint8(tensor), clip)


def test_tensors_are_clipped_and_rounded() -> None:
    values = torch.tensor([-0.5, 1.7, 0.5 / 255 + 1e-4, 0.5 / 255 - 1e-4]).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    assert to_uint8(values)[:, 0, 0, 0].tolist() == [0, 255, 1, 0]
    with pytest.raises(ValueError, match="NaN"):
        to_uint8(torch.full((1, 3, 2, 2), float("nan")))


def test_real_videos_are_read_whole(shared: Path) -> None:
    if not (shared / "vidim" / "0_gt.mp4").is_file():
        pytest.skip(f"{shared / 'vidim'} has no 0_gt.mp4")
    frames = read_video(shared / "vidim" / "0_gt.mp4")
    assert frames.shape == (7, 256, 256, 3)
    assert np.abs(np.diff(frames.astype(int), axis=0)).mean((1, 2, 3)).min() > 1  # seven different frames
