"""One run in several processes gives what one process gives."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.interpolation import main
from eval.shards import Shard, claim
from mardini.errors import UserError
from mardini.image import write_png
from mardini.synthetic import make_clip

ROOT = Path(__file__).parent.parent
WORDS = ["--dataset", "folder", "--systems", "repeat,blend", "--metrics", "psnr,ssim"]


@pytest.fixture(scope="session")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four procedural clips as folders of PNG."""
    root = tmp_path_factory.mktemp("four")
    for seed in range(4):
        for index, frame in enumerate(make_clip(seed, frames=9, size=(32, 32))):
            write_png(root / f"v{seed}" / f"{index:03d}.png", frame)
    return root


def command(root: Path, output: Path, *more: str) -> list[str]:
    return [*WORDS, "--data-root", str(root), "--output", str(output), *more]


def content(output: Path) -> dict[str, Any]:
    """Rows and records without times, machine and paths."""
    found: dict[str, Any] = {}
    for path in sorted(output.rglob("*.json*")):
        name = path.relative_to(output).as_posix()
        if path.suffix == ".jsonl":
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            found[name] = [{key: row[key] for key in row if key != "seconds"} for row in rows]
        else:
            record = json.loads(path.read_text())
            found[name] = {k: v for k, v in record.items() if k not in ("timing", "environment")}
    return found


@given(st.integers(0, 50), st.integers(1, 9))
def test_parts_make_up_the_whole(items: int, count: int) -> None:
    parts = [Shard(index, count).of(range(items)) for index in range(count)]
    assert [item for part in parts for item in part] == list(range(items))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["4/4", "1", "-1/3", "a/b", "0/0"])
def test_parts_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="counted from 0"):
        Shard.parse(text)
    assert Shard.parse("1/4") == Shard(1, 4)


def test_shards_joined_are_the_whole(
    four: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(command(four, whole)) == 0
    table = capsys.readouterr().out.replace(str(whole), "OUT")
    for index in (1, 0):
        assert main(command(four, parts, "--shard", f"{index}/2")) == 0
        assert f"shard {index}/2 is done" in capsys.readouterr().out
    assert not list(parts.rglob("record.json"))
    from eval.systems.baselines import Blend

    monkeypatch.setattr(Blend, "predict", lambda self, tasks: pytest.fail("predicted again"))
    assert main(command(four, parts)) == 0
    assert capsys.readouterr().out.replace(str(parts), "OUT") == table
    assert content(parts) == content(whole)
    assert not list(parts.rglob("*-of-*"))


def test_shards_that_do_all_again_leave_a_new_record(
    four: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eval.systems.baselines import Blend

    assert main(command(four, tmp_path, "--systems", "blend")) == 0
    (before,) = (r for r in content(tmp_path).values() if isinstance(r, dict))
    monkeypatch.setattr(Blend, "predict", lambda self, tasks: [np.stack([t.given[0]] * 9) for t in tasks])
    for index in (0, 1):
        assert main(command(four, tmp_path, "--systems", "blend", "--force", "--shard", f"{index}/2")) == 0
    assert main(command(four, tmp_path, "--systems", "blend")) == 0
    (after,) = (r for r in content(tmp_path).values() if isinstance(r, dict))
    assert after["metrics"]["psnr_mid"]["value"] < before["metrics"]["psnr_mid"]["value"]
    assert not list(tmp_path.rglob("*-of-*"))


def test_a_missing_shard_is_done_by_the_whole(four: Path, tmp_path: Path) -> None:
    assert main(command(four, tmp_path / "parts", "--shard", "2/3")) == 0
    assert main(command(four, tmp_path / "parts")) == 0
    assert main(command(four, tmp_path / "whole")) == 0
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_two_processes_of_torchrun_write_the_same_record(four: Path, tmp_path: Path) -> None:
    more = ("--systems", "blend", "--metrics", "psnr,fvd", "--features", "random")
    assert main(command(four, tmp_path / "whole", *more)) == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = ["-m", "eval.interpolation", *command(four, tmp_path / "ranks", *more)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("All generated frames") == 1
    alone, ranks = content(tmp_path / "whole"), content(tmp_path / "ranks")
    assert ranks == alone
    assert all(
        set(record["metrics"]) > {"fvd_random"} for record in ranks.values() if isinstance(record, dict)
    )


def test_a_folder_is_worked_in_by_one_run_or_by_shards(tmp_path: Path) -> None:
    with claim(tmp_path, Shard(0, 2)), claim(tmp_path, Shard(1, 2)):
        for other in (Shard(0, 2), None):
            with pytest.raises(UserError, match="another run is at work"), claim(tmp_path, other):
                pass
    with claim(tmp_path, None), pytest.raises(UserError, match="another run"), claim(tmp_path, Shard(0, 2)):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_locked_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlocked(file: Any, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unlocked)
    with pytest.raises(UserError, match=r"cannot be locked \(No locks available"), claim(tmp_path, None):
        pass


def test_a_lock_on_a_removed_file_holds_nobody_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened before the run at work removed it, locked after."""
    lock = fcntl.flock

    def late(file: Any, how: int) -> None:
        (tmp_path / ".lock").unlink()
        lock(file, how)

    monkeypatch.setattr("fcntl.flock", late)
    with pytest.raises(UserError, match="another run is at work"), claim(tmp_path, None):
        pass


def test_a_shard_under_torchrun_is_refused(
    four: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert main(command(four, tmp_path, "--shard", "0/2")) == 2
    assert "leave it out under torchrun" in capsys.readouterr().err
