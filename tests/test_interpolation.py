"""The command as users run it: kills, reruns, changes, and every mistake that can be made."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.command import names, parser
from eval.interpolation import main
from mardini.synthetic import make_clip
from mardini.video import write_png

ROOT = Path(__file__).parent.parent
SIZE = (48, 48)
VIDEOS = ("ape", "bee", "cat", "dog")
SYSTEMS = ("repeat", "blend", "flow")


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four procedural clips as folders of PNG."""
    root = tmp_path_factory.mktemp("videos")
    for seed, name in enumerate(VIDEOS):
        for index, frame in enumerate(make_clip(seed, frames=9, size=SIZE)):
            write_png(root / name / f"{index:03d}.png", frame)
    return root


def arguments(root: Path, output: Path, *more: str) -> list[str]:
    command = ["--dataset", "folder", "--data-root", str(root), "--output", str(output)]
    command += ["--metrics", "psnr,ssim"]
    return [*command, *more] if "--systems" in more else [*command, "--systems", ",".join(SYSTEMS), *more]


@pytest.fixture
def run(videos: Path, tmp_path: Path) -> Callable[..., Path]:
    """Run the command on the four clips; the output folder."""

    def run(*more: str, output: str = "out", status: int = 0) -> Path:
        assert main(arguments(videos, tmp_path / output, *more)) == status
        return tmp_path / output

    return run


def lasting(output: Path) -> dict[str, Any]:
    """Everything that was written, but for times and the machine: path -> content."""
    found: dict[str, Any] = {}
    for path in sorted(output.rglob("*")):
        name = path.relative_to(output).as_posix()
        if path.name == "record.json":
            record = json.loads(path.read_text())
            assert record.pop("timing")
            assert record.pop("environment")
            found[name] = record
        elif path.name == "clips.jsonl":
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            assert all(row.pop("seconds") for row in rows if "scores" in row)
            found[name] = rows
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                found[name] = {key: arrays[key].tobytes() for key in arrays.files if key != "seconds"}
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def records(output: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in output.rglob("record.json")}


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


@pytest.mark.parametrize("stops", [(2, 9, 14), (5, 12, 17)])
def test_killed_runs_end_as_an_undisturbed_one(
    videos: Path, tmp_path: Path, run, stops: tuple[int, ...]
) -> None:
    """SIGKILL once this many files are there, several times over, then one run to the end."""
    output = tmp_path / "killed"
    command = [sys.executable, "-m", "eval.interpolation", *arguments(videos, output)]
    killed = 0
    for stop in stops:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            if sum(path.is_file() for path in output.rglob("*")) >= stop:
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.003)
        killed += process.wait() == -signal.SIGKILL
    assert killed
    run(output="killed")
    for path in output.rglob(".*"):  # what a kill in the middle of a write leaves: hidden and harmless
        path.unlink()
    assert lasting(output) == lasting(run(output="undisturbed"))


def test_torn_row_is_cut_off_and_done_again(run, capsys: pytest.CaptureFixture[str]) -> None:
    output = run()
    before = lasting(output)
    rows = next(output.rglob("blend/clips.jsonl"))
    (rows.parent / "record.json").unlink()
    rows.write_bytes(rows.read_bytes()[:-20])
    capsys.readouterr()
    run()
    assert "blend: the last row was cut off" in capsys.readouterr().out
    assert lasting(output) == before


def test_batch_size_and_order_change_nothing(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = lasting(run())
    assert lasting(run("--batch-size", "1", output="one")) == before

    import dataclasses

    from eval import datasets

    load = datasets.load_dataset

    def backwards(*args: Any, **kwargs: Any) -> Any:
        dataset = load(*args, **kwargs)
        return dataclasses.replace(dataset, clips=list(reversed(dataset.clips)))

    monkeypatch.setattr(datasets, "load_dataset", backwards)
    after = lasting(run("--batch-size", "3", output="backwards"))
    for name, content in before.items():
        if name.endswith("record.json"):
            assert after[name]["metrics"] == content["metrics"]
        elif name.endswith("clips.jsonl"):
            assert sorted(after[name], key=lambda row: row["clip"]) == content
        else:
            assert after[name] == content


def test_finished_run_does_nothing(
    run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = run()
    first = capsys.readouterr().out
    times = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    monkeypatch.setattr("eval.runner.Loop.run", lambda self: pytest.fail("worked again"))
    run()
    assert capsys.readouterr().out == first
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == times


def test_finished_run_imports_no_torch(run, videos: Path) -> None:
    output = run()
    code = (
        "import sys\nfrom eval.interpolation import main\n"
        f"assert main({arguments(videos, output)!r}) == 0\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_force_does_all_again(run) -> None:
    output = run()
    before = lasting(output)
    row = next(output.rglob("flow/clips.jsonl"))
    prediction = next(output.rglob("flow/predictions/*/*.npz"))
    times = row.stat().st_mtime_ns, prediction.stat().st_mtime_ns
    run("--force")
    assert lasting(output) == before
    assert row.stat().st_mtime_ns > times[0]
    assert prediction.stat().st_mtime_ns > times[1]


def test_changed_system_is_noticed_and_done_again(
    run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from eval.systems.baselines import Blend

    output = run("--systems", "blend")
    before = records(output)["blend"]
    monkeypatch.setattr(Blend, "describe", lambda self: {"system": "blend", "version": 2})
    monkeypatch.setattr(Blend, "predict", lambda self, tasks: [np.stack([t.given[0]] * 9) for t in tasks])
    capsys.readouterr()
    run("--systems", "blend")
    assert "blend: data or settings have changed since 4 clips were scored" in capsys.readouterr().out
    after = records(output)["blend"]
    assert after["key"] != before["key"]
    assert after["metrics"]["psnr_mid"]["value"] < before["metrics"]["psnr_mid"]["value"]


def test_changed_metric_is_done_again_on_the_saved_frames(run, monkeypatch: pytest.MonkeyPatch) -> None:
    from eval.metrics.pixel import PSNR
    from eval.systems.baselines import Blend

    output = run("--systems", "blend")
    before = records(output)["blend"]["metrics"]
    monkeypatch.setattr(PSNR, "version", "999")
    monkeypatch.setattr(PSNR, "__call__", lambda self, pair: np.full(7, 1.0))
    monkeypatch.setattr(Blend, "predict", lambda self, tasks: pytest.fail("predicted again"))
    run("--systems", "blend")
    after = records(output)["blend"]["metrics"]
    assert after["psnr_mid"]["value"] == 1.0
    assert after["psnr_mid"]["metric"]["version"] == "999"
    assert after["ssim_vidim_mid"] == before["ssim_vidim_mid"]


def test_metrics_of_several_runs_gather_in_one_record(run) -> None:
    whole = lasting(run(output="whole"))
    output = run("--metrics", "ssim", output="parts")
    assert "psnr_mid" not in records(output)["flow"]["metrics"]
    run("--metrics", "psnr", output="parts")
    for name, content in lasting(output).items():
        if name.endswith("record.json"):
            assert content["metrics"] == whole[name]["metrics"]


def test_damaged_files_are_made_again(run) -> None:
    output = run()
    before = lasting(output)
    next(output.rglob("flow/predictions/*/*.npz")).write_bytes(b"damaged")
    next(output.rglob("flow/record.json")).write_text("{")
    next(output.rglob("flow/clips.jsonl")).write_text("not json\n")
    run()
    assert lasting(output) == before


def test_other_data_gets_another_folder(run, videos: Path, tmp_path: Path) -> None:
    output = run()
    other = tmp_path / "other"
    shutil.copytree(videos, other)
    shutil.copy(other / "ape" / "000.png", other / "bee" / "004.png")
    assert main(arguments(other, output)) == 0
    assert main(arguments(videos, output, "--limit", "2")) == 0
    assert main(arguments(videos, output, "--seed", "3")) == 0
    names = sorted(path.name for path in (output / "interpolation").iterdir())
    assert len(names) == 4
    assert any(name.startswith("folder-7-v1-limit2-") for name in names)
    assert any(name.startswith("folder-7-v1-seed3-") for name in names)


def save_predictions(folder: Path, cut: Callable[[str, np.ndarray], np.ndarray]) -> None:
    folder.mkdir()
    for seed, name in enumerate(VIDEOS):
        np.save(folder / f"{name}_00000.npy", cut(name, make_clip(seed, frames=9, size=SIZE)))


def test_perfect_predictions_score_best(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_predictions(tmp_path / "truth", lambda name, clip: clip[1:8])
    output = run(
        "--systems",
        "blend",
        "--predictions",
        str(tmp_path / "truth"),
        "--predictions",
        f"again={tmp_path / 'truth'}",
    )
    made = records(output)
    assert set(made) == {"blend", "truth", "again"}
    assert made["truth"]["metrics"]["ssim_vidim_all"]["value"] == pytest.approx(1)
    assert made["truth"]["metrics"]["psnr_clip"]["value"] == 100
    assert "100.00*" in capsys.readouterr().out


def wrong_size(name: str, clip: np.ndarray) -> np.ndarray:
    return clip[:, :40] if name == "bee" else clip


def wrong_length(name: str, clip: np.ndarray) -> np.ndarray:
    return clip[:8] if name == "cat" else clip


@pytest.mark.parametrize(
    ("cut", "change", "message"),
    [
        (wrong_size, None, "bee/00000 is 40x48, not 48x48"),
        (wrong_length, None, "cat/00000 has 8 frames"),
        (lambda name, clip: clip, "ape_00000.npy", "1 of 4 clips are missing"),
        (lambda name, clip: clip, "+fox_00000.npy", "1 entries"),
    ],
    ids=["size", "length", "missing", "surplus"],
)
def test_wrong_predictions_are_refused_before_anything_is_scored(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str], cut, change: str | None, message: str
) -> None:
    folder = tmp_path / "mine"
    save_predictions(folder, cut)
    if change and change.startswith("+"):
        shutil.copy(folder / "ape_00000.npy", folder / change[1:])
    elif change:
        (folder / change).unlink()
    output = run("--predictions", str(folder), status=2)
    assert message in capsys.readouterr().err
    assert not list(output.rglob("*.npz"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--dataset", "davsi"], "unknown dataset 'davsi': did you mean 'davis'?"),
        (["--systems", "flwo"], "unknown system 'flwo': did you mean 'flow'?"),
        (["--metrics", "pnsr"], "unknown metric 'pnsr': did you mean 'psnr'?"),
        (["--features", "randon"], "did you mean 'random'?"),
        (["--limit", "0"], "--limit 0: give at least 1"),
        (["--batch-size", "0"], "--batch-size 0: give at least 1"),
        (["--seed", "-1"], "--seed -1: give 0 or more"),
        (["--steps", "4"], "--steps is for system 'mardini'"),
        (["--guidance", "0"], "--guidance is for system 'mardini'"),
        (["--guidance", "nan"], "--guidance nan: give 0 or more"),
        (["--checkpoint", "x"], "--checkpoint is for system 'mardini'"),
        (["--predictions", "flow=x"], "'flow' is a built-in system"),
        (["--metrics", "fid", "--features", "random", "--limit", "1"], "fid_random needs at least 2 clips"),
    ],
)
def test_mistakes_end_in_one_sentence(
    run, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    output = run(*more, status=2)
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ") and error.count("\n") == 1
    assert not output.exists()


def test_fvd_is_refused_on_short_clips(run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--frames", "8", "--metrics", "fvd", "--features", "random", status=2)
    assert "needs clips of at least 9 frames, these have 8" in capsys.readouterr().err


def test_output_that_cannot_be_written_is_told(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    run(status=2)
    assert "cannot write" in capsys.readouterr().err


def test_missing_weights_of_the_default_set_leave_a_column_empty(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARDINI_OFFLINE", "1")
    command = [*arguments(videos, tmp_path / "out")]
    place = command.index("--metrics")
    del command[place : place + 2]
    assert main(command) == 0
    printed = capsys.readouterr().out
    header = next(line for line in printed.splitlines() if "psnr_clip" in line)
    assert "fid" in header and "fvd" in header and "lpips_alex" in header
    assert printed.count("n/a") >= 5 * len(SYSTEMS)
    assert "pt_inception-2015-12-05-6726825d.pth is missing" in printed
    assert main([*command, "--metrics", "fid,fvd"]) == 2
    assert capsys.readouterr().err.count("is missing") == 2


def test_options_are_frozen() -> None:
    """A small set: think twice before adding one, and say so in the change log."""
    options = {flag for action in parser("prog", "", given=True)._actions for flag in action.option_strings}
    what = {
        "--dataset",
        "--data-root",
        "--systems",
        "--metrics",
        "--features",
        "--weights-dir",
        "--predictions",
    }
    how = {
        "--checkpoint",
        "--steps",
        "--guidance",
        "--given",
        "--frames",
        "--size",
        "--limit",
        "--seed",
        "--batch-size",
    }
    assert options == what | how | {"--device"} | {
        "-h",
        "--help",
        "--against",
        "--shard",
        "--output",
        "--force",
    }
    defaults = vars(parser("prog", "", given=True).parse_args([]))
    assert {name: value for name, value in defaults.items() if value not in (None, [])} == {
        "dataset": "synthetic",
        "seed": 0,
        "batch_size": 4,
        "device": "cpu",
        "output": Path("results"),
        "force": False,
    }


@pytest.mark.parametrize("module", ["eval", "eval.interpolation"])
def test_help_is_instant(module: str) -> None:
    seconds, shown = [], None
    for _ in range(3):
        began = time.perf_counter()
        shown = subprocess.run(
            [sys.executable, "-m", module, "--help"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        seconds.append(time.perf_counter() - began)
    assert shown and "python -m eval.interpolation" in shown.stdout
    assert min(seconds) < 0.5 * 3  # slack for a machine that is busy


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
