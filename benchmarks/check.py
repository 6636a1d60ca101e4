"""Small fixed cases of the three tasks, compared with committed numbers, each metric within its tolerance."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality import afresh
from mardini.errors import UserError
from mardini.files import write_json

BASELINES = Path(__file__).parent / "baselines"
LIMIT, STEPS = 3, 4
"""Clips, and diffusion steps of the model: few, since what is checked is that nothing moved, not how good it is."""


@dataclass(frozen=True)
class Case:
    """A task on procedural clips: the systems and metrics that are scored."""

    task: str
    systems: tuple[str, ...]
    metrics: tuple[str, ...]

    @property
    def baseline(self) -> Path:
        return BASELINES / f"{self.task}.json"


CASES = (
    Case(
        "interpolation",
        ("repeat", "blend", "flow", "minterpolate", "mardini"),
        ("psnr", "ssim", "lpips", "fid", "fvd"),
    ),
    Case("i2v", ("repeat", "mardini"), ("psnr", "ssim", "lpips", "fvd")),
    Case("expansion", ("repeat", "flow", "mardini"), ("psnr", "ssim", "lpips", "fvd")),
)

Values = dict[str, dict[str, float]]
"""System -> column -> value."""

TOLERANCES: dict[str, tuple[float, float]] = {
    # (absolute, relative) by the first part of a column's name. Wide enough for another CPU, BLAS or release of
    # torch and OpenCV to round differently, far narrower than the step from one system to the next.
    "psnr": (0.05, 0.0),
    "ssim": (0.002, 0.0),
    "lpips": (0.0, 0.01),
    "fid": (0.03, 0.02),
    "fvd": (0.03, 0.02),
}


@dataclass(frozen=True)
class Moved:
    """A number that is not what it was; ``None`` where one side has none."""

    system: str
    column: str
    before: float | None
    now: float | None


def check(update: bool = False) -> int:
    """Run the cases and compare (or, with ``update``, replace the numbers). 0: nothing moved, 1: something did."""
    status = 0
    for case in CASES:
        if not update and not case.baseline.is_file():
            raise UserError(f"no committed numbers at {case.baseline}: make them with --update")
        now = measure(case)
        if update:
            write_json(case.baseline, now)
            print(f"{case.task}: written: {case.baseline}")
            continue
        moved = compare(json.loads(case.baseline.read_text(encoding="utf-8")), now)
        count = sum(map(len, now.values()))
        if moved:
            status = 1
            print(f"{case.task}: {len(moved)} of {count} numbers moved:\n{describe(moved)}")
        else:
            print(f"{case.task}: {count} numbers of {len(now)} systems are as recorded")
    return status


def measure(case: Case) -> Values:
    """The case's numbers, computed afresh."""
    task = importlib.import_module(f"eval.{case.task}")
    words = ["--dataset", "synthetic", "--limit", str(LIMIT), "--features", "random"]
    words += ["--steps", str(STEPS)] if "mardini" in case.systems else []
    words += ["--systems", ",".join(case.systems), "--metrics", ",".join(case.metrics)]
    with tempfile.TemporaryDirectory() as folder:
        with afresh(), contextlib.redirect_stdout(io.StringIO()):
            status = task.main([*words, "--output", folder])
        if status:
            raise UserError(f"eval.{case.task} ended with status {status}: see the line above")
        records = [json.loads(path.read_text()) for path in sorted(Path(folder).rglob("record.json"))]
    return {r["system"]: {name: entry["value"] for name, entry in r["metrics"].items()} for r in records}


def compare(before: Values, now: Values) -> list[Moved]:
    """All numbers that differ by more than their tolerance, or that only one side has."""
    moved = []
    for system in sorted(before.keys() | now.keys()):
        old, new = before.get(system, {}), now.get(system, {})
        for column in sorted(old.keys() | new.keys()):
            a, b = old.get(column), new.get(column)
            if a is None or b is None or not close(column, a, b):
                moved.append(Moved(system, column, a, b))
    return moved


def close(column: str, before: float, now: float) -> bool:
    """Whether a value of ``column`` stayed within the tolerance of its family."""
    absolute, relative = TOLERANCES[column.split("_")[0]]
    return math.isclose(before, now, abs_tol=absolute, rel_tol=relative)


def describe(moved: list[Moved]) -> str:
    """Aligned lines: system, column, before, now, difference."""

    def text(value: float | None) -> str:
        return "missing" if value is None else f"{value:.5g}"

    rows = [("system", "metric", "recorded", "now", "change")]
    for m in moved:
        change = "" if m.before is None or m.now is None else f"{m.now - m.before:+.3g}"
        rows.append((m.system, m.column, text(m.before), text(m.now), change))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
