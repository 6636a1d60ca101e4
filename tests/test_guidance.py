"""Scales of guidance: one or two numbers, as spelt on a command line, and what they are in between."""

from __future__ import annotations

from typing import Any

import pytest

from mardini.guidance import Scales, allowed, scale_at, scales, spelt


@pytest.mark.parametrize(
    ("text", "expected"), [("1", 1.0), ("0", 0.0), ("5,0", (5.0, 0.0)), ("0.5,2.25", (0.5, 2.25))]
)
def test_what_is_spelt_is_read(text: str, expected: Scales) -> None:
    assert scales(text) == expected and spelt(expected) == text and allowed(expected)


@pytest.mark.parametrize("text", ["", "x", "1,", "1 2"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        scales(text)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1,-1", "1,2,3"])
def test_numbers_that_make_no_sense_are_read_and_not_allowed(text: str) -> None:
    assert not allowed(scales(text)) and spelt(scales(text)) == text


@pytest.mark.parametrize(
    "given", [(), (1,), (1.0, 2.0, 3.0), (1.0, float("nan")), -0.5, [5.0, 0.0], "1", None]
)
def test_other_scales_are_not_allowed(given: Any) -> None:
    assert not allowed(given)


def test_two_scales_are_those_of_all_noise_and_of_none() -> None:
    assert scale_at(1.7, 0.3) == 1.7
    assert [scale_at((5, 1), time) for time in (1, 0.5, 0)] == [5, 3, 1]
