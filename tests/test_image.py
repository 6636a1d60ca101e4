"""Images are read whole, upright and exactly, or refused with the file's name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mardini.errors import UserError
from mardini.image import image_files, image_size, read_image
from mardini.synthetic import make_clip


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return make_clip(3, frames=5, size=(48, 64))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "LA"])
def test_images_of_other_modes_become_rgb(tmp_path: Path, clip: np.ndarray, mode: str) -> None:
    image = Image.fromarray(clip[0]).convert(mode)
    image.save(tmp_path / "a.png")
    expected = np.array(image.convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


def test_an_image_of_16_bits_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UserError, match=r"deep\.png is an image of mode I;16"):
        read_image(tmp_path / "deep.png")


def test_an_image_is_turned_upright(tmp_path: Path, clip: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to view
    Image.fromarray(clip[0]).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(clip[0], -1))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_the_size_of_an_image_is_known_from_its_header(
    tmp_path: Path, clip: np.ndarray, suffix: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(clip[0]).save(path, exif=exif)
    assert image_size(path) == read_image(path).shape[:2]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])  # the pixels are not looked at
    assert image_size(path) == ((48, 64) if orientation < 5 else (64, 48))
    path.write_bytes(b"no image")
    assert image_size(path) is None


def test_a_16_bit_rgb_image_is_refused(tmp_path: Path) -> None:
    """Pillow would cut its values to 8 bits in silence."""
    (tmp_path / "deep.ppm").write_bytes(b"P6 4 4 65535\n" + np.full((4, 4, 3), 40000, ">u2").tobytes())
    with pytest.raises(UserError, match=r"deep\.ppm is an image of mode RGB, 16 bits a channel"):
        read_image(tmp_path / "deep.ppm")
    (tmp_path / "usual.ppm").write_bytes(b"P6 4 4 255\n" + np.full((4, 4, 3), 40, np.uint8).tobytes())
    assert (read_image(tmp_path / "usual.ppm") == 40).all()
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((4, 4, 3), 40000, np.uint16))
    with pytest.raises(UserError, match=r"deep\.png is an image of mode RGB, 16 bits a channel"):
        read_image(tmp_path / "deep.png")


def test_real_frames_are_read_as_opencv_reads_them(shared: Path) -> None:
    import cv2

    folders = sorted((shared / "davis" / "JPEGImages").glob("*/*"))
    if not folders:
        pytest.skip(f"{shared / 'davis'} has no sequence")
    first = image_files(folders[0])[0]
    by_opencv = cv2.cvtColor(np.asarray(cv2.imread(str(first))), cv2.COLOR_BGR2RGB)
    assert np.abs(read_image(first).astype(int) - by_opencv).max() <= 1
