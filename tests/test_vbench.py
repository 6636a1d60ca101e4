"""``python -m eval.vbench``: videos in VBench's layout, its results beside ours, and every way to mix them up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eval.i2v import main as animate
from eval.vbench import main
from eval.vbench_bridge import write_lossless
from mardini.synthetic import make_clip
from mardini.video import probe_video, read_video

PICTURES = {"a cat, sleeping": "animal", "a house on a hill": "architecture", "two people": "multiple-human"}
THEIRS = {
    "i2v_background": 0.9712,
    "motion_smoothness": 0.98,
    "background_consistency": 0.97,
    "aesthetic_quality": 0.6,
    "imaging_quality": 0.7,
}


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Seed -> results of system ``repeat`` on three pictures of the suite, as the command makes them."""
    root = tmp_path_factory.mktemp("suite")
    folder = root / "crop" / "1-1"
    folder.mkdir(parents=True)
    for seed, name in enumerate(PICTURES):
        Image.fromarray(make_clip(seed, frames=1, size=(64, 64))[0]).save(folder / f"{name}.jpg", quality=95)
    info = [{"file_name": f"{n}.jpg", "type": kind, "caption": n} for n, kind in PICTURES.items()]
    (root / "i2v-bench-info.json").write_text(json.dumps(info))
    words = ["--dataset", "vbench-i2v", "--data-root", str(root), "--systems", "repeat", "--frames", "3"]
    words += ["--metrics", "temporal_flickering", "--output", str(root / "out")]
    found = {}
    for seed in (0, 1):
        assert animate([*words, "--seed", str(seed)]) == 0
        (found[seed],) = {p.parent for p in (root / "out").rglob("record.json")} - set(found.values())
    return found


@pytest.fixture
def results(scored: dict[int, Path], tmp_path: Path) -> list[Path]:
    """Copies that a test may spoil, with scores of more dimensions written into them."""
    folders = []
    for seed, folder in scored.items():
        copy = Path(shutil.copytree(folder, tmp_path / f"seed{seed}" / "repeat"))
        change(copy, lambda row, seed=seed: row["scores"].update(extra(row["tags"], seed)))
        record = json.loads((copy / "record.json").read_text())
        entry = record["metrics"]["temporal_flickering"]
        columns = (
            "i2v_subject",
            "subject_consistency",
            "background_consistency",
            "dynamic_degree_torchvision",
        )
        record["metrics"] |= dict.fromkeys(columns, entry)
        (copy / "record.json").write_text(json.dumps(record))
        folders.append(copy)
    return folders


def extra(tags: list[str], seed: int) -> dict[str, float]:
    subject = "subject" in tags
    return {
        "i2v_subject": 0.9 + 0.02 * seed if subject else 0.1,
        "subject_consistency": 0.95 if subject else 0.1,
        "background_consistency": 0.2 if subject else 0.96,
        "dynamic_degree_torchvision": 1.0 if "animal" in tags else 0.0,
    }


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    rows = [json.loads(line) for line in (folder / "clips.jsonl").read_text().splitlines()]
    for row in rows:
        edit(row)
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def theirs(file: Path, scores: dict[str, float]) -> Path:
    """A result file as VBench writes it."""
    content = {
        name: [value, [{"video_path": "x.mp4", "video_results": value}] * 9] for name, value in scores.items()
    }
    file.write_text(json.dumps(content))
    return file


def words(results: list[Path]) -> list[str]:
    return ["--results", *map(str, results)]


def test_videos_in_vbenchs_layout(
    results: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "videos"
    assert main(["write", *words(results), "--output", str(output)]) == 0
    assert {file.name for file in output.iterdir()} == {f"{n}-{i}.mp4" for n in PICTURES for i in (0, 1)}
    printed = capsys.readouterr().out
    assert "3 pictures x 2 samples of VBench's 355 x 5: it will warn of 1769 missing videos" in printed
    assert f"--videos_path {output} --ratio 1-1 --dimension i2v_background motion_smoothness" in printed
    info = probe_video(output / "two people-1.mp4")
    assert (info.frames, info.fps, info.height, info.width) == (3, 8.0, 512, 512)
    assert (info.codec, info.pixel_format) == ("h264", "yuv444p")
    with np.load(results[1] / "predictions" / "two people.npz") as saved:
        difference = np.abs(read_video(output / "two people-1.mp4").astype(int) - saved["frames"])
    assert difference.max() <= 3 and difference.mean() < 1
    assert main(["write", *words(results), "--output", str(output), "--fps", "24"]) == 0  # over its own files
    assert probe_video(output / "two people-1.mp4").fps == 24


def test_noise_survives_the_coding(tmp_path: Path) -> None:
    """Nothing is lost but the rounding of the conversion of colours."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 33, 35, 3), np.uint8)
    write_lossless(tmp_path / "a.mp4", frames, 8)
    difference = np.abs(read_video(tmp_path / "a.mp4").astype(int) - frames)
    assert difference.max() <= 4 and difference.mean() < 1.2


def test_the_scores_of_both(results: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every dimension over its part of the pictures and all samples; VBench's own value wins; Table 5's columns."""
    file = theirs(tmp_path / "r_eval_results.json", THEIRS)
    assert main(["read", str(file), *words(results), "--output", str(tmp_path / "bench")]) == 0
    printed = capsys.readouterr().out
    lines = {line[:24].strip(): line for line in printed.splitlines() if len(line) > 24}
    assert "91.00  computed here; 4 videos" in lines["i2v_subject"]
    assert "50.00  computed here, as dynamic_degree_torchvision; 4 videos" in lines["dynamic_degree"]
    assert "100.00  computed here; 6 videos" in lines["temporal_flickering"]
    assert "97.12  VBench, r_eval_results.json; 9 videos" in lines["i2v_background"]
    assert "97.00  VBench" in lines["background_consistency"]
    assert "96.00  computed here, not used" in printed
    assert "n/a  missing: needs prompts with camera motions" in lines["camera_motion"]
    assert printed.count("lacks camera_motion") == 2
    quality = (0.95 + 0.97 + 1 + 0.98 + 0.6 + 0.7) / 6
    average = (0.91 + 0.9712 + 6 * quality) / 8
    assert f"{100 * quality:.2f}" in printed and f"{100 * average:.2f}" in lines["VBench avg."]
    record = json.loads((tmp_path / "bench" / "vbench" / "repeat" / "record.json").read_text())
    assert record["columns"]["vbench_avg"]["value"] == pytest.approx(100 * average)
    assert record["columns"]["vbench_total"] == {"value": None, "missing": ["camera_motion"]}
    assert record["dimensions"]["i2v_subject"] == {
        "value": pytest.approx(0.91), "from": "computed here", "videos": 4
    }  # fmt: skip
    assert record["resolution"] == "512x512" and record["seeds"] == [0, 1]


def test_the_record_fills_table_5_of_the_report(results: list[Path], tmp_path: Path) -> None:
    from reports.tables import table_5

    file = theirs(tmp_path / "r.json", THEIRS)
    assert main(["read", str(file), *words(results), "--output", str(tmp_path)]) == 0
    (row,) = table_5([tmp_path], []).blocks[1].rows
    assert row.labels == ("repeat", "512×512", "no")
    assert [cell.value is not None for cell in row.cells] == [False, True, True, True, True, True]


def test_what_is_lacking_is_said(
    results: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["read", *words(results[:1])]) == 0
    printed = capsys.readouterr().out
    assert "lacks motion_smoothness, aesthetic_quality, imaging_quality" in printed
    assert "missing: needs DreamSim: python -m eval.vbench write" in printed
    assert "missing: python -m eval.i2v --metrics aesthetic_quality" in printed
    assert "note: 3 pictures x 1 samples" in printed
    assert main(["read", str(theirs(tmp_path / "r.json", THEIRS))]) == 0
    assert "missing: python -m eval.i2v --metrics dynamic_degree_torchvision" in capsys.readouterr().out


def test_pictures_of_unknown_type_and_random_weights_give_no_score(
    results: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    change(results[0], lambda row: row.update(tags=[]))
    record = json.loads((results[0] / "record.json").read_text())
    record["metrics"]["aesthetic_quality_random"] = record["metrics"]["temporal_flickering"]
    (results[0] / "record.json").write_text(json.dumps(record))
    assert main(["read", *words(results[:1])]) == 0
    printed = capsys.readouterr().out
    assert (
        "i2v_subject is averaged over pictures with a subject, but no info file said which these are"
        in printed
    )
    assert "aesthetic_quality_random is of random weights, and no score of VBench" in printed
    assert "100.00  computed here; 3 videos" in printed


def spoil(results: list[Path], what: str, value: object) -> None:
    record = json.loads((results[1] / "record.json").read_text())
    if what == "dataset":
        record["dataset"]["name"] = value
    else:
        record[what] = value
    (results[1] / "record.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("what", "value", "message"),
    [
        ("dataset", "davis", "is of dataset 'davis': give results of --dataset vbench-i2v"),
        ("described", {"system": "other"}, "differ in what made them (described)"),
        ("protocol", "vbench-i2v-i2v-16/v1", "differ in what made them (protocol)"),
        ("seed", 0, "two results are of seed 0"),
    ],
)
def test_results_that_do_not_belong_together(
    what: str, value: object, message: str, results: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(results, what, value)
    assert main(["read", *words(results)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_rows_that_are_newer_than_their_record_are_refused(
    results: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    change(results[1], lambda row: row.update(prediction="another"))
    assert main(["read", *words(results)]) == 2
    error = capsys.readouterr().err
    assert "is older than the rows of single clips" in error and error.count("\n") == 1


def test_results_with_gaps(results: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(message: str, *command: str) -> None:
        assert main([*command]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1

    out = ["--output", str(tmp_path / "videos")]
    fails("nothing to read", "read")
    fails("--output needs --results", "read", str(theirs(tmp_path / "r.json", THEIRS)), *out)
    fails("holds no record.json", "write", "--results", str(tmp_path), *out)
    fails("--fps -1.0: give a positive number", "write", *words(results), *out, "--fps", "-1")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "notes.json").write_text("{}")
    fails("holds other files (notes.json ...)", "write", *words(results), *out)
    (tmp_path / "videos" / "notes.json").unlink()
    change(results[1], lambda row: row.update(prediction="0"))
    fails("is not what was scored", "write", *words(results), *out)
    (results[0] / "predictions" / "two people.npz").unlink()
    fails("1 predictions are missing", "write", *words(results), *out)
    rows = (results[1] / "clips.jsonl").read_text().splitlines()
    (results[1] / "clips.jsonl").write_text("\n".join(rows[1:]) + "\n")
    fails("hold other pictures", "read", *words(results))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no result file of VBench"),
        ('{"i2v_subject": 0.9}', "is no result file of VBench"),
        ('{"object_class": [0.9, []]}', "'object_class', which is no dimension of VBench-I2V"),
        ('{"i2v_subject": [98.6, []]}', "i2v_subject is 98.6: give a fraction"),
    ],
)
def test_other_files_are_refused(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text(content)
    assert main(["read", str(tmp_path / "a.json")]) == 2
    assert message in capsys.readouterr().err
    file = theirs(tmp_path / "b.json", THEIRS)
    assert main(["read", str(file), str(file)]) == 2
    assert "both hold i2v_background" in capsys.readouterr().err
