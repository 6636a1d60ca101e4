"""Single pictures with the detail of downscaled photographs: what the codec learns from.

A clip's frames are few layers at one scale. Photographs shrunk to a model's size hold far more: many objects, each
with texture and sharp edges. Here a picture is a photograph at any scale, a frame of a procedural scene, or a heap of
"dead leaves" (Lee et al. 2001): overlapping shapes whose sizes follow a power law, whose statistics are close to
those of photographs. All are drawn larger and averaged down, so that they are as sharp as their pixels allow.

    python -m mardini.pictures --out pictures.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mardini.errors import UserError, command
from mardini.synthetic import HELD_OUT, make_scene, render
from mardini.textures import COLOURED, PHOTOGRAPHS, SHAPES, mask, palette, photograph, pick, texture

KINDS = {"photograph": 0.45, "leaves": 0.35, "scene": 0.2}
SHEET = 224  # side of the sheet that crops are cut from, in pixels
FINENESS = 1.5  # drawn pixels per pixel of a heap's sheet, before it is averaged down


def sheet(seed: int, size: int = 64) -> np.ndarray:
    """The picture of ``seed``: uint8 RGB (H, W, 3), ``size`` pixels to a side at least, mostly ``SHEET``."""
    if seed < 0:
        raise UserError(f"seed {seed} is negative: choose an integer of 0 or more")
    rng = np.random.default_rng(np.random.SeedSequence([seed, 2]))
    side = max(SHEET, size)
    kind = pick(rng, KINDS)
    if kind == "scene":
        return _scene(rng, size, side)
    return _leaves(rng, side) if kind == "leaves" else _photograph(rng, size, side)


def crops(picture: np.ndarray, rng: np.random.Generator, count: int, size: int = 64) -> np.ndarray:
    """``count`` squares from random places of a picture, turned and mirrored: uint8 RGB (count, size, size, 3)."""
    found = []
    for _ in range(count):
        top, left = (int(rng.integers(space - size + 1)) for space in picture.shape[:2])
        crop = np.rot90(picture[top : top + size, left : left + size], int(rng.integers(4)))
        found.append(crop[:, ::-1] if rng.uniform() < 0.5 else crop)
    return np.stack(found)


def _scene(rng: np.random.Generator, size: int, side: int) -> np.ndarray:
    """A frame of a procedural scene, at the size of training clips or larger."""
    shown = int(rng.integers(size // 8, side // 8 + 1)) * 8
    return render(make_scene(int(rng.integers(HELD_OUT))), [float(rng.uniform())], (shown, shown))[0]


def _photograph(rng: np.random.Generator, size: int, side: int) -> np.ndarray:
    """A photograph, turned a little, recoloured, averaged down by a factor from 1 to what ``size`` allows."""
    first, last = (0, COLOURED) if rng.uniform() < 0.8 else (COLOURED, len(PHOTOGRAPHS))
    image = photograph(int(rng.integers(first, last)))
    image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
    height, width = image.shape[:2]
    factor = float(np.exp(rng.uniform(0, np.log(min(height, width) / size))))
    if factor > 1.5 and rng.uniform() < 0.7:  # the blur of turning is lost when averaging
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.normal(0, 20)), 1)
        image = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    reach = int(min(side * factor, height, width))
    top, left = (int(rng.integers(space - reach + 1)) for space in (height, width))
    shown = max(size, round(reach / factor))
    small = cv2.resize(
        image[top : top + reach, left : left + reach], (shown, shown), interpolation=cv2.INTER_AREA
    )
    return _recoloured(small, rng)


def _recoloured(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other levels, sometimes other colours, of a picture (H, W, 3), uint8."""
    values = image.astype(np.float32) / 255
    if rng.uniform() < 0.3:
        values = values[..., rng.permutation(3)]
    values = _faded(values, rng.uniform(0, 1.2))
    gamma, gain = np.float32(np.exp(rng.normal(0, 0.3))), np.float32(np.exp(rng.normal(0, 0.12, 3)))
    values = np.clip(values, 0, 1) ** gamma * gain
    values = (values - 0.5) * np.float32(rng.uniform(0.7, 1.25)) + np.float32(0.5 + rng.normal(0, 0.06))
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)


def _faded(values: np.ndarray, saturation: float) -> np.ndarray:
    """Colours (H, W, 3) pulled towards their grey, or away from it: most of what is seen outdoors is nearly grey."""
    grey = values.mean(-1, keepdims=True)
    return grey + np.float32(saturation) * (values - grey)


def _leaves(rng: np.random.Generator, side: int) -> np.ndarray:
    """A heap of leaves, back to front, drawn finer and averaged down."""
    n = round(side * FINENESS)
    kinds = {"photo": 0.5, "noise": 0.2, "stripes": 0.12, "mosaic": 0.08, "gradient": 0.1}
    cloths = [texture(pick(rng, kinds), rng, n, 1.0) for _ in range(4)]
    canvas = cloths[0].copy()
    smallest = rng.uniform(0.006, 0.02)
    for _ in range(int(rng.integers(30, 300))):
        # radius ~ r^-2 between the smallest and 0.35: as many pixels in large leaves as in small ones
        radius = (
            1 / rng.uniform(1 / 0.35, 1 / smallest) if rng.uniform() < 0.7 else rng.uniform(smallest, 0.12)
        )
        leaf = max(8, round(2 * radius * n))
        cloth = cloths[int(rng.integers(len(cloths)))]
        top, left = (int(rng.integers(n - leaf + 1)) for _ in range(2))
        piece = cloth[top : top + leaf, left : left + leaf]
        gain = np.exp(rng.normal(0, 0.35)) * np.exp(rng.normal(0, 0.12, 3))
        if rng.uniform() < 0.35:  # plain, of one colour
            piece = np.broadcast_to(
                palette(rng)[int(rng.integers(256))] * (0.8 + 0.2 * piece.mean()), piece.shape
            )
        alpha = mask(pick(rng, dict.fromkeys(SHAPES, 1.0)), rng, leaf, rng.uniform(0, 0.1))[..., None]
        alpha *= np.float32(1 if rng.uniform() < 0.85 else rng.uniform(0.3, 0.9))
        y, x = (int(rng.integers(-leaf // 2, n - leaf // 2)) for _ in range(2))
        rows, columns = slice(max(0, y), min(n, y + leaf)), slice(max(0, x), min(n, x + leaf))
        inside = (slice(rows.start - y, rows.stop - y), slice(columns.start - x, columns.stop - x))
        behind = canvas[rows, columns]
        behind += alpha[inside] * (piece[inside] * gain.astype(np.float32) - behind)
    canvas = _faded(cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA), rng.uniform(0, 1.2))
    if rng.uniform() < 0.5:  # sensor noise and sharpening, as cameras add
        canvas += np.float32(rng.uniform(0, 0.02)) * rng.standard_normal(canvas.shape, np.float32)
        canvas += np.float32(rng.uniform(0, 0.5)) * (canvas - cv2.GaussianBlur(canvas, (0, 0), 1))
    return np.clip(np.rint(canvas * 255), 0, 255).astype(np.uint8)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Draw a sheet of crops, a row a picture."""
    parser = argparse.ArgumentParser(
        prog="python -m mardini.pictures", description="Draw pictures of the codec."
    )
    parser.add_argument("--out", type=Path, required=True, help="a .png")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first picture; the others follow (0)"
    )
    parser.add_argument("--pictures", type=int, default=12, help="number of pictures (12)")
    parser.add_argument("--size", type=int, default=64, help="side of a crop in pixels (64)")
    args = parser.parse_args(argv)
    if args.pictures < 1:
        raise UserError(f"--pictures {args.pictures} was asked for: choose 1 or more")
    from mardini.image import write_png
    from mardini.strip import strip

    pictures = [sheet(args.seed + number, args.size) for number in range(args.pictures)]
    rng = np.random.default_rng(args.seed)
    write_png(args.out, strip([crops(picture, rng, 12, args.size) for picture in pictures]))


if __name__ == "__main__":
    raise SystemExit(main())
