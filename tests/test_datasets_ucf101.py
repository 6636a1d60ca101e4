"""UCF101-7: the frozen list, the stretch, the layouts, the download, and a sentence for every damaged copy."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from eval.datasets import DATASETS, load_dataset, ucf101_download
from eval.datasets.archives import Archive
from eval.datasets.ucf101 import CERTAIN, LIKELY, VIDEOS, clip_ids, list_hash
from eval.interpolation import main
from mardini.errors import UserError
from mardini.playback import Playback

LONGEST = 9 * max(VIDEOS.values())


def write_avi(file: Path, frames: int, size: tuple[int, int] = (24, 32)) -> None:
    """MPEG-4 in AVI, as UCF101 is; the left half is dark, the right one bright, frame by frame more so."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            picture = np.full((*size, 3), 40 + index % 9, np.uint8)
            picture[:, size[1] // 2 :] += 150
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One video that is long enough for all: copies of it are hard links."""
    file = tmp_path_factory.mktemp("ucf") / "video.avi"
    write_avi(file, LONGEST)
    return file


def flat(folder: Path, video: Path, names: list[str] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or VIDEOS:
        (folder / f"v_{name}.avi").hardlink_to(video)
    return folder


def fails(root: Path | None, *words: str, **options) -> None:
    with pytest.raises(UserError) as error:
        load_dataset("ucf101", data_root=root, **options)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_the_frozen_list() -> None:
    """A change here changes the benchmark: it needs another version in ``eval.datasets.DATASETS``."""
    assert len(VIDEOS) == 19 and sum(VIDEOS.values()) == 400
    assert len(CERTAIN) == 16 and sum(CERTAIN.values()) == 324
    assert list(LIKELY.values()) == [12, 35, 29]
    assert list_hash() == "4ff5f4019825b6e4f43ffc7a34b51769193ed99dc45a0aed27ed4ce1b1f40e52"
    assert len(clip_ids()) == len(set(clip_ids())) == 400 and clip_ids() == sorted(clip_ids())
    assert list_hash(VIDEOS | {"Archery_g05_c01": 28}) != list_hash()


def test_the_whole_set(tmp_path: Path, video: Path) -> None:
    dataset = load_dataset("ucf101", data_root=flat(tmp_path / "UCF101", video))
    assert [clip.id for clip in dataset.clips] == clip_ids()
    assert len({clip.source for clip in dataset.clips}) == 19
    assert dataset.expected == 400 and dataset.details["clip_list_sha256"] == list_hash()
    assert len(dataset.notices) == 1 and list_hash() in dataset.notices[0]
    assert load_dataset("ucf101", data_root=tmp_path).fingerprint == dataset.fingerprint
    ten = load_dataset("ucf101", data_root=tmp_path, limit=10)
    assert len(ten.clips) == 10 and "10 of 400" in ten.notices[-1]


def test_frames_are_stretched_and_not_cropped(tmp_path: Path, video: Path) -> None:
    """Both halves keep half of the width; the values are those of a bicubic resize of the decoded frames."""
    root = flat(tmp_path, video, ["TaiChi_g01_c04"])
    clips = load_dataset("ucf101", data_root=root).clips
    assert len(clips) == 18
    frames = clips[2].load()
    assert frames.shape == (9, 256, 256, 3) and frames.dtype == np.uint8 and clips[2].size == (256, 256)
    assert np.abs(frames[:, :, :112].astype(int) - 44).max() < 12
    assert np.abs(frames[:, :, 144:].astype(int) - 194).max() < 12
    with av.open(str(video)) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][18:27]
    for ours, raw in zip(frames, decoded, strict=True):
        theirs = cv2.resize(raw, (256, 256), interpolation=cv2.INTER_CUBIC)
        assert np.abs(ours.astype(float) - theirs).mean() < 3
    again = clips[2].load()
    again[:] = 0
    np.testing.assert_array_equal(clips[2].load(), frames)


def test_other_lengths_come_from_the_same_stretch(tmp_path: Path, video: Path) -> None:
    dataset = load_dataset("ucf101", data_root=flat(tmp_path, video, ["TaiChi_g01_c04"]), frames=17)
    assert [clip.id[-5:] for clip in dataset.clips] == [f"{17 * i:05d}" for i in range(9)]  # of 162 frames


@pytest.mark.parametrize("above", ["", "UCF-101", "UCF101/UCF-101"])
def test_layout_of_the_authors(tmp_path: Path, video: Path, above: str) -> None:
    """One folder a class; the class whose name is spelled in two ways is no trap, as folders are not read."""
    for folder, name in (("TaiChi", "TaiChi_g01_c04"), ("HandStandPushups", "HandstandPushups_g01_c01")):
        flat(tmp_path / above / folder, video, [name])
    dataset = load_dataset("ucf101", data_root=tmp_path)
    assert {clip.source for clip in dataset.clips} == {"TaiChi_g01_c04"}
    assert "18 of the 400 clips of UCF101-7 are here (no BlowDryHair_g04_c05" in dataset.notices[1]


@pytest.mark.parametrize("spelling", ["HandstandPushups", "HandStandPushups"])
def test_a_whole_copy_may_lack_no_listed_video(tmp_path: Path, video: Path, spelling: str) -> None:
    names = list(VIDEOS)[1:]
    classes = {name.split("_")[0].lower() for name in VIDEOS} | {spelling.lower()}
    others = [f"Class{chr(97 + i // 26)}{chr(97 + i % 26)}_g01_c01" for i in range(101 - len(classes))]
    flat(tmp_path, video, [*names, *others, "BlowDryHair_g01_c01", f"{spelling}_g01_c01"])
    fails(tmp_path, "all 101 classes of UCF101, but lacks BlowDryHair_g04_c05")


def test_short_videos_are_all_named(tmp_path: Path, video: Path) -> None:
    flat(tmp_path, video, ["TaiChi_g01_c04"])
    write_avi(tmp_path / "v_Archery_g05_c05.avi", 188)
    write_avi(tmp_path / "v_FieldHockeyPenalty_g05_c02.avi", 71)
    fails(
        tmp_path,
        "2 videos of UCF101-7 are cut short",
        "v_Archery_g05_c05.avi has 188 frames of at least 189",
        "v_FieldHockeyPenalty_g05_c02.avi has 71 frames of at least 72",
    )


def test_a_truncated_file_is_named(tmp_path: Path, video: Path) -> None:
    (tmp_path / "v_TaiChi_g01_c04.avi").write_bytes(video.read_bytes()[: video.stat().st_size // 8])
    fails(tmp_path, "v_TaiChi_g01_c04.avi")
    (tmp_path / "v_TaiChi_g01_c04.avi").write_bytes(b"")
    fails(tmp_path, "v_TaiChi_g01_c04.avi", "it is empty")


def test_foreign_roots(tmp_path: Path, video: Path) -> None:
    fails(tmp_path / "nowhere", "does not exist")
    fails(tmp_path, "is empty")
    flat(tmp_path, video, ["Archery_g01_c01"])
    fails(tmp_path, "holds none of the 19 videos of UCF101-7 (v_BlowDryHair_g04_c05.avi ...)")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_download_keeps_the_listed_videos_only(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in [*VIDEOS, "Archery_g01_c01"]:
            archive.writestr(f"UCF101/v_{name}.avi", b"video of " + name.encode())
    server_folder, cache = tmp_path / "server", tmp_path / "cache"
    server_folder.mkdir()
    (server_folder / "UCF101_videos.zip").write_bytes(buffer.getvalue())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(server_folder)))
    threading.Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/UCF101_videos.zip"
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        folder = ucf101_download.fetch(cache, archives=[Archive(url, "1 kB", sha256=digest)], progress=False)
        with pytest.raises(UserError, match=r"UCF101_videos\.zip.* instead of 0000"):
            ucf101_download.fetch(
                tmp_path / "b", archives=[Archive(url, "1 kB", sha256="0" * 64)], progress=False
            )
        with pytest.raises(UserError, match=r"has no v_Nobody_g01_c01\.avi"):
            ucf101_download.fetch(
                tmp_path / "c",
                archives=[Archive(url, "1 kB", sha256=digest)],
                videos=["Nobody_g01_c01"],
                progress=False,
            )
    finally:
        server.shutdown()
        server.server_close()
    assert folder == ucf101_download.place(cache) == cache / DATASETS["ucf101"].cached
    assert {file.name for file in folder.iterdir()} == {f"v_{name}.avi" for name in VIDEOS}
    assert [entry.name for entry in folder.parent.iterdir()] == ["UCF101"]
    monkeypatch.setattr(ucf101_download, "fetch", lambda cache: flat(tmp_path / "d", video))
    assert len(load_dataset("ucf101", cache=cache).clips) == 400


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Archive("https://127.0.0.1:9/UCF101_videos.zip", "7.0 GB", sha256="0" * 64)
    fetch = partial(ucf101_download.fetch, archives=[nobody], progress=False)
    monkeypatch.setattr(ucf101_download, "fetch", fetch)
    fails(None, nobody.url, "7.0 GB", "--data-root", str(tmp_path / "ucf101" / "UCF101"), cache=tmp_path)


def test_damaged_frames_are_named_when_decoded(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container announces all frames; the decoder stops before."""
    flat(tmp_path, video, ["TaiChi_g01_c04"])
    clip = load_dataset("ucf101", data_root=tmp_path).clips[-1]
    assert clip.id.endswith("/00153")
    monkeypatch.setattr(Playback, "clip", lambda *_: np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(UserError, match="cannot be decoded beyond frame 155"):
        clip.load()


def test_the_command_records_the_list(
    tmp_path: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = flat(tmp_path / "UCF101", video, ["TaiChi_g01_c04"])
    words = [
        "--dataset",
        "ucf101",
        "--data-root",
        str(root),
        "--limit",
        "2",
        "--output",
        str(tmp_path / "out"),
    ]
    assert main([*words, "--metrics", "psnr", "--systems", "blend"]) == 0
    assert f"note: UCF101-7 is a frozen list of 400 clips, SHA-256 {list_hash()}" in capsys.readouterr().out
    (path,) = (tmp_path / "out").rglob("record.json")
    record = json.loads(path.read_text())
    assert record["protocol"] == "ucf101-7/v1" and record["frames"]["size"] == [256, 256]
    assert record["dataset"]["details"] == {"clip_list_sha256": list_hash(), "certain_clips": 324}
    assert record["dataset"]["fps"] == 25 and record["dataset"]["expected"] == 400
