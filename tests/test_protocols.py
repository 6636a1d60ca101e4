"""Protocols: what each task gives and asks for, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.datasets import DATASETS
from eval.protocols import TASKS, protocol_for
from mardini.errors import UserError


def test_tasks_on_davis_are_those_of_the_papers() -> None:
    interpolation = protocol_for("interpolation", "davis")
    assert interpolation.id == "davis-7/v1" and interpolation.given == (0, 8) and interpolation.middle == 4
    assert interpolation.targets == (1, 2, 3, 4, 5, 6, 7) and interpolation.size == (256, 256)
    i2v = protocol_for("i2v", "davis", frames=17)
    assert i2v.id == "davis-i2v-16/v1" and i2v.given == (0,) and i2v.middle is None
    expansion = protocol_for("expansion", "davis")
    assert expansion.id == "davis-expansion-5/v1" and expansion.given == (0, 1, 2, 3)


def test_a_mask_of_ones_own_has_a_name_of_its_own() -> None:
    usual = protocol_for("interpolation", "davis", given=(8, 0))
    assert usual == protocol_for("interpolation", "davis")
    mask = protocol_for("interpolation", "davis", given=(4, 0, 8))
    assert mask.name == "davis-given-0.4.8-of-9" and mask.middle is None
    assert protocol_for("interpolation", "davis", given=(0, 3)).middle == 4


@given(
    st.sampled_from(TASKS), st.sampled_from([n for n, i in DATASETS.items() if i.truth]), st.integers(3, 40)
)
def test_given_and_generated_frames_make_up_the_clip(task, dataset: str, frames: int) -> None:
    protocol = protocol_for(task, dataset, frames=frames)
    assert sorted((*protocol.given, *protocol.targets)) == list(range(frames))
    assert protocol.given and protocol.targets
    assert protocol.middle is None or protocol.middle in protocol.targets


@pytest.mark.parametrize(
    ("frames", "given_frames", "message"),
    [
        (1, None, "leave nothing to generate"),
        (9, (), "do not fit"),
        (9, (9,), "0 to 8"),
        (3, (0, 1, 2), "not all"),
    ],
)
def test_masks_that_do_not_fit_are_refused(frames: int, given_frames, message: str) -> None:
    with pytest.raises(UserError, match=message):
        protocol_for("interpolation", "davis", frames=frames, given=given_frames)
    with pytest.raises(UserError, match="did you mean 'davis'"):
        protocol_for("interpolation", "daviz")
