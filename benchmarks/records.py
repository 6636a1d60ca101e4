"""Records of cells: one file a cell, at a path known before it is measured, whole or absent.

    <results>/<suite>/<machine>/<cell>.json

A record says what was measured, or why it could not be, and all that it depends on. Its ``key`` is a hash of the
suite's version, the cell and its inputs: a record with another key is stale and measured again.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.suite import Cell, Outcome, Record, Suite, file_name, slug
from mardini.errors import UserError
from mardini.files import sha256_of, write_json

SCHEMA = 1
DONE, FAILED = "done", "failed"


def machine_name(suite: Suite, device: str) -> str:
    """Folder name of this machine: of its GPU, or of its processor, with the cores in use where time is measured."""
    if device.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            raise UserError(f"--device {device} was given, but torch finds no CUDA device: use --device cpu")
        return slug(torch.cuda.get_device_name(device)).lower()
    from eval.environment import cpu_model
    from eval.workers import cores

    name = slug(cpu_model()).lower() or "cpu"
    count = cores()
    return f"{name}-{count}core{'s' if count > 1 else ''}" if suite.timed else name


def record_path(folder: Path, cell: Cell) -> Path:
    """Where a cell's record lies in the folder of its suite and machine."""
    return folder / f"{file_name(cell)}.json"


def key_of(suite: Suite, cell: Cell) -> str:
    """Hash of all that decides what is measured."""
    parts = {"suite": suite.name, "version": suite.version, "cell": dataclasses.asdict(cell)}
    return sha256_of([json.dumps({**parts, "inputs": dict(suite.inputs(cell))}, sort_keys=True)])


def read(path: Path) -> dict[str, Any] | None:
    """A record; ``None`` where there is none, or none that can be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and "cell" in record else None


def read_all(folder: Path) -> list[dict[str, Any]]:
    """All records of a suite on a machine, sorted by name of file."""
    found = (read(path) for path in sorted(folder.glob("*.json")))
    return [record for record in found if record is not None]


def state_of(suite: Suite, cell: Cell, record: Record | None) -> str:
    """``done``, ``failed``, ``stale`` (measured with another version or other inputs) or ``missing``."""
    if record is None:
        return "missing"
    if record.get("key") != key_of(suite, cell):
        return "stale"
    return str(record["status"])


def write(
    path: Path, suite: Suite, cell: Cell, outcome: Outcome | Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """Write the record of a cell: an outcome, or what went wrong (``{"kind": ..., "sentence": ...}``)."""
    from eval.environment import environment

    failed = not isinstance(outcome, Outcome)
    record = {
        "schema": SCHEMA,
        "suite": suite.name,
        "version": suite.version,
        "cell": dataclasses.asdict(cell),
        "key": key_of(suite, cell),
        "status": FAILED if failed else DONE,
        "values": {} if failed else finite(outcome.values),
        "details": {} if failed else finite(outcome.details),
        "error": dict(outcome) if failed else None,
        "seconds": round(seconds, 2),
        "provenance": {
            **({} if failed else finite(outcome.provenance)),
            "inputs": dict(suite.inputs(cell)),
            **environment(),
        },
    }
    write_json(path, record)
    return record


def finite(value: Any) -> Any:
    """NaN and infinity as ``None``, however deep: JSON has no such numbers."""
    if isinstance(value, Mapping):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
