"""Cells in processes of their own: measured there, and a process that dies is a recorded failure."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import cell as one
from benchmarks.suite import Context, Outcome
from benchmarks.suites import suite_of

ROOT = Path(__file__).parent.parent


def test_a_cell_in_a_process_of_its_own_is_measured_there(tmp_path: Path) -> None:
    suite, context = suite_of("metric-speed"), Context("cpu", tmp_path, tmp_path)
    cell = suite.cell("frechet-6x8", "mardini", 2, 9, 32)
    outcome, here = one.apart(suite, cell, context), one.here(suite, cell, context)
    assert isinstance(outcome, Outcome) and isinstance(here, Outcome)
    assert outcome.values["seconds"]["value"] > 0 and outcome.values["value"] == here.values["value"]


def test_that_process_answers_with_what_went_wrong(tmp_path: Path) -> None:
    context = Context("cpu", tmp_path, tmp_path)
    cell = {"metric": "set", "tool": "fastest-peers", "clips": 2, "frames": 9, "size": 32}
    answer = tmp_path / "answer.json"
    assert one.main(["metric-speed", json.dumps(cell), json.dumps(context.to_dict()), str(answer)]) == 0
    failed = one.restored(json.loads(answer.read_text()))
    assert (
        isinstance(failed, dict)
        and failed["kind"] == "UserError"
        and "run those cells first" in failed["sentence"]
    )


def test_a_process_that_is_killed_is_a_recorded_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = suite_of("metric-speed")
    cell = suite.cell("frechet-6x8", "mardini", 2, 9, 32)
    script = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(script))
    for body, kind, sentence in (
        ("kill -9 $$", "OutOfMemory", "killed"),
        ("echo first; echo last >&2; exit 3", "Died", "the process ended with status 3: last"),
    ):
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        outcome = one.apart(suite, cell, Context())
        assert isinstance(outcome, dict) and outcome["kind"] == kind and sentence in outcome["sentence"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the kernel does not list children")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_ending_a_run_ends_the_process_of_its_cell(tmp_path: Path, how: signal.Signals) -> None:
    """``kill`` of the command, ``-9`` too: the cell's process goes as well, and the next run measures that cell."""
    words = ["run", "metric-speed", "--output", str(tmp_path), "--cache", str(tmp_path)]
    words += ["--only", "metric=frechet-4096x2048", "--only", "tool=mardini"]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *words], cwd=ROOT, stderr=subprocess.DEVNULL
    )

    def children() -> list[str]:
        return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

    while process.poll() is None and not children():
        pass  # at once: while that process is being made, its maker does not know it yet
    (child,) = children()
    process.send_signal(how)
    assert process.wait(60) == {signal.SIGTERM: 143, signal.SIGKILL: -9}[how]
    for _ in range(200):
        if not Path(f"/proc/{child}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists() and not list(tmp_path.rglob("*.json"))
