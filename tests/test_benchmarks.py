"""Sweeps: products of axes, records at known paths, what is skipped, tried again, estimated and shown."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as program
from benchmarks import cell as one
from benchmarks import records, run, suites
from benchmarks.suite import Context, Outcome, Shown, Suite, entry, file_name
from benchmarks.suites import NAMES, suite_of
from benchmarks.table import table
from mardini.errors import UserError

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Point:
    kind: str
    size: int


@dataclass
class Bench:
    """A suite of four cells that notes what it measured."""

    measured: list[Point]
    weights: str = "a"
    broken: bool = True

    def measure(self, cell: Point, context: Context) -> Outcome:
        self.measured.append(cell)
        if self.broken and cell == Point("b/c", 2):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return Outcome({"seconds": entry(cell.size / 2, low=float("nan"))}, {"list": (1, 2)}, {"seed": 3})

    @property
    def suite(self) -> Suite:
        return Suite(
            name="demo",
            line="a demonstration",
            cell=Point,
            axes=lambda device: {"kind": ("a", "b/c"), "size": (1, 2)},
            measure=self.measure,
            shown=(Shown("seconds", "s", 1), Shown("nothing", "nothing")),
            inputs=lambda cell: {"weights": self.weights},
            work=lambda cell: cell.size,
            alike=("kind",),
        )


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench([])
    monkeypatch.setattr(suites, "suite_of", lambda name: bench.suite)
    return bench


@pytest.fixture
def execute(bench: Bench, tmp_path: Path) -> Callable[..., int]:
    """Run the suite from the command line."""

    def execute(*words: str) -> int:
        return program.main(["run", "demo", "--output", str(tmp_path), "--cache", str(tmp_path), *words])

    return execute


def written(tmp_path: Path) -> dict[str, dict[str, Any]]:
    return {path.name: json.loads(path.read_text()) for path in tmp_path.glob("demo/*/*.json")}


# -- axes ---------------------------------------------------------------------------------------------------------


def test_cells_are_the_product_of_the_axes(bench: Bench) -> None:
    suite = bench.suite
    assert suite.cells() == [Point("a", 1), Point("a", 2), Point("b/c", 1), Point("b/c", 2)]
    assert suite.cells(only={"size": ["2"]}) == [Point("a", 2), Point("b/c", 2)]
    assert suite.cells(others={"size": ["7"]}, only={"kind": ["a"]}) == [Point("a", 7)]
    with pytest.raises(UserError, match=r"unknown size of suite demo '3'.*choose from 1, 2"):
        suite.cells(only={"size": ["3"]})
    with pytest.raises(UserError, match="unknown axis of suite demo 'sise': did you mean 'size'"):
        suite.cells(only={"sise": ["1"]})
    with pytest.raises(UserError, match="size=x: give int values"):
        suite.cells(others={"size": ["x"]})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_suite_has_cells_with_files_of_their_own(name: str, device: str) -> None:
    suite = suite_of(name)
    cells = suite.cells(device)
    assert suite.name == name and cells and len({file_name(cell) for cell in cells}) == len(cells)
    for cell in cells:
        assert re.fullmatch(r"[A-Za-z0-9._+-]+", file_name(cell))
        assert suite.cell(**json.loads(json.dumps(dataclasses.asdict(cell)))) == cell
        assert suite.work(cell) > 0 and records.key_of(suite, cell)
        assert set(suite.alike) <= suite.fields.keys()


# -- records ------------------------------------------------------------------------------------------------------


def test_a_record_says_everything(execute: Callable[..., int], bench: Bench, tmp_path: Path) -> None:
    assert execute("--only", "kind=a") == 0
    suite, (record, _) = bench.suite, written(tmp_path).values()
    path = records.record_path(run.folder_of(suite, tmp_path, "cpu"), Point("a", 1))
    assert json.loads(path.read_text()) == record
    assert record["cell"] == {"kind": "a", "size": 1} and record["status"] == "done"
    assert record["values"] == {"seconds": {"value": 0.5, "low": None}} and record["error"] is None
    provenance = record["provenance"]
    assert provenance["seed"] == 3 and provenance["inputs"] == {"weights": "a"}
    assert {"packages", "commit", "machine"} <= provenance.keys() and record["seconds"] >= 0


def test_what_is_there_is_skipped_and_a_failure_is_a_row(
    execute: Callable[..., int], bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute("--limit", "1") == 0 and bench.measured == [Point("a", 1)]
    assert execute() == 1 and len(bench.measured) == 4
    failed = written(tmp_path)["b_c-2.json"]
    assert failed["status"] == "failed" and failed["values"] == {}
    assert failed["error"]["kind"] == "OutOfMemory" and "out of memory" in failed["error"]["sentence"]
    assert "failed: kind=b/c size=2: out of memory" in capsys.readouterr().err
    assert execute() == 0 and len(bench.measured) == 4
    assert "1 failed before: try them again with --retry" in capsys.readouterr().out
    bench.broken = False
    assert execute("--retry") == 0 and bench.measured[4:] == [Point("b/c", 2)]
    assert written(tmp_path)["b_c-2.json"]["status"] == "done"
    assert execute("--force", "--only", "size=1") == 0 and len(bench.measured) == 7


def test_other_inputs_make_a_record_stale_and_a_torn_one_counts_for_nothing(
    execute: Callable[..., int], bench: Bench, tmp_path: Path
) -> None:
    assert execute("--only", "kind=a") == 0
    (torn,) = tmp_path.glob("demo/*/a-1.json")
    torn.write_text(torn.read_text()[:40])
    assert execute("--only", "kind=a") == 0 and bench.measured[2:] == [Point("a", 1)]
    bench.weights = "b"
    assert execute("--only", "kind=a") == 0 and len(bench.measured) == 5


def test_what_a_former_version_or_run_left_in_the_cache_is_not_found_again(
    execute: Callable[..., int], bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bool] = []

    def kept(cell: Point, context: Context) -> Outcome:
        path = context.cache / "demo" / "prediction"
        found.append(path.is_file())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return Outcome({})

    suite = dataclasses.replace(bench.suite, measure=kept)
    monkeypatch.setattr(suites, "suite_of", lambda name: suite)
    assert execute("--limit", "1") == 0 and execute("--limit", "1") == 0 and found == [False, True]
    assert execute("--limit", "2", "--force") == 0 and found[2:] == [False, True]
    assert execute("--limit", "1", "--force") == 0 and found[4:] == [False]
    suite = dataclasses.replace(suite, version="2")
    assert execute("--limit", "1") == 0 and found[5:] == [False]
    assert not list(tmp_path.glob("demo-*"))


def test_suites_of_the_cpu_are_not_recorded_as_a_gpus(
    execute: Callable[..., int],
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    suite = dataclasses.replace(bench.suite, on_gpu=False)
    monkeypatch.setattr(suites, "suite_of", lambda name: suite)
    assert execute("--device", "cuda") == 2
    assert "suite demo computes on the CPU; leave --device out" in capsys.readouterr().err
    assert {name for name in NAMES if not suite_of(name).on_gpu} == {"codec", "ablations", "metric-speed"}


def test_an_interrupt_leaves_what_was_measured(
    execute: Callable[..., int], bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = one.here

    def interrupted(suite: Suite, cell: Point, context: Context) -> Any:
        if cell.kind == "b/c":
            raise KeyboardInterrupt
        return usual(suite, cell, context)

    monkeypatch.setattr(one, "here", interrupted)
    assert execute() == 130
    assert sorted(written(tmp_path)) == ["a-1.json", "a-2.json"]


def test_a_dry_run_measures_nothing_and_estimates_from_like_cells(
    execute: Callable[..., int], bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute("--dry-run") == 0 and not written(tmp_path)
    assert "4 cells, 4 to do; no record of a like cell to estimate 4 from" in capsys.readouterr().out
    assert execute("--only", "kind=a", "--only", "size=2") == 0
    (path,) = tmp_path.glob("demo/*/a-2.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "seconds": 240}))
    capsys.readouterr()
    assert execute("--dry-run") == 0 and len(bench.measured) == 1
    out = capsys.readouterr().out
    assert "kind=a size=1: to do, about 2 min" in out and "kind=a size=2: done" in out
    assert "kind=b/c size=1: to do, time unknown" in out
    assert "4 cells, 3 to do: about 2 min for 1 of them; no record of a like cell to estimate 2 from" in out


def test_mistakes_are_a_sentence(
    execute: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, sentence in (
        (("--limit", "0"), "--limit 0: give at least 1"),
        (("--only", "size"), "--only size: give an axis and its values"),
        (("--with", "size="), "--with size=: give an axis"),
        (("--device", "cuda:9"), "CUDA"),
    ):
        assert execute(*words) == 2
        assert sentence in capsys.readouterr().err
    assert program.main(["table", "demo", "--output", str(tmp_path)]) == 2
    assert "make them with python -m benchmarks run demo" in capsys.readouterr().err
    with pytest.raises(UserError, match="did you mean 'scaling'"):
        suite_of("scalings")


# -- tables -------------------------------------------------------------------------------------------------------


def test_a_table_shows_numbers_failures_and_what_all_share(
    execute: Callable[..., int], bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    execute()
    capsys.readouterr()
    assert program.main(["table", "demo", "--output", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("demo on ") and lines[2].split() == ["kind", "size", "s"]
    assert lines[4:7] == ["a     1     0.5", "a     2     1.0", "b/c   1     0.5"]
    assert lines[7].startswith("b/c   2     failed: out of memory") and max(map(len, lines)) <= 100


def test_a_wide_table_goes_on_in_further_blocks() -> None:
    shown = tuple(Shown(f"value-{i}", f"a heading number {i}") for i in range(12))
    suite = dataclasses.replace(Bench([]).suite, shown=shown)
    values = {column.name: entry(1.5) for column in shown}
    rows = [{"cell": {"kind": k, "size": 1}, "status": "done", "values": values} for k in "ab"]
    text = table(suite, "here", rows)
    assert all(column.heading in text for column in shown)
    assert max(map(len, text.splitlines())) <= 100 and text.splitlines()[0] == "demo on here: size 1"
    assert text.count("kind") == 3 and text.count("1.50") == 24


def test_exponents_are_least_squares_on_logarithms() -> None:
    from benchmarks.scaling import fit, fits, summary

    assert fit([1, 2, 4], [3, 12, 48]) == (pytest.approx(2), pytest.approx(0, abs=1e-12))
    slope, error = fit([1, 10, 100], [1, 20, 100])
    # log10 costs 0, 1.301, 2 at 0, 1, 2: slope 1, residuals -0.1003 (1, -2, 1), s^2 = 6 * 0.1003^2 / 1
    assert slope == pytest.approx(1) and error == pytest.approx((6 * 0.100343**2 / 2) ** 0.5, rel=1e-4)
    assert fit([1, 2], [1, 2])[1] is None
    rows = [
        {
            "cell": {"over": "frames", "size": n},
            "status": "done",
            "values": {"seconds": entry(n**1.5), "memory": entry(2)},
        }
        for n in (5, 9, 17)
    ]
    assert [f["exponent"] for f in fits(rows)] == [pytest.approx(1.5), pytest.approx(0, abs=1e-12)]
    assert "seconds ~ frames^1.50 ± 0.00 (3 sizes)" in summary(rows)
    for row in rows:
        row["values"]["memory"] = entry(0)  # of a GPU on which nothing was done
    assert [f["column"] for f in fits(rows)] == ["seconds"]


# -- the command --------------------------------------------------------------------------------------------------


def test_list_names_every_suite_and_needs_no_torch() -> None:
    code = (
        "import sys; from benchmarks.__main__ import main; main(['list'])\n"
        "heavy = {'torch', 'numpy', 'cv2', 'av'} & set(sys.modules)\nassert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert all(f"{name}: " in done.stdout for name in NAMES)


def benchmark_commands() -> list[str]:
    return re.findall(r"^python -m benchmarks ((?:list|run|table)\b.*?)(?:  #.*)?$", README, re.MULTILINE)


def test_the_readme_shows_commands() -> None:
    assert {words.split()[0] for words in benchmark_commands()} == {"list", "run", "table"}


@pytest.mark.parametrize("words", benchmark_commands())
def test_every_command_of_the_readme_runs(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As written, but that nothing is measured: cells answer at once, and a CPU stands in for a GPU."""
    arguments = words.replace("--device cuda", "--device cpu").split()
    answered: list[Any] = []

    def answer(suite: Suite, cell: Any, context: Context) -> Outcome:
        answered.append(cell)
        return Outcome(
            {column.name: entry(1.0) for column in suite.shown}
            | {"seconds": entry(1.0), "memory": entry(1.0)}
        )

    monkeypatch.setattr(one, "here", answer)
    monkeypatch.setattr(one, "apart", answer)
    if arguments[0] == "table":
        assert program.main(["run", arguments[1], "--output", str(tmp_path), "--limit", "2"]) == 0
    if arguments[0] != "list":
        arguments += ["--output", str(tmp_path)]
    assert program.main(arguments) == 0
    assert bool(answered) == (arguments[0] != "list" and "--dry-run" not in arguments)
    assert capsys.readouterr().out
