"""The calibration table: measured on the metrics as they are, passed, printed as recorded; how rows are made."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

from eval.__main__ import main
from eval.calibration import page, rows
from eval.calibration.page import BEGIN, END, README, all_checks, table, write_page
from eval.calibration.rows import (
    WRITTEN_OUT,
    Check,
    Row,
    measure,
    metric_version,
    read_record,
    run,
    write_record,
)
from eval.metrics import FAMILIES, METRICS
from mardini.errors import UserError


def check(ours: object, theirs: object, **changes: object) -> Check:
    plain = Check("psnr", "any", WRITTEN_OUT, "by hand", "none", 1e-3, lambda: (ours, theirs))
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def test_the_committed_table_is_that_of_the_record_and_passes():
    recorded = read_record()
    assert [row.key for row in recorded] == [c.key for c in all_checks()]
    assert all(row.passed for row in recorded)
    text = README.read_text(encoding="utf-8")
    assert text.split(BEGIN)[1].split(END)[0].strip() == table(recorded)


def test_every_metric_is_calibrated_as_it_is_now():
    recorded = read_record()
    elsewhere = set(FAMILIES["vbench"]) - {"temporal_flickering"}  # against VBench's own code: its bridge
    assert {row.metric for row in recorded} == {*METRICS, "frechet"} - elsewhere
    for row in recorded:
        assert row.metric_version == metric_version(row.metric), f"{row.metric}: run python -m eval calibrate"
    for wanted, found in zip(all_checks(), recorded, strict=True):
        assert (wanted.inputs, wanted.tolerance, wanted.relative) == (
            found.inputs,
            found.tolerance,
            found.relative,
        )


def test_a_difference_is_the_largest_one_and_may_be_relative():
    row = measure(check([1.0, 2.0], [1.0, 2.004]))
    assert (row.ours, row.theirs) == (1.5, pytest.approx(1.502))
    assert row.difference == pytest.approx(0.004)
    assert not row.passed
    relative = measure(check([10.0, 2000.0], [10.0, 2001.0], relative=True))
    assert relative.difference == pytest.approx(1 / 2001)
    assert relative.passed
    assert not measure(check(np.nan, 1.0)).passed
    with pytest.raises(ValueError, match="do not compare"):
        measure(check([1.0, 2.0], [1.0]))


def test_rows_without_their_package_are_kept_with_its_version():
    wanted = [check(1.0, 1.0, reference="no-such-package"), check(2.0, 2.0, detail="other")]
    old = dataclasses.replace(measure(check(1.0, 1.0)), reference="no-such-package", version="3.1")
    outcome = run(wanted, [old])
    assert outcome.rows[0] == old
    assert outcome.kept == {old.key: ["no-such-package"]}
    assert outcome.passed
    assert not run(wanted, []).passed
    assert run(wanted, []).lost == wanted[:1]
    stale = dataclasses.replace(old, metric_version="0")
    assert not run(wanted, [stale]).passed
    other = measure(dataclasses.replace(wanted[1], inputs="others"))
    assert run(wanted[1:], [other], only=[]).lost == wanted[1:]
    needing = check(1.0, 1.0, needs=("no-such-package",))
    assert run([needing], []).lost == [needing]


def test_the_command_measures_writes_and_fails(tmp_path, monkeypatch, capsys):
    readme, record = tmp_path / "README.md", tmp_path / "record.json"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(page, "read_record", functools.partial(read_record, record))
    monkeypatch.setattr(page, "write_record", functools.partial(write_record, path=record))
    monkeypatch.setattr(page, "write_page", functools.partial(write_page, path=readme))
    good, bad = check(1.0, 1.0), check(1.0, 2.0, metric="ssim_std", detail="wrong")
    monkeypatch.setattr(page, "all_checks", lambda: [good, bad])
    assert main(["calibrate", "--only", "psnr"]) == 1
    assert "not measured: ssim_std, any (not asked for)" in capsys.readouterr().out
    assert not record.exists()
    assert main(["calibrate"]) == 1
    printed = capsys.readouterr().out
    assert "FAIL ssim_std" in printed
    assert "1 of 2 rows are within their tolerance" in printed
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| `ssim_std` | any | written out: wrong | none | 1 | 2 | 1.0e+00 | 1e-03 | **fail** |" in text
    assert [row.key for row in read_record(record)] == [good.key, bad.key]
    wide = dataclasses.replace(bad, tolerance=2.0, measure=lambda: (7.0, 7.0))
    monkeypatch.setattr(page, "all_checks", lambda: [good, wide])
    assert main(["calibrate", "--only", "psnr"]) == 0  # the kept row is judged by the tolerance of today
    assert [row.theirs for row in read_record(record)] == [1.0, 2.0]
    gone = dataclasses.replace(wide, reference="no-such-package")
    monkeypatch.setattr(page, "all_checks", lambda: [good, gone])
    capsys.readouterr()
    assert main(["calibrate"]) == 1
    assert "missing packages: no-such-package: pip install" in capsys.readouterr().out
    assert main(["calibrate", "--only", "psrn"]) == 2


def test_pages_and_records_that_are_none_are_refused(tmp_path):
    (tmp_path / "README.md").write_text("no place")
    with pytest.raises(UserError, match="no place for the table"):
        write_page([], tmp_path / "README.md")
    (tmp_path / "record.json").write_text('{"rows": [{"metric": "psnr"}]}')
    with pytest.raises(UserError, match="is no calibration record"):
        read_record(tmp_path / "record.json")
    assert read_record(tmp_path / "absent.json") == []


@pytest.mark.parametrize("metric", ["psnr", "psnr_clip", "ssim_vidim", "temporal_flickering"])
def test_cheap_rows_measured_again_are_as_recorded(metric):
    recorded = {row.key: row for row in read_record()}
    for wanted in all_checks():
        if wanted.metric == metric:
            now, then = measure(wanted), recorded[wanted.key]
            assert now.passed
            assert now.ours == pytest.approx(then.ours, rel=1e-3)


def test_a_wrong_convention_does_not_pass():
    """The comparison can fail: SSIM on [0, 1] against scikit-image on [-1, 1]."""
    from eval.calibration.pixels import _scikit_image

    wanted = next(c for c in all_checks() if c.metric == "ssim_vidim")
    frames = functools.partial(rows_of_two)
    ours, theirs = _scikit_image("ssim_std", frames)[0], _scikit_image("ssim_vidim", frames)[1]
    assert not measure(dataclasses.replace(wanted, measure=lambda: (ours, theirs))).passed


def rows_of_two() -> tuple[np.ndarray, np.ndarray]:
    from eval.calibration.inputs import generated_frames

    a, b = generated_frames()
    return a[:2], b[:2]


def test_a_row_is_plain_data():
    row = measure(check(1.0, 1.0))
    assert Row(**row.__dict__) == row
    assert rows.missing_packages(check(1.0, 1.0)) == []
