"""Several processes compute what one computes; states are whole, and independent of what runs on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import nn

from mardini import parallel
from mardini.optimizer import Muon
from mardini.run_state import RunState, latest
from mardini.stages import STAGES
from mardini.synthetic import make_clip
from mardini.tasks import Draw, seed_of
from mardini.video import write_video
from mardini.video_data import VideoClips, split

ROOT = Path(__file__).parent.parent
OPTIONS = ["--preset", "tiny", "--batch", "4", "--clips", "80", "--workers", "0", "--log-every", "1"]


def train(out: Path, processes: int, *more: str, preset: str = "tiny") -> list[dict[str, float]]:
    """A stage trained by ``processes`` processes: its log."""
    launcher = [] if processes == 1 else ["torch.distributed.run", "--nproc-per-node", str(processes), "-m"]
    command = [sys.executable, "-m", *launcher, "mardini.train", "--out", str(out), *OPTIONS, *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    stage = command[command.index("--stage") + 1]
    return [json.loads(line) for line in (out / preset / stage / "log.jsonl").read_text().splitlines()]


def train_as_one_and_two(out: Path, *more: str, preset: str = "tiny") -> list[list[dict[str, float]]]:
    """The logs of the same stage by one process and by two, side by side."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda count: train(out / str(count), count, *more, preset=preset), (1, 2)))


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("start")
    train(out, 1, "--stage", "codec", "--clips", "8", "--log-every", "100")
    return out / "tiny" / "codec" / "checkpoint"


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_two_processes_train_as_one(optimizer: str, codec: Path, tmp_path: Path) -> None:
    """Twenty steps: the first loss is the same, the curve within 1e-4, in a batch whose masks differ in number."""
    start = ["--stage", "joint-task", "--init", str(codec), "--optimizer", optimizer]
    one, two = train_as_one_and_two(tmp_path, *start)
    assert len(one) == len(two) == 21
    assert two[1]["loss"] == pytest.approx(one[1]["loss"], rel=1e-6)
    for left, right in zip(one, two, strict=True):
        assert right["held_out"] == pytest.approx(left["held_out"], abs=1e-4)
        assert right.get("loss", 0) == pytest.approx(left.get("loss", 0), abs=1e-4)
    assert one[-1]["loss"] != one[1]["loss"]


def test_two_processes_train_a_codec_as_one(tmp_path: Path) -> None:
    """The large one, whose kernels are matrices of Muon in shards."""
    options = ["--stage", "codec", "--preset", "mini", "--clips", "16", "--resolution", "32", "--lr", "2e-4"]
    one, two = train_as_one_and_two(tmp_path, *options, preset="mini")
    assert len(one) == len(two) == 5 and one[-1]["held_out"] < one[0]["held_out"]
    for left, right in zip(one, two, strict=True):
        assert right["held_out"] == pytest.approx(left["held_out"], rel=1e-4)


def test_files_that_another_process_could_not_read_are_named(tmp_path: Path) -> None:
    data = tmp_path / "videos"
    data.mkdir()
    for number in range(8):
        write_video(data / f"{number}.mp4", make_clip(number, 9, (32, 32)), 24.0)
    videos, _ = split([data])
    broken = videos[0]
    (data / broken.name.rsplit("/", 1)[-1]).write_bytes(b"no video")

    def seen(seed: int) -> set[int]:
        """Clips in which the broken file would be."""
        clips = VideoClips(videos, 8, 2, 8.0, 32, seed_of(seed, "codec"))
        return {number for number in range(8) if clips[number].problems}

    seed = next(seed for seed in range(100) if seen(seed) <= {2, 3, 6, 7})  # of batches of 4, the second's
    options = ["--stage", "codec", "--clips", "8", "--resolution", "32", "--seed", str(seed)]
    log = train(tmp_path / "runs", 2, *options, "--data", str(data))
    assert log[-1]["unreadable"] == 1
    named = json.loads((tmp_path / "runs" / "tiny" / "codec" / "unreadable.json").read_text())
    assert list(named) == [broken.name]


def test_randomness_of_a_clip_does_not_depend_on_who_computes_it() -> None:
    draw = Draw.of(STAGES["joint-task"], 8, 5, 7)
    whole, half = draw.noise(range(8), (2, 3)), draw.noise(range(4, 8), (2, 3))
    assert torch.equal(whole[4:], half)
    assert not torch.equal(whole[0], whole[1])
    assert not torch.equal(Draw.of(STAGES["joint-task"], 8, 5, 8).noise(range(8), (2, 3)), whole)


def test_processes_share_a_batch() -> None:
    parts = [parallel.Processes(rank, 4, torch.device("cpu")).own(12) for rank in range(4)]
    assert [clip for part in parts for clip in part] == list(range(12))


@pytest.fixture
def state(tmp_path: Path):
    parallel.start("cpu")
    torch.manual_seed(0)
    task = nn.Linear(4, 4)
    optimizer = Muon([], list(task.parameters()), 0.1)
    task(torch.ones(4)).sum().backward()
    optimizer.step()
    yield RunState(tmp_path, task, optimizer)
    parallel.stop()


@pytest.mark.parametrize("background", [False, True])
def test_a_state_holds_what_was_when_it_was_saved(state: RunState, background: bool) -> None:
    weight = next(state.task.parameters())
    expected = weight.detach().clone()
    moment = state.optimizer.state[weight]["exp_avg"].clone()
    state.save(3, background)
    with torch.no_grad():  # training goes on while the state is being written
        weight.add_(1)
        state.optimizer.state[weight]["exp_avg"].zero_()
    state.wait()
    state.optimizer.state.clear()
    assert state.load() == 3
    assert torch.equal(weight, expected)
    assert torch.equal(state.optimizer.state[weight]["exp_avg"], moment)
    assert float(state.optimizer.state[weight]["step"]) == 1


def test_only_the_last_whole_state_stays(state: RunState) -> None:
    state.save(1, False)
    state.save(2, False)
    (state.folder / "5").mkdir()  # begun by a run that was killed
    assert [latest(state.folder), latest(state.folder / "nothing")] == [2, 0]
    state.save(6, False)
    assert [entry.name for entry in state.folder.iterdir()] == ["6"]


def test_averaged_weights_swap_there_and_back(state: RunState) -> None:
    weight = next(state.task.parameters())
    with torch.no_grad():
        weight.add_(1)
    state.update_average(5)
    trained, averaged = weight.detach().clone(), state.average["weight"].clone()
    assert not torch.equal(trained, averaged)
    state.swap()
    assert torch.equal(weight, averaged)
    state.swap()
    assert torch.equal(weight, trained) and torch.equal(state.average["weight"], averaged)
