"""Committed records, read and never computed: of the evaluation toolkit and of the benchmarks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]
TASKS = ("interpolation", "i2v", "expansion")


class ReportError(ValueError):
    """A mistake of the user's, in one sentence."""


@dataclass(frozen=True)
class Group:
    """The records of all systems under one protocol on one set of clips.

    Attributes:
        task: ``interpolation``, ``i2v`` or ``expansion``.
        name: folder name, e.g. ``davis-7-v1``.
        folder: where the systems' folders lie.
        records: variant -> record, in the order of ``order``.
    """

    task: str
    name: str
    folder: Path
    records: Mapping[str, Record]

    @property
    def first(self) -> Record:
        return next(iter(self.records.values()))

    @property
    def clips(self) -> str:
        """``30 clips of 10 videos``."""
        data = self.first["dataset"]
        return f"{data['clips']} clips of {data['sources']} videos"


OWN = ("repeat", "blend", "flow", "minterpolate", "mardini")


def order(variant: str) -> tuple[int, str]:
    """Foreign methods first, by name, then the baselines, then the model."""
    for place, name in enumerate(OWN):
        if variant == name or variant.startswith(f"{name}-"):
            return place + 1, variant
    return 0, variant


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; ``ReportError`` names a file that is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{path} cannot be read ({error}): restore it, or make it again") from error
    if not isinstance(value, dict):
        raise ReportError(f"{path} holds no JSON object: restore it, or make it again")
    return value


def read_groups(results: Path) -> list[Group]:
    """All records of the toolkit below ``results``, a group a protocol and set of clips, sorted by name."""
    groups = []
    for task in TASKS:
        for folder in sorted(path for path in (results / task).glob("*") if path.is_dir()):
            found = {path.parent.name: read_json(path) for path in folder.glob("*/record.json")}
            if found:
                ordered = dict(sorted(found.items(), key=lambda item: order(item[0])))
                groups.append(Group(task, folder.name, folder, ordered))
    return groups


def read_cells(results: Path, suite: str) -> list[Record]:
    """All records of a benchmark suite, of every machine, each with its ``machine``, sorted by path."""
    folder = results / suite
    found = []
    for path in sorted(folder.glob("*/*.json")):
        record = read_json(path)
        if "cell" in record:
            found.append({"machine": path.parent.name, **record})
    return found


def read_lines(path: Path) -> list[Record]:
    """Rows of a JSONL file; none where there is no such file. A torn last line is left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def metric(record: Record, names: Sequence[str]) -> tuple[str, Mapping[str, Any]] | None:
    """The first of some columns that a record has: its name and entry."""
    for name in names:
        if name in record["metrics"]:
            return name, record["metrics"][name]
    return None
