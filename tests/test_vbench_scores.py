"""VBench's formulas: rows of the published tables, and nothing scored 0 in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.vbench_scores import BOARD_I2V, BOARD_QUALITY, DIMENSIONS, I2V, QUALITY, board, table_5
from mardini.errors import UserError
from reports.paper import TABLE_5

# Animate-Anything in the table of VBench++ (arXiv:2411.13503), percent.
ANIMATE_ANYTHING = {
    "i2v_subject": 98.76, "i2v_background": 98.58, "camera_motion": 13.08, "subject_consistency": 98.90,
    "background_consistency": 98.19, "temporal_flickering": 98.14, "motion_smoothness": 98.61,
    "dynamic_degree": 2.68, "aesthetic_quality": 67.12, "imaging_quality": 72.09,
}  # fmt: skip


def fractions(percent: dict[str, float]) -> dict[str, float]:
    return {name: value / 100 for name, value in percent.items()}


def test_the_columns_are_those_of_the_paper() -> None:
    """From the dimensions of a published row to all five columns of Table 5."""
    columns = table_5(fractions(ANIMATE_ANYTHING))
    reported = next(scores for name, *_, scores in TABLE_5 if name == "Animate-Anything")
    assert [round(score.value or 0, 2) for score in columns.values()] == list(reported)
    assert list(columns) == ["i2v_subject", "i2v_background", "mardini_vq_dd", "mardini_vq", "vbench_avg"]


@pytest.mark.parametrize("row", TABLE_5, ids=lambda row: f"{row[0]} {row[1]}")
def test_the_average_of_every_row_of_table_5(row) -> None:
    """(Sub + Bg + 6 VQ) / 8, within the rounding of the printed numbers."""
    subject, background, _, quality, average = row[4]
    scores = dict.fromkeys(QUALITY, quality / 100) | {
        "i2v_subject": subject / 100,
        "i2v_background": background / 100,
    }
    found = table_5(scores)
    assert found["vbench_avg"].value == pytest.approx((subject + background + 6 * quality) / 8)
    assert found["vbench_avg"].value == pytest.approx(average, abs=0.011)
    assert found["mardini_vq"].value == pytest.approx(quality)


def test_marDinis_own_row_to_the_last_digit() -> None:
    scores = dict.fromkeys(QUALITY, 0.8822) | {"i2v_subject": 0.9864, "i2v_background": 0.9712}
    assert table_5(scores)["vbench_avg"].value == pytest.approx(90.635, abs=1e-9)


def test_the_board_by_hand() -> None:
    scores = fractions(ANIMATE_ANYTHING)
    found = {name: score.value or 0 for name, score in board(scores).items()}
    quality = (
        (0.9890 - 0.1462) / 0.8538 + (0.9819 - 0.2615) / 0.7385 + (0.9861 - 0.706) / 0.2915
        + 0.5 * 0.0268 + 0.6712 + 0.7209
    ) / 5.5  # fmt: skip
    i2v = (0.1 * 0.1308 + (0.9876 - 0.1462) / 0.8538 + (0.9858 - 0.2615) / 0.7385) / 2.1
    assert found["vbench_quality"] == pytest.approx(100 * quality)
    assert found["vbench_i2v"] == pytest.approx(100 * i2v)
    assert found["vbench_total"] == pytest.approx(50 * (quality + i2v))


@given(st.sampled_from(sorted(DIMENSIONS)))
def test_what_is_missing_is_named_and_never_counts_as_nothing(name: str) -> None:
    scores = fractions(ANIMATE_ANYTHING)
    del scores[name]
    needs = {
        "mardini_vq_dd": (*QUALITY, "dynamic_degree"),
        "mardini_vq": QUALITY,
        "vbench_avg": (*I2V, *QUALITY),
        "vbench_quality": BOARD_QUALITY,
        "vbench_i2v": BOARD_I2V,
        "vbench_total": (*BOARD_QUALITY, *BOARD_I2V),
    }
    for column, score in {**table_5(scores), **board(scores)}.items():
        lacks = name in needs.get(column, (column,))
        assert (score.value is None) == lacks
        assert score.missing == ((name,) if lacks else ())


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"i2v_subject": 98.64}, "i2v_subject is 98.64: give a fraction"),
        ({"subject_consistency": float("nan")}, "give a fraction"),
        ({"object_class": 0.5}, "'object_class' is no dimension of VBench-I2V"),
    ],
)
def test_percent_and_other_dimensions_are_refused(scores: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        table_5(scores)
    with pytest.raises(UserError, match=message):
        board(scores)
