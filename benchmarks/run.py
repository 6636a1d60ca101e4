"""Run a suite: what is there is skipped, what is missing is measured, a record at a time.

The same command again after a kill goes on where it was; a cell that failed is tried again only when asked.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import cell as one
from benchmarks import records
from benchmarks.suite import Cell, Context, Outcome, Record, Suite, label
from mardini.errors import UserError


@dataclass(frozen=True)
class Plan:
    """The cells of a run by what is known of them.

    Attributes:
        folder: of the records.
        states: cell -> ``done``, ``failed``, ``stale`` or ``missing``.
        todo: the cells to measure, in order.
        known: all records of the suite on this machine.
    """

    folder: Path
    states: Mapping[Cell, str]
    todo: Sequence[Cell]
    known: Sequence[Record]


def plan(
    suite: Suite,
    cells: Sequence[Cell],
    folder: Path,
    *,
    limit: int | None = None,
    retry: bool = False,
    force: bool = False,
) -> Plan:
    """What is there and what is to do. ``limit``: at most so many cells; ``retry``: failed ones too; ``force``: all."""
    states = {c: records.state_of(suite, c, records.read(records.record_path(folder, c))) for c in cells}
    wanted = {"missing", "stale"} | ({"failed"} if retry else set())
    todo = [c for c, state in states.items() if force or state in wanted]
    return Plan(folder, states, todo[:limit], records.read_all(folder))


def estimate(suite: Suite, cell: Cell, known: Sequence[Record]) -> float | None:
    """Seconds that a cell may take, from the record of the same cell or else of like ones; ``None``: unknown."""
    values = asdict(cell)
    same = [r["seconds"] for r in known if r["cell"] == values and r["status"] == records.DONE]
    if same:
        return float(same[0])
    rates = []
    for record in known:
        alike = all(record["cell"].get(name) == values[name] for name in suite.alike)
        if alike and record["status"] == records.DONE and record["cell"].keys() == values.keys():
            rates.append(record["seconds"] / suite.work(suite.cell(**record["cell"])))
    return statistics.median(rates) * suite.work(cell) if rates else None


def describe(suite: Suite, made: Plan) -> str:
    """What a run would do: a line a cell with its state and an estimate, and the sum."""
    guesses = {cell: estimate(suite, cell, made.known) for cell in made.todo}
    lines = []
    for cell, state in made.states.items():
        if cell in guesses:
            what = f"to do, {span(guesses[cell])}" + ("" if state == "missing" else f" ({state})")
        else:
            what = {"failed": "failed before, skipped without --retry", "done": "done"}.get(
                state, "beyond --limit"
            )
        lines.append(f"{label(cell)}: {what}")
    known = [guess for guess in guesses.values() if guess is not None]
    unknown = len(guesses) - len(known)
    total = f"{len(made.states)} cells, {len(made.todo)} to do"
    if known:
        total += f": {span(sum(known))} for {len(known)} of them"
    if unknown:
        total += f"; no record of a like cell to estimate {unknown} from"
    return "\n".join([*lines, total])


def span(seconds: float | None) -> str:
    """``about 3 min``."""
    if seconds is None:
        return "time unknown"
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.3g} {unit}"
    return f"about {seconds:.2g} s"


def execute(suite: Suite, made: Plan, context: Context) -> tuple[int, int]:
    """Measure what is to do; how many cells were measured, and how many of them failed."""
    from tqdm import tqdm

    measure = one.apart if suite.isolated else one.here
    failed = 0
    with tqdm(made.todo, unit="cell", disable=not made.todo, dynamic_ncols=True) as bar:
        for cell in bar:
            bar.set_description(records.record_path(made.folder, cell).stem)
            began = time.perf_counter()
            outcome = measure(suite, cell, context)
            seconds = time.perf_counter() - began
            records.write(records.record_path(made.folder, cell), suite, cell, outcome, seconds)
            if not isinstance(outcome, Outcome):
                failed += 1
                bar.write(f"failed: {label(cell)}: {outcome['sentence']}", file=sys.stderr)
    if suite.finish is not None:
        suite.finish(made.folder, current(suite, made.folder))
    return len(made.todo), failed


def current(suite: Suite, folder: Path) -> list[Record]:
    """The records of a suite that are not stale."""
    found = []
    for record in records.read_all(folder):
        if record["cell"].keys() == suite.fields.keys():
            cell = suite.cell(**record["cell"])
            if records.state_of(suite, cell, record) != "stale":
                found.append(record)
    return found


def folder_of(suite: Suite, results: Path, device: str) -> Path:
    """Where a suite's records lie on this machine."""
    if device != "cpu" and not suite.on_gpu:
        raise UserError(f"--device {device}: suite {suite.name} computes on the CPU; leave --device out")
    return results / suite.name / records.machine_name(suite, device)


def assignments(texts: Sequence[str], option: str) -> dict[str, list[str]]:
    """``["a=1,2", "b=x"]`` of the command line as ``{"a": ["1", "2"], "b": ["x"]}``."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise UserError(f"{option} {text}: give an axis and its values, such as {option} frames=9,13")
        found.setdefault(name, []).extend(values.split(","))
    return found
