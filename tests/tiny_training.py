"""A tiny model in training: few clips, states and lines of the log every other step."""

from __future__ import annotations

import json
from pathlib import Path

from mardini import checkpoint
from mardini.train import main

SMALL = ["--preset", "tiny", "--clips", "24", "--batch", "4", "--workers", "0"]
OFTEN = ["--log-every", "2", "--save-every", "2"]


def train(out: Path, stage: str, *more: str) -> int:
    return main(["--stage", stage, "--out", str(out), *SMALL, *OFTEN, *more])


def curve(out: Path, stage: str) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (out / "tiny" / stage / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def weights(out: Path, stage: str) -> bytes:
    return (out / "tiny" / stage / "checkpoint" / checkpoint.WEIGHTS).read_bytes()


def with_stages(trained: Path, out: Path, *stages: str) -> Path:
    """A folder of runs in which ``stages`` are done."""
    (out / "tiny").mkdir(parents=True)
    for stage in stages:
        (out / "tiny" / stage).symlink_to(trained / "tiny" / stage)
    return out


def train_chain(out: Path) -> None:
    """The stages up to ``joint-model``, with their logs."""
    assert (
        main(["--chain", "joint-model", "--out", str(out), "--logs", str(out / "logs"), *SMALL, *OFTEN]) == 0
    )
