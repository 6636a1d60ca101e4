"""The command as users run it: records, tables and comparisons."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from runs import SIZE, SYSTEMS, VIDEOS, records

from eval.command import names
from eval.interpolation import main
from mardini.synthetic import make_clip

ROOT = Path(__file__).parent.parent


def test_records_tell_everything(run, videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = run()
    printed = capsys.readouterr().out
    made = records(output)
    assert list(made) == list(dict.fromkeys(made)) and set(made) == set(SYSTEMS)
    record = made["flow"]
    assert record["protocol"] == "folder-7/v1"
    assert record["dataset"]["clips"] == record["dataset"]["sources"] == 4
    assert record["frames"]["generated"] == list(range(1, 8))
    assert set(record["metrics"]) == {
        *("psnr_mid", "psnr_all", "psnr_clip"),
        *("ssim_vidim_mid", "ssim_vidim_all", "ssim_std_mid", "ssim_std_all"),
    }
    for entry in record["metrics"].values():
        assert entry["low"] <= entry["value"] <= entry["high"]
        assert entry["n"] == 4
        assert entry["metric"]["version"]
    assert record["environment"]["packages"]["numpy"] == np.__version__
    assert record["timing"]["predict_seconds"] > 0
    assert max(map(len, printed.splitlines())) <= 100 or str(output) in printed
    for system in SYSTEMS:
        (path,) = output.rglob(f"{system}/record.json")
        assert str(path) in printed


def test_scores_are_those_of_the_saved_frames(run, videos: Path) -> None:
    """Recomputed here from the predictions on disk and the frames, without the project's metrics."""
    output = run()
    for system in SYSTEMS:
        folder = next(output.rglob(f"{system}/clips.jsonl")).parent
        rows = [json.loads(line) for line in (folder / "clips.jsonl").read_text().splitlines()]
        assert [row["clip"] for row in rows] == [f"{name}/00000" for name in VIDEOS]
        for seed, row in enumerate(rows):
            true = make_clip(seed, frames=9, size=SIZE).astype(float)
            with np.load(folder / "predictions" / f"{row['clip']}.npz") as saved:
                made = saved["frames"].astype(float)
            np.testing.assert_array_equal(made[[0, 8]], true[[0, 8]])
            mse = np.square(made - true)[1:8].mean(axis=(1, 2, 3))
            np.testing.assert_allclose(row["scores"]["psnr_mid"], 10 * np.log10(255**2 / mse[3]))
            np.testing.assert_allclose(row["scores"]["psnr_clip"], 10 * np.log10(255**2 / mse.mean()))


def test_vidim_agrees_with_scikit_image(shared: Path, tmp_path: Path) -> None:
    """PSNR and both SSIM of other methods' published frames, clip by clip."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    from eval.datasets import load_dataset

    root, output = tmp_path / "vidim", tmp_path / "out"
    root.mkdir()
    for number in (0, 17, 40):
        for file in (shared / "vidim").glob(f"{number}_*.mp4"):
            shutil.copy(file, root)
    command = ["--dataset", "vidim", "--data-root", str(root), "--output", str(output)]
    assert main([*command, "--metrics", "psnr,ssim", "--systems", "amt,rife,film,ldmvfi,vidm"]) == 0
    clips = {clip.id: clip for clip in load_dataset("vidim", data_root=root).clips}
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1}
    tables = sorted(path for path in output.rglob("clips.jsonl") if path.parent.name != "_reference")
    assert len(tables) == 5
    for rows in tables:
        for row in map(json.loads, rows.read_text().splitlines()):
            true = clips[row["clip"]].load()[4]
            made = clips[row["clip"]].outputs[rows.parent.name]()[3]
            scores = row["scores"]
            assert scores["psnr_mid"] == pytest.approx(peak_signal_noise_ratio(true, made), abs=1e-4)
            for name, scale, shift, span in (("ssim_std_mid", 1, 0, 1), ("ssim_vidim_mid", 2, 1, 2)):
                a, b = (frame / 255 * scale - shift for frame in (true, made))
                expected = structural_similarity(a, b, data_range=span, full=True, **window)[1]
                assert scores[name] == pytest.approx(expected[5:-5, 5:-5].mean(), abs=1e-4)


def test_generated_clips_are_kept_beside_the_results_and_others_are_not(run, tmp_path: Path) -> None:
    words = ["--systems", "repeat", "--metrics", "psnr", "--limit", "2", "--output", str(tmp_path / "drawn")]
    assert main(words) == 0
    (folder,) = (tmp_path / "drawn" / "interpolation").iterdir()
    rows = [json.loads(line) for line in (folder / "_reference" / "clips.jsonl").read_text().splitlines()]
    assert [row["clip"] for row in rows] == ["synth/00000", "synth/00001"]
    for row in rows:
        with np.load(folder / "_reference" / "predictions" / f"{row['clip']}.npz") as kept:
            assert kept["key"] == row["pixels"]
            assert np.array_equal(
                kept["frames"], make_clip(10_000_000 + int(row["clip"][-5:]), size=(128, 128))
            )
    assert not list(run("--systems", "repeat").rglob("_reference/predictions"))


def test_names_of_a_list() -> None:
    assert names("a, b,,c") == ["a", "b", "c"]


def test_records_of_several_runs_share_a_table_if_they_belong_together(
    run, capsys: pytest.CaptureFixture[str]
) -> None:
    from eval.__main__ import main as page

    both = run("--systems", "repeat,blend", output="both")
    printed = capsys.readouterr().out
    one, two = run("--systems", "repeat", output="one"), run("--systems", "blend", output="two")
    capsys.readouterr()
    assert page(["table", str(one), str(two)]) == 0
    table = capsys.readouterr().out
    values = [line for line in printed.splitlines() if line.startswith(("repeat", "blend"))]
    assert len(values) >= 4 and all(
        line in table for line in values if "p 0" not in line and "p <" not in line
    )
    other = run("--systems", "flow", "--limit", "3", output="other")
    capsys.readouterr()
    for paths, message in (
        ([one, other], "different clips"),
        ([one, both], "two records are of system 'repeat'"),
        ([one / "nothing"], "holds no record"),
    ):
        assert page(["table", *map(str, paths)]) == 2
        assert message in capsys.readouterr().err


def test_a_batch_goes_through_a_detector_together_on_a_gpu(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a CPU, where each clip goes alone, but for rounding. Stands in for a GPU: the same path on a CPU."""
    from eval.metrics.detectors import FVD
    from eval.runner import Loop

    words = ("--systems", "repeat,blend", "--metrics", "psnr,fvd", "--features", "random", "--limit", "2")
    monkeypatch.setenv("MARDINI_FEATURES", "off")
    alone = records(run(*words, output="alone"))
    monkeypatch.setattr(Loop, "together", True, raising=False)
    monkeypatch.setattr(Loop, "__setattr__", lambda s, k, v: k == "together" or object.__setattr__(s, k, v))
    sizes: list[int] = []
    features = FVD.features
    monkeypatch.setattr(FVD, "features", lambda s, c, *a: sizes.append(len(c)) or features(s, c, *a))
    together = records(run(*words, output="together"))
    assert sizes == [2, 2, 2]
    for system, record in alone.items():
        for name, entry in record["metrics"].items():
            assert together[system]["metrics"][name]["value"] == pytest.approx(entry["value"], rel=1e-4), name
        assert together[system]["timing"]["metric_seconds"]["fvd_random"] > 0


def test_a_system_is_compared_with_another_clip_by_clip(run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--against", "blend")
    printed = capsys.readouterr().out
    assert "Difference to blend, clip by clip" in printed and " p 0." in printed
    run("--against", "flwo", status=2)
    assert "did you mean 'flow'" in capsys.readouterr().err


def test_any_frames_may_be_given(run) -> None:
    """Given frames are not scored, and where the middle one is given there is no score of it."""
    (made,) = records(run("--given", "0,4,8", "--systems", "blend", output="mask")).values()
    assert made["protocol"] == "folder-given-0.4.8-of-9/v1" and made["frames"]["generated"] == [
        1,
        2,
        3,
        5,
        6,
        7,
    ]
    assert "psnr_all" in made["metrics"] and "psnr_mid" not in made["metrics"]
    assert made["frames"]["middle"] is None
    (usual,) = records(run("--systems", "blend")).values()
    assert made["metrics"]["psnr_all"]["value"] > usual["metrics"]["psnr_all"]["value"]


@pytest.mark.parametrize("task", ["i2v", "expansion"])
def test_the_other_tasks_have_commands_of_their_own(
    task: str, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib

    command = importlib.import_module(f"eval.{task}").main
    words = [
        "--dataset",
        "folder",
        "--data-root",
        str(videos),
        "--metrics",
        "psnr,fvd",
        "--features",
        "random",
    ]
    words += ["--systems", "repeat,flow", "--output", str(tmp_path / task)]
    assert command(words) == 0
    printed = capsys.readouterr().out
    assert "All generated frames" in printed and "Middle frame" not in printed
    given = [0] if task == "i2v" else [0, 1, 2, 3]
    folder = tmp_path / task / task
    records = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/*/record.json")}
    assert set(records) == {"repeat", "flow"}
    for record in records.values():
        assert record["task"] == task and record["frames"]["given"] == given
        assert set(record["metrics"]) == {"psnr_all", "psnr_clip", "fvd_random"}
    better = (
        records["flow"]["metrics"]["psnr_all"]["value"] - records["repeat"]["metrics"]["psnr_all"]["value"]
    )
    assert better == 0 if task == "i2v" else better > 0  # one frame shows no motion; four do
