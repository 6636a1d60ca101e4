"""Pictures to be continued: any folder of them, VBench-I2V's suite, and the name that is no dataset's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eval.datasets import DATASETS, load_dataset, stands_for
from eval.datasets.vbench_i2v import BACKGROUND, SIZES, SUBJECT, dataset_name
from eval.i2v import main
from eval.protocols import protocol_for
from mardini.errors import UserError
from mardini.video import write_video

PICTURES = {
    "a close up of a blue and orange liquid": "abstract",
    "a squirrel sitting on the ground eating a piece of bread": "animal",
    "two people, walking": "multiple-human",
}


def picture(value: int, size: tuple[int, int] = (40, 40)) -> np.ndarray:
    image = np.full((*size, 3), value, np.uint8)
    image[: size[0] // 2] //= 2
    return image


def save(file: Path, image: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(file)
    return file


def suite(root: Path, ratio: str = "1-1", size: tuple[int, int] = (40, 40), names=tuple(PICTURES)) -> Path:
    """VBench's layout with a few of its pictures; gives the folder with the pictures."""
    inner = root / ("origin" if ratio == "origin" else f"crop/{ratio}")
    for index, name in enumerate(names):
        save(inner / f"{name}.jpg", picture(100 + index, size))
    return inner


def bench_info(file: Path) -> None:
    entries = [{"file_name": f"{n}.jpg", "type": t, "caption": n, "url": ""} for n, t in PICTURES.items()]
    file.write_text(json.dumps(entries))


def full_info(file: Path) -> None:
    entries: list[dict] = []
    for name, kind in PICTURES.items():
        entries.append({"prompt_en": name, "dimension": [], "image_type": kind, "image_name": f"{name}.jpg"})
        entries.append({"prompt_en": f"{name}, camera pans left", "dimension": [], "image_type": kind})
    file.write_text(json.dumps(entries))


def fails(name: str, root: Path | None, *words: str, **options) -> None:
    with pytest.raises(UserError) as error:
        load_dataset(name, data_root=root, **options)
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("info", [bench_info, full_info])
def test_the_suite(tmp_path: Path, info) -> None:
    suite(tmp_path)
    info(tmp_path / ("i2v-bench-info.json" if info is bench_info else "vbench2_i2v_full_info.json"))
    dataset = load_dataset("vbench-i2v", data_root=tmp_path)
    assert [clip.id for clip in dataset.clips] == sorted(PICTURES)
    assert [clip.source for clip in dataset.clips] == sorted(PICTURES)
    assert dataset.clips[0].tags == {"abstract", "background"}
    assert dataset.clips[1].tags == {"animal", "subject"}
    assert dataset.expected == 355 and dataset.fps == 8 and dataset.details == {"crop": "1-1"}
    assert list(dataset.notices) == [
        "3 of the 355 pictures of VBench-I2V are here; numbers are not comparable with the full set"
    ]
    frames = dataset.clips[0].load()
    assert (
        frames.shape == (1, 512, 512, 3) and frames.dtype == np.uint8 and dataset.clips[0].size == (512, 512)
    )
    assert abs(int(frames[0, 500, 5, 0]) - 100) < 3 and abs(int(frames[0, 5, 5, 0]) - 50) < 3


@pytest.mark.parametrize(("ratio", "size"), SIZES.items())
def test_crops(tmp_path: Path, ratio: str, size: tuple[int, int] | None) -> None:
    """Each crop has a dataset of its own, in the size of its protocol; the original pictures keep theirs."""
    across, down = (3, 2) if ratio == "origin" else map(int, ratio.split("-"))
    suite(tmp_path, ratio, (20 * down, 20 * across))
    name = dataset_name(ratio)
    clip = load_dataset(name, data_root=tmp_path).clips[0]
    assert clip.load().shape == (1, *(size or (40, 60)), 3)
    assert DATASETS[name].size == size and not DATASETS[name].truth
    if size is not None:
        assert size[0] % 16 == size[1] % 16 == 0 and abs(size[1] * down / (size[0] * across) - 1) < 0.02
    protocol = protocol_for("i2v", name)
    assert protocol.given == (0,) and protocol.frames == 9 and not protocol.truth and protocol.size == size
    for task in ("interpolation", "expansion"):
        with pytest.raises(UserError, match=r"has single images: use python -m eval\.i2v"):
            protocol_for(task, name)


def test_the_whole_suite(tmp_path: Path) -> None:
    """355 pictures need no notice on their number; one more is refused."""
    image = save(tmp_path / "image.jpg", picture(9))
    folder = tmp_path / "vbench2_beta_i2v" / "data" / "crop" / "1-1"
    folder.mkdir(parents=True)
    for index in range(355):
        (folder / f"{index}.jpg").hardlink_to(image)
    dataset = load_dataset("vbench-i2v", data_root=tmp_path)
    assert len(dataset.clips) == 355
    assert len(dataset.notices) == 1 and "i2v-bench-info.json" in dataset.notices[0]
    assert load_dataset("vbench-i2v", data_root=folder).fingerprint == dataset.fingerprint
    assert "20 of 355" in load_dataset("vbench-i2v", data_root=tmp_path, limit=20).notices[-1]
    (folder / "355.jpg").hardlink_to(image)
    fails("vbench-i2v", tmp_path, "holds 356 pictures, more than its 355", "--dataset images")


def test_the_types_make_up_the_suite() -> None:
    """246 pictures with a subject and 109 backgrounds, as VBench's README counts them."""
    counts = {
        "single-human": 64, "animal": 46, "architecture": 40, "scenery": 40, "food": 38, "multiple-human": 34,
        "transportation": 31, "plant": 23, "indoor": 21, "other": 10, "abstract": 8,
    }  # fmt: skip
    assert counts.keys() == SUBJECT | BACKGROUND and not SUBJECT & BACKGROUND
    assert sum(counts[kind] for kind in SUBJECT) == 246 and sum(counts[kind] for kind in BACKGROUND) == 109


def test_mistakes_with_the_suite(tmp_path: Path) -> None:
    fails("vbench-i2v", None, "--data-root", "drive.google.com", "crop.zip", "crop/1-1")
    folder = suite(tmp_path)
    fails("vbench-i2v-16-9", tmp_path, "holds no crop/16-9 with pictures")
    bench_info(tmp_path / "i2v-bench-info.json")
    save(folder / "my cat.jpg", picture(1))
    fails("vbench-i2v", tmp_path, "holds 1 pictures, which", "does not name (my cat.jpg)")
    (folder / "my cat.jpg").unlink()
    (tmp_path / "i2v-bench-info.json").write_text("{")
    fails("vbench-i2v", tmp_path, "i2v-bench-info.json is no info file")
    (tmp_path / "i2v-bench-info.json").write_text(
        '[{"file_name": "a.jpg", "type": "dragon", "caption": "a"}]'
    )
    fails("vbench-i2v", tmp_path, "unknown type 'dragon'")


def test_a_wrong_crop_is_named(tmp_path: Path) -> None:
    folder = suite(tmp_path, "1-1", (40, 64))
    with pytest.raises(UserError, match=r"\.jpg is 64x40, no crop of 1:1"):
        load_dataset("vbench-i2v", data_root=folder).clips[0].load()


def test_any_pictures(tmp_path: Path) -> None:
    save(tmp_path / "b.png", picture(10, (20, 30)))
    save(tmp_path / "frames" / "2.png", picture(20, (24, 24)))
    save(tmp_path / "frames" / "10.png", picture(30, (24, 24)))
    write_video(tmp_path / "b.mp4", np.zeros((9, 32, 32, 3), np.uint8), 8)
    write_video(tmp_path / "c.mp4", np.full((9, 32, 48, 3), 200, np.uint8), 8)
    (tmp_path / "notes.txt").write_text("x")
    dataset = load_dataset("images", data_root=tmp_path)
    assert [clip.id for clip in dataset.clips] == ["b", "c", "frames"]
    shapes = [clip.load().shape for clip in dataset.clips]
    assert shapes == [(1, 20, 30, 3), (1, 32, 48, 3), (1, 24, 24, 3)]
    assert [clip.size for clip in dataset.clips] == [(20, 30), None, (24, 24)]
    assert (
        dataset.clips[2].load()[0, 20, 0, 0] == 20 and abs(int(dataset.clips[1].load()[0, 0, 0, 0]) - 200) < 4
    )
    assert "3 of 3 pictures come with more frames" in dataset.notices[0] and "notes.txt" in dataset.notices[1]
    assert len(load_dataset("images", data_root=tmp_path, limit=2).clips) == 2


def test_mistakes_with_pictures(tmp_path: Path) -> None:
    fails("images", None, "--data-root")
    (tmp_path / "notes.txt").write_text("x")
    fails("images", tmp_path, "holds no pictures")
    save(tmp_path / "a.png", picture(1))
    save(tmp_path / "a.jpg", picture(1))
    fails("images", tmp_path, "would both be called 'a'")
    (tmp_path / "a.jpg").unlink()
    (tmp_path / "v.mp4").write_bytes(b"no video" * 50)
    with pytest.raises(UserError, match=r"v\.mp4 cannot be decoded"):
        load_dataset("images", data_root=tmp_path).clips[1].load()


def test_videval_stands_for_the_suite(tmp_path: Path) -> None:
    suite(tmp_path)
    assert stands_for("videval", tmp_path) == (
        "vbench-i2v",
        "'videval' is not a published dataset; using VBench-I2V's image suite",
    )
    assert stands_for("videval", None)[0] == "vbench-i2v"
    assert stands_for("davis", tmp_path) == ("davis", "")
    dataset = load_dataset("videval", data_root=tmp_path)
    assert dataset.name == "vbench-i2v" and dataset.details == {"crop": "1-1", "asked_for": "videval"}
    assert "not a published dataset" in dataset.notices[0]
    assert dataset.fingerprint == load_dataset("vbench-i2v", data_root=tmp_path).fingerprint
    fails("videvall", tmp_path, "did you mean 'videval'?")


def test_videval_takes_any_folder(tmp_path: Path) -> None:
    save(tmp_path / "pictures" / "a.png", picture(1))
    save(tmp_path / "single" / "a" / "0.png", picture(1))
    write_video(tmp_path / "videos" / "a.mp4", np.zeros((9, 32, 32, 3), np.uint8), 8)
    for index in range(9):
        save(tmp_path / "frames" / "a" / f"{index}.png", picture(index))
    (tmp_path / "nothing").mkdir()
    kinds = {
        name: stands_for("videval", tmp_path / name)[0] for name in ("pictures", "single", "videos", "frames")
    }
    assert kinds == {"pictures": "images", "single": "images", "videos": "folder", "frames": "folder"}
    with pytest.raises(UserError, match="holds no pictures and no clips"):
        stands_for("videval", tmp_path / "nothing")


def test_pictures_are_continued_and_scored_without_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command on the alias: the notice, the record, and metrics that need no truth."""
    for index in range(3):
        save(tmp_path / "pictures" / f"{index}.png", picture(60 + index))
    words = [
        "--dataset",
        "videval",
        "--data-root",
        str(tmp_path / "pictures"),
        "--output",
        str(tmp_path / "out"),
    ]
    words += ["--systems", "repeat"]
    assert main([*words, "--metrics", "temporal_flickering"]) == 0
    assert "note: 'videval' is not a published dataset; using the pictures in" in capsys.readouterr().out
    (path,) = (tmp_path / "out").rglob("record.json")
    record = json.loads(path.read_text())
    assert record["protocol"] == "images-i2v-8/v1"
    assert record["dataset"]["name"] == "images"
    assert record["dataset"]["details"] == {"asked_for": "videval"}
    assert record["metrics"]["temporal_flickering"]["value"] == 1
    assert main([*words, "--metrics", "psnr"]) == 2
    assert "psnr compares with true clips, and there are none" in capsys.readouterr().err
