"""The command that builds the report, and its comparison with the records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import made_results
import pytest

from reports.__main__ import OUT, RESULTS, main
from reports.build import differing


def test_the_committed_report_is_that_of_the_committed_records() -> None:
    """If not: ``python -m reports``."""
    assert differing([RESULTS], OUT) == []


def test_check_finds_a_changed_number_and_a_missing_file(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    own = shutil.copytree(results, tmp_path / "results")
    words = ["--results", str(own), "--out", str(out)]
    (out / "tables").mkdir(parents=True)
    (out / "tables" / "mine.md").write_text("not of a report")
    assert main(words) == 0
    assert main([*words, "--check"]) == 0
    assert (out / "tables" / "mine.md").read_text() == "not of a report"
    capsys.readouterr()
    table, page = out / "tables" / "table-4.csv", out / "report.html"
    table.write_bytes(table.read_bytes().replace(b"0.5314", b"0.5315"))
    page.write_text(page.read_text().replace('"text":"427.66"', '"text":"427.67"'))
    (out / "tables" / "table-5.md").unlink()
    (out / "figures" / "training-nano.png").unlink()
    assert main([*words, "--check"]) == 1
    told = capsys.readouterr().out
    for name in ("table-4.csv", "report.html", "table-5.md", "training-nano.png"):
        assert told.count(name) == 1
    assert len(told.splitlines()) == 4
    assert list(out.glob("tables/expansion-*.md")) and list(out.glob("figures/*expansion-synth*.pdf"))
    shutil.rmtree(own / "expansion")
    assert main([*words, "--check"]) == 1 and "tables/expansion-" in capsys.readouterr().out
    assert main(words) == 0
    assert not list(out.glob("tables/expansion-*")) and not list(out.glob("figures/*expansion-synth*"))


def test_results_without_psnr_make_a_report(tmp_path: Path) -> None:
    less = tmp_path / "less"
    made_results.make_group(less)
    for path in less.rglob("clips.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            for part in ("scores", "frames"):
                row[part] = {name: value for name, value in row[part].items() if "psnr" not in name}
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    for path in less.rglob("record.json"):
        record = json.loads(path.read_text())
        record["metrics"] = {name: v for name, v in record["metrics"].items() if "psnr" not in name}
        path.write_text(json.dumps(record))
    assert main(["--results", str(less), "--out", str(tmp_path / "out")]) == 0


def test_mistakes_are_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--results", str(tmp_path / "nothing")]) == 2
    assert "is no folder" in capsys.readouterr().err
    bad = tmp_path / "interpolation" / "x" / "y"
    bad.mkdir(parents=True)
    (bad / "record.json").write_text("{")
    assert main(["--results", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "record.json cannot be read" in capsys.readouterr().err
    (tmp_path / "a-file").write_text("")
    (tmp_path / "empty").mkdir()
    assert main(["--results", str(tmp_path / "empty"), "--out", str(tmp_path / "a-file")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: cannot write") and error.count("\n") == 1
