"""The regression check: what it lets pass and what it reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import check
from mardini.errors import UserError

VALUES = {"blend": {"psnr_mid": 20.0, "fvd_random": 100.0}, "flow": {"psnr_mid": 24.0, "fvd_random": 50.0}}


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, float]]:
    now = json.loads(json.dumps(VALUES))
    (tmp_path / "interpolation.json").write_text(json.dumps(VALUES))
    (tmp_path / "i2v.json").write_text(json.dumps(VALUES))
    monkeypatch.setattr(check, "BASELINES", tmp_path)
    monkeypatch.setattr(check, "CASES", [check.Case(task, (), ()) for task in ("interpolation", "i2v")])
    monkeypatch.setattr(check, "measure", lambda case: now if case.task == "interpolation" else VALUES)
    return now


def test_rounding_passes(case: dict[str, dict[str, float]], capsys: pytest.CaptureFixture[str]) -> None:
    case["blend"]["psnr_mid"] += 0.02
    case["flow"]["fvd_random"] *= 1.01
    assert check.check() == 0
    out = capsys.readouterr().out
    assert "interpolation: 4 numbers of 2 systems are as recorded" in out and "i2v: 4 numbers" in out


def test_what_moved_is_shown(case: dict[str, dict[str, float]], capsys: pytest.CaptureFixture[str]) -> None:
    case["blend"]["psnr_mid"] -= 0.2
    del case["flow"]["fvd_random"]
    case["new"] = {"psnr_mid": 1.0}
    assert check.check() == 1
    out = capsys.readouterr().out
    assert "i2v: 4 numbers of 2 systems are as recorded" in out
    assert (
        "interpolation: 3 of 4 numbers moved" in out and "blend   psnr_mid    20        19.8     -0.2" in out
    )
    assert out.count("missing") == 2


def test_update_replaces_the_record(case: dict[str, dict[str, float]]) -> None:
    case["blend"]["psnr_mid"] = 30.0
    assert check.check(update=True) == 0
    assert check.check() == 0


def test_a_case_without_committed_numbers_says_how_to_make_them(case: dict[str, dict[str, float]]) -> None:
    (check.BASELINES / "i2v.json").unlink()
    with pytest.raises(UserError, match=r"no committed numbers at .*i2v.json: make them with --update"):
        check.check()


@pytest.mark.parametrize("case", check.CASES, ids=lambda case: case.task)
def test_the_committed_numbers_cover_every_system_and_metric(case: check.Case) -> None:
    record = json.loads(case.baseline.read_text())
    assert set(record) == set(case.systems)
    for columns in record.values():
        assert {name.split("_")[0] for name in columns} == set(case.metrics) <= set(check.TOLERANCES)
        assert any(name.endswith("_mid") for name in columns) == (case.task == "interpolation")


def test_a_case_is_measured_by_the_command_of_its_task() -> None:
    now = check.measure(check.Case("expansion", ("repeat",), ("psnr",)))
    before = json.loads(check.CASES[2].baseline.read_text())
    assert now.keys() == {"repeat"} and now["repeat"].keys() == {"psnr_all", "psnr_clip"}
    assert not check.compare({"repeat": {name: before["repeat"][name] for name in now["repeat"]}}, now)
