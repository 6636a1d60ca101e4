"""The command on four procedural clips: its arguments, and what it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

SIZE = (48, 48)
VIDEOS = ("ape", "bee", "cat", "dog")
SYSTEMS = ("repeat", "blend", "flow")


def arguments(root: Path, output: Path, *more: str) -> list[str]:
    command = ["--dataset", "folder", "--data-root", str(root), "--output", str(output)]
    command += ["--metrics", "psnr,ssim"]
    return [*command, *more] if "--systems" in more else [*command, "--systems", ",".join(SYSTEMS), *more]


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
