"""Pictures of the codec: the same for a seed, as detailed as photographs, cut at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mardini.data import Pictures
from mardini.errors import UserError
from mardini.image import read_image
from mardini.pictures import KINDS, crops, main, sheet


@pytest.mark.parametrize("seed", range(6))
def test_a_picture_is_a_function_of_its_seed(seed: int) -> None:
    picture = sheet(seed, 32)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3 and min(picture.shape[:2]) >= 32
    assert np.array_equal(picture, sheet(seed, 32)) and picture.std() > 2


def test_negative_seeds_are_refused() -> None:
    with pytest.raises(UserError, match="negative"):
        sheet(-1)


def test_crops_lie_in_their_picture() -> None:
    picture = np.arange(40 * 40 * 3, dtype=np.uint8).reshape(40, 40, 3)
    found = crops(picture, np.random.default_rng(0), 5, 40)
    assert found.shape == (5, 40, 40, 3)
    assert all(np.array_equal(np.sort(crop.ravel()), np.sort(picture.ravel())) for crop in found)


def test_items_are_counted_and_pictures_come_again() -> None:
    items = Pictures(18_000, 2, 32)
    assert items.pool == 6000
    first, again = items[5].frames, items[5 + items.pool].frames
    assert first is not None and again is not None and first.shape == again.shape == (2, 3, 32, 32)
    assert (first == Pictures(10, 2, 32)[5].frames).all() and (first != again).any()
    assert Pictures(320_000, 2, 32).pool == 10_000


def test_the_command_draws_a_sheet(tmp_path: Path) -> None:
    main(["--out", str(tmp_path / "p.png"), "--pictures", "2", "--size", "32"])
    assert read_image(tmp_path / "p.png").ndim == 3
    assert main(["--out", str(tmp_path / "p.png"), "--pictures", "0"]) == 2
    assert sum(KINDS.values()) == pytest.approx(1)
