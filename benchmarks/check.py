"""A small fixed case of the main job, compared with a committed record, each metric within its tolerance."""

from __future__ import annotations

import contextlib
import io
import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mardini.errors import UserError
from mardini.files import write_json

BASELINE = Path(__file__).parent / "baselines" / "interpolation.json"
CASE = [
    "--dataset",
    "synthetic",
    "--limit",
    "4",
    "--features",
    "random",
    "--metrics",
    "psnr,ssim,lpips,fid,fvd",
]

Values = dict[str, dict[str, float]]
"""System -> column -> value."""

TOLERANCES: dict[str, tuple[float, float]] = {
    # (absolute, relative) by the first part of a column's name. Wide enough for another CPU, BLAS or release of
    # torch and OpenCV to round differently, far narrower than the step from one system to the next.
    "psnr": (0.05, 0.0),
    "ssim": (0.002, 0.0),
    "lpips": (0.0, 0.01),
    "fid": (0.0, 0.02),
    "fvd": (0.0, 0.02),
}


@dataclass(frozen=True)
class Moved:
    """A number that is not what it was; ``None`` where one side has none."""

    system: str
    column: str
    before: float | None
    now: float | None


def check_interpolation(update: bool = False) -> int:
    """Run the case and compare (or, with ``update``, replace the record). 0: nothing moved, 1: something did."""
    now = measure()
    if update:
        write_json(BASELINE, now)
        print(f"record written: {BASELINE}")
        return 0
    if not BASELINE.is_file():
        raise UserError(f"no committed record at {BASELINE}: make one with --update")
    before = json.loads(BASELINE.read_text(encoding="utf-8"))
    moved = compare(before, now)
    count = sum(map(len, now.values()))
    if moved:
        print(f"{len(moved)} of {count} numbers moved:\n{describe(moved)}")
        return 1
    print(f"{count} numbers of {len(now)} systems are as recorded")
    return 0


def measure() -> Values:
    """The case's numbers, computed afresh."""
    from eval.interpolation import main

    with tempfile.TemporaryDirectory() as folder:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            status = main([*CASE, "--output", folder])
        if status:
            raise UserError(f"the main job ended with status {status}: see the line above")
        records = [json.loads(path.read_text()) for path in sorted(Path(folder).rglob("record.json"))]
    return {r["variant"]: {name: entry["value"] for name, entry in r["metrics"].items()} for r in records}


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
