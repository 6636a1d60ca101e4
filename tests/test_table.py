"""The printed table: marks, widths, and what it says of numbers that need a warning."""

from __future__ import annotations

from typing import Any

import pytest

from eval.comparison import Difference
from eval.table import bounds, differences, notes, tables
from mardini.errors import UserError


def entry(value: float | None, higher: bool, decimals: int = 2, n: int = 4, **more: Any) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 1, value + 1)
    base = {
        "value": value,
        "low": low,
        "high": high,
        "n": n,
        "higher_is_better": higher,
        "decimals": decimals,
        "metric": {"version": "1"},
    }
    return base | more


def record(variant: str, **entries: dict[str, Any]) -> dict[str, Any]:
    data = {"name": "davis", "clips": 4, "sources": 2, "pixels_sha256": "0123456789abcdef"}
    return {"variant": variant, "protocol": "davis-7/v1", "dataset": data, "metrics": entries}


def two(fid_a: float | None = 9.0, fid_b: float | None = 7.0) -> list[dict[str, Any]]:
    return [
        record("blend", psnr_mid=entry(20.0, True), fid_all=entry(fid_a, False, n=28, dimensions=2048)),
        record("flow", psnr_mid=entry(21.004, True), fid_all=entry(fid_b, False, n=28, dimensions=2048)),
    ]


def test_best_is_marked_by_direction() -> None:
    text = tables(two(), ["psnr_mid", "fid_all"])
    assert "psnr ↑" in text and "fid ↓" in text
    assert "21.00* [20.0, 22.0]" in text and "20.00  [19.0, 21.0]" in text
    assert "7.00* [6.0, 8.0]" in text and "9.00  [8.0, 10.0]" in text
    assert "Middle frame: n = 4 clips of 2 videos\n" in text
    assert "All generated frames: n = 4 clips of 2 videos, fid on 28 frames\n" in text


def test_equal_printed_values_share_the_mark() -> None:
    text = tables(two(7.001, 7.004), ["psnr_mid", "fid_all"])
    assert text.count("7.00*") == 2


def test_nothing_is_marked_where_nothing_is_compared() -> None:
    assert "*" not in tables(two()[:1], ["psnr_mid", "fid_all"])


def test_missing_values_and_columns_are_said() -> None:
    text = tables(two(None, 7.0), ["psnr_mid", "fid_all"], absent=["fvd", "lpips_alex_mid"])
    assert "n/a" in text.splitlines()[9]
    middle, whole = text.split("\n\n")
    assert "lpips_alex" in middle and "fvd" not in middle
    assert "fvd" in whole and "lpips_alex" not in whole


def test_every_line_fits_in_100_columns() -> None:
    names = ["psnr_mid", "ssim_vidim_mid", "ssim_std_mid", "lpips_alex_random_mid", "fid_random_mid"]
    metrics = {name: entry(1234.5678, True, 4) for name in names}
    wide = [record(name, **metrics) for name in ("repeat", "mardini-checkpoint-0123abcd-steps100")]
    lines = tables(wide, names).splitlines()
    assert max(map(len, lines)) <= 100
    for name in names:
        assert name.removesuffix("_mid") in "\n".join(lines)
    assert sum(line.count("[1233.568, 1235.568]") for line in lines) == 2 * len(names)
    assert sum("continued" in line for line in lines) == 2  # cut in two, and its first half again
    narrow = tables(wide, names[:1]).splitlines()
    assert len(narrow) == 5  # intervals beside the values where there is room


def test_narrow_intervals_have_the_decimals_of_the_value() -> None:
    """Two that do not overlap must not look as if they did."""
    assert bounds(13.511, 15.039, 2) == "[13.5, 15.0]" and bounds(0.0456, 0.0870, 2) == "[0.05, 0.09]"
    assert bounds(0.1094, 0.1291, 2) == "[0.11, 0.13]" and bounds(1, 3, 0) == "[1, 3]"
    assert bounds(0.2064, 0.2192, 4) == "[0.206, 0.219]" and bounds(0.0023, 0.0026, 4) == "[0.0023, 0.0026]"


def test_forms_that_stand_for_another_are_left_to_the_record() -> None:
    metrics = {name: entry(20.0, True) for name in ("psnr_all", "psnr_clip")}
    text = tables([record("blend", **metrics)], ["psnr_all", "psnr_clip"])
    assert "psnr_clip ↑" in text and "psnr ↑" not in text
    assert "psnr ↑" in tables([record("blend", **metrics)], ["psnr_all"])
    assert "the records also hold psnr_all." in notes([record("blend", **metrics)], ["psnr_all", "psnr_clip"])


def test_notes_warn_of_random_features_and_few_samples() -> None:
    metrics = {"fid_random_all": entry(1.0, False, n=28, dimensions=2048), "psnr_mid": entry(20.0, True)}
    text = "\n".join(notes([record("blend", **metrics)], list(metrics)))
    assert "random weights: fid_random." in text
    assert "fid_random: 28 samples of 2048 features: rank deficient" in text
    metrics = {"fid_all": entry(1.0, False, n=2500, dimensions=2048)}
    text = "\n".join(notes([record("blend", **metrics)], list(metrics)))
    assert "random" not in text and "deficient" not in text and "floor" not in text
    metrics["fid_all"]["floor"] = {"value": 0.5, "n": 1250}
    assert "fid 0.50." in "\n".join(notes([record("blend", **metrics)], list(metrics)))


def test_notes_name_every_form_with_few_samples_but_none_of_kid() -> None:
    few = {
        "fid_mid": entry(1.0, False, n=4, dimensions=2048),
        "fid_all": entry(1.0, False, n=28, dimensions=2048),
    }
    few["kid_all"] = entry(0.1, False, n=28, dimensions=2048)
    text = "\n".join(notes([record("blend", **few)], list(few)))
    assert "fid (mid): 4 samples" in text and "fid: 28 samples" in text and "kid: " not in text


def test_what_cannot_be_told_from_the_best_is_marked() -> None:
    tied = {"psnr_mid": {"blend": Difference(-1.004, -2.1, 0.1, 0.06)}, "fid_all": {}}
    text = tables(two(), ["psnr_mid", "fid_all"], to_best=tied)
    assert "21.00* " in text and "20.00≈ " in text and "9.00≈" not in text
    clear = {"psnr_mid": {"blend": Difference(-1.004, -2.1, -0.1, 0.04)}}
    assert "≈" not in tables(two(), ["psnr_mid", "fid_all"], to_best=clear)


def test_differences_are_told_with_interval_and_p() -> None:
    found = {
        "psnr_mid": {"flow": Difference(1.004, 0.5, 1.5, 0.0004)},
        "fid_all": {"flow": Difference(-2.0, None, None, None)},
    }
    text = differences(two(), ["psnr_mid", "fid_all"], found, "blend")
    assert "Difference to blend" in text and "psnr (mid)" in text
    assert "+1.00 [0.5, 1.5] p < 0.001" in text and "-2.00\n" in text + "\n" and "blend  " not in text


def changed(**changes: Any) -> list[dict[str, Any]]:
    first, second = two()
    return [first, second | changes]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "davis-7/v2"}, "different protocols"),
        ({"dataset": {"name": "davis", "clips": 5, "pixels_sha256": "0"}}, "different clips"),
        ({"dataset": {"name": "davis", "clips": 4, "pixels_sha256": "0"}}, "different clips"),
        ({"metrics": {"psnr_mid": entry(1, True)}}, "flow has no fid_all"),
        ({"metrics": two()[1]["metrics"] | {"fid_all": entry(1, False, n=4)}}, "number of samples"),
        (
            {"metrics": two()[1]["metrics"] | {"psnr_mid": entry(1, True, metric={"version": "2"})}},
            "differ in version",
        ),
    ],
)
def test_numbers_that_do_not_belong_together_share_no_table(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tables(changed(**changes), ["psnr_mid", "fid_all"])
