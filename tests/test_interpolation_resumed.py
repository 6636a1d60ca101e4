"""The command again: after kills, damage and changes; nothing is done twice, nothing is mixed."""

from __future__ import annotations

import dataclasses
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
from runs import SIZE, VIDEOS, arguments, lasting, records

from eval.i2v import main as i2v
from eval.interpolation import main
from mardini.image import write_png
from mardini.synthetic import make_clip

ROOT = Path(__file__).parent.parent


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


def test_force_keeps_metrics_that_are_not_asked_for(run) -> None:
    output = run()
    before = lasting(output)
    run("--metrics", "psnr", "--force")
    run()
    assert lasting(output) == before


def test_rows_of_a_run_that_ended_meanwhile_are_found(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that has looked at the rows waits for the folder while another one folds and rewrites them."""
    from eval import runner

    claim = runner.claim

    def late(*words: Any) -> Any:
        monkeypatch.setattr(runner, "claim", claim)
        assert main(arguments(videos, tmp_path)) == 0
        monkeypatch.setattr(runner, "Loop", lambda *_: pytest.fail("worked again"))
        return claim(*words)

    for index in (1, 0):
        assert main(arguments(videos, tmp_path, "--shard", f"{index}/2")) == 0
    monkeypatch.setattr(runner, "claim", late)
    assert main(arguments(videos, tmp_path)) == 0


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "auto"])
def test_a_device_that_is_not_there_is_refused(
    device: str, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments(videos, tmp_path), "--device", device]) == 2
    error = capsys.readouterr().err
    assert device in error and "choose cpu" in error and error.count("\n") == 1


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


def test_a_record_is_not_printed_beside_rows_that_are_newer(
    run, videos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from eval.__main__ import main as toolkit
    from eval.systems.baselines import Blend

    output = run()
    assert toolkit(["table", str(output)]) == 0
    monkeypatch.setattr(Blend, "describe", lambda self: {"system": "blend", "version": 2})
    monkeypatch.setattr(Blend, "predict", lambda self, tasks: [np.stack([t.given[0]] * 9) for t in tasks])
    assert main(arguments(videos, output, "--shard", "0/2", "--metrics", "psnr")) == 0
    capsys.readouterr()
    assert toolkit(["table", str(output)]) == 2
    error = capsys.readouterr().err
    assert "blend/record.json is older than the rows" in error and error.count("\n") == 1


def test_tags_are_those_of_today(run, monkeypatch: pytest.MonkeyPatch) -> None:
    from eval import datasets

    output, load = run(), datasets.load_dataset

    def tagged(*words: Any, **options: Any) -> Any:
        found = load(*words, **options)
        clips = [dataclasses.replace(clip, tags=frozenset({"dark"})) for clip in found.clips]
        return dataclasses.replace(found, clips=clips)

    monkeypatch.setattr(datasets, "load_dataset", tagged)
    monkeypatch.setattr("eval.runner.Loop.run", lambda self: pytest.fail("worked again"))
    before = lasting(output)
    run()
    after = lasting(output)
    (rows,) = (after[name] for name in after if name.endswith("blend/clips.jsonl"))
    assert [row.pop("tags") for row in rows] == [["dark"]] * 4
    (old,) = (before[name] for name in before if name.endswith("blend/clips.jsonl"))
    assert [{**row, "tags": []} for row in rows] == old


def test_clips_that_fade_in_from_black_are_scored(tmp_path: Path) -> None:
    for index in range(9):
        write_png(tmp_path / "data" / "fade" / f"{index}.png", np.full((*SIZE, 3), 1 + 20 * index, np.uint8))
    words = ["--dataset", "folder", "--data-root", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
    assert i2v([*words, "--systems", "repeat", "--metrics", "psnr"]) == 0
    assert main([*words, "--systems", "blend", "--metrics", "psnr", "--frames", "20"]) == 2


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
