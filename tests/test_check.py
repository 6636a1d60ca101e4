"""The regression check: what it lets pass and what it reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import check

VALUES = {"blend": {"psnr_mid": 20.0, "fvd_random": 100.0}, "flow": {"psnr_mid": 24.0, "fvd_random": 50.0}}


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, float]]:
    now = json.loads(json.dumps(VALUES))
    (tmp_path / "record.json").write_text(json.dumps(VALUES))
    monkeypatch.setattr(check, "BASELINE", tmp_path / "record.json")
    monkeypatch.setattr(check, "measure", lambda: now)
    return now


def test_rounding_passes(case: dict[str, dict[str, float]], capsys: pytest.CaptureFixture[str]) -> None:
    case["blend"]["psnr_mid"] += 0.02
    case["flow"]["fvd_random"] *= 1.01
    assert check.check_interpolation() == 0
    assert "4 numbers of 2 systems are as recorded" in capsys.readouterr().out


def test_what_moved_is_shown(case: dict[str, dict[str, float]], capsys: pytest.CaptureFixture[str]) -> None:
    case["blend"]["psnr_mid"] -= 0.2
    del case["flow"]["fvd_random"]
    case["new"] = {"psnr_mid": 1.0}
    assert check.check_interpolation() == 1
    out = capsys.readouterr().out
    assert "3 of 4 numbers moved" in out and "blend   psnr_mid    20        19.8     -0.2" in out
    assert out.count("missing") == 2


def test_update_replaces_the_record(case: dict[str, dict[str, float]]) -> None:
    case["blend"]["psnr_mid"] = 30.0
    assert check.check_interpolation(update=True) == 0
    assert check.check_interpolation() == 0


def test_the_committed_record_covers_every_system_and_metric() -> None:
    record = json.loads(check.BASELINE.read_text())
    assert set(record) == {"repeat", "blend", "flow", "minterpolate", "mardini"}
    for columns in record.values():
        assert {"psnr_mid", "psnr_clip", "ssim_vidim_mid", "ssim_std_mid"} <= set(columns)
        assert {name.split("_")[0] for name in columns} == set(check.TOLERANCES)
