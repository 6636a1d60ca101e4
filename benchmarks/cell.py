"""Measure one cell: here, or in a process of its own, whose peak memory and time are then its own.

python -m benchmarks.cell SUITE CELL CONTEXT ANSWER      what ``apart`` runs; JSON in, a JSON file out
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.suite import Cell, Context, Outcome, Suite
from mardini.errors import UserError
from mardini.files import write_json

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "Cannot allocate memory")


def here(suite: Suite, cell: Cell, context: Context) -> Outcome | dict[str, Any]:
    """The outcome of a cell, or what went wrong: nothing but an interrupt by the user is let through."""
    try:
        return suite.measure(cell, context)
    except Exception as error:
        return problem(error)


def problem(error: Exception) -> dict[str, Any]:
    """What a record says of an error: kind, one sentence, and for what is no mistake of the user's where it arose."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    found: dict[str, Any] = {"kind": type(error).__name__, "sentence": lines[0]}
    if isinstance(error, MemoryError) or any(part in str(error) for part in OUT_OF_MEMORY):
        return {"kind": "OutOfMemory", "sentence": f"out of memory: {lines[0]}"}
    if not isinstance(error, UserError):
        steps = traceback.extract_tb(error.__traceback__)
        found["trace"] = [f"{Path(s.filename).name}:{s.lineno} {s.name}" for s in steps[-6:]]
    return found


def apart(suite: Suite, cell: Cell, context: Context) -> Outcome | dict[str, Any]:
    """The same in a process of its own; one that is killed is an outcome too."""
    with tempfile.TemporaryDirectory() as folder:
        answer, told = Path(folder) / "answer.json", Path(folder) / "stderr"
        words = [json.dumps(part) for part in (dataclasses.asdict(cell), context.to_dict())]
        command = [sys.executable, "-m", "benchmarks.cell", suite.name, *words, str(answer)]
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        environment = {**os.environ, "PYTHONPATH": path}
        with (
            told.open("wb") as stderr,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=stderr, stderr=stderr, env=environment
            ) as process,
        ):
            try:
                status = process.wait()
            finally:
                process.kill()
        if answer.is_file():
            return restored(json.loads(answer.read_text(encoding="utf-8")))
        if status == -signal.SIGKILL:
            return {
                "kind": "OutOfMemory",
                "sentence": "the process was killed, as the system does when memory runs out",
            }
        lines = told.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return {
            "kind": "Died",
            "sentence": f"the process ended with status {status}: {(lines or [''])[-1]}",
        }


def restored(answer: Mapping[str, Any]) -> Outcome | dict[str, Any]:
    """What the other process wrote."""
    return dict(answer["error"]) if "error" in answer else Outcome(**answer["outcome"])


def end_with_parent() -> None:
    """End when standard input does: whoever began this process holds the other end, and may be killed at any moment."""

    def watch() -> None:
        # Not through sys.stdin: its lock, held while it waits, would trouble the interpreter's end.
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(argv: list[str]) -> int:
    """Measure the cell that the arguments say, and write the answer."""
    from benchmarks.records import finite
    from benchmarks.suites import suite_of

    name, cell, context, answer = argv
    suite = suite_of(name)
    outcome = here(suite, suite.cell(**json.loads(cell)), Context.from_dict(json.loads(context)))
    if isinstance(outcome, Outcome):
        write_json(Path(answer), {"outcome": finite(dataclasses.asdict(outcome))})
    else:
        write_json(Path(answer), {"error": outcome})
    return 0


if __name__ == "__main__":
    end_with_parent()
    sys.exit(main(sys.argv[1:]))
