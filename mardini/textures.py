"""Textures and soft shapes for procedural video, the same at every resolution.

Everything is drawn from a ``numpy.random.Generator`` on the unit square, sampled at ``n`` x ``n`` texels: the
same generator state at another ``n`` gives the same picture, sharper or softer. Draws whose number depends on
``n`` come from a spawned generator, so that they cannot shift later draws.
"""

from __future__ import annotations

import bisect
import functools
import importlib.util
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from mardini.errors import UserError

# Photographs inside the wheels of scikit-image and matplotlib
PHOTOGRAPHS = (
    ("skimage", "data/astronaut.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/rocket.jpg"),
    ("skimage", "data/ihc.png"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    ("skimage", "data/camera.png"),
    ("skimage", "data/coins.png"),
    ("skimage", "data/brick.png"),
    ("skimage", "data/grass.png"),
    ("skimage", "data/gravel.png"),
    ("skimage", "data/moon.png"),
)
COLOURED = 7  # so many of them are in colour and come first


@functools.cache
def photograph(index: int, halvings: int = 0) -> np.ndarray:
    """Photograph ``index`` of ``PHOTOGRAPHS``, at half its size ``halvings`` times over.

    ``uint8`` RGB (H, W, 3), or (H, W) when it is grey; the sides are multiples of 8 before halving.
    """
    if halvings:
        large = photograph(index, halvings - 1)
        image = cv2.resize(large, (large.shape[1] // 2, large.shape[0] // 2), interpolation=cv2.INTER_AREA)
    else:
        package, name = PHOTOGRAPHS[index]
        spec = importlib.util.find_spec(package)  # finds the folder without importing the package
        path = Path(spec.origin).parent / name if spec and spec.origin else Path(package) / name
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None:
            raise UserError(f"{path} cannot be read, though it comes with {package}: reinstall {package}")
        image = image[: image.shape[0] // 8 * 8, : image.shape[1] // 8 * 8]
        if image.ndim == 3:
            image = cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_BGR2RGB)
    image.setflags(write=False)
    return image


def pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """One of the names, with probability proportional to its weight."""
    names, ends = list(weights), list(itertools.accumulate(weights.values()))
    return names[bisect.bisect_right(ends, rng.uniform(0, ends[-1]), hi=len(ends) - 1)]


def fractal_noise(
    rng: np.random.Generator, n: int, slope: float, first: int = 2, last: int = 512
) -> np.ndarray:
    """Noise with amplitude ~ 1/f^slope: octaves of Gaussian grids, cubically enlarged; float32 (n, n)."""
    child = rng.spawn(1)[0]
    total = child.standard_normal((first, first), dtype=np.float32)
    power, cells, amplitude = 1.0, first, 1.0
    while cells * 2 <= min(last, n // 2):
        cells, amplitude = cells * 2, amplitude * 2**-slope
        total = cv2.resize(total, (cells, cells), interpolation=cv2.INTER_CUBIC)
        total += np.float32(amplitude) * child.standard_normal((cells, cells), dtype=np.float32)
        power += amplitude**2
    # cubic enlarging lowers the standard deviation to about 1/1.3
    total *= np.float32(1.3 / power**0.5)
    return cv2.resize(total, (n, n), interpolation=cv2.INTER_CUBIC)


def palette(rng: np.random.Generator) -> np.ndarray:
    """Colour ramp through two to five related colours; float32 (256, 3) in [0, 1]."""
    count = int(rng.integers(2, 6))
    hue = rng.uniform() + (0.08, 0.2, 0.5)[rng.integers(3)] * rng.uniform(-1, 1, count)
    saturation = np.clip(rng.uniform(0.1, 0.9) + rng.uniform(-0.25, 0.25, count), 0, 1)
    value = rng.permutation(np.linspace(rng.uniform(0.08, 0.4), rng.uniform(0.7, 1.0), count))
    hsv = np.stack([hue % 1 * 360, saturation, value], -1).astype(np.float32)
    colours = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]
    positions = np.linspace(0, 1, 256)
    knots = np.linspace(0, 1, count)
    return np.stack([np.interp(positions, knots, colours[:, c]) for c in range(3)], -1).astype(np.float32)


def _ramp(field: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Colours for a field in [0, 1]: float32 (n, n, 3)."""
    index = np.clip(field * 255 + 0.5, 0, 255).astype(np.uint8)
    return cv2.LUT(cv2.cvtColor(index, cv2.COLOR_GRAY2RGB), colours[None])


def _times(image: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """The image (n, n, 3) times a field (n, n), both float32; much faster than by broadcasting."""
    return cv2.multiply(image, cv2.cvtColor(factor, cv2.COLOR_GRAY2RGB))


def _coordinates(rng: np.random.Generator, n: int, warp: float) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the texel centres in [0, 1], pushed about by noise of size ``warp``, turned at random."""
    axis = (np.arange(n, dtype=np.float32) + 0.5) / n - 0.5
    x, y = np.meshgrid(axis, axis)
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x, y = cos * x - sin * y, sin * x + cos * y
    x = x + warp * fractal_noise(rng, n, 1.0, first=3, last=6)
    y = y + warp * fractal_noise(rng, n, 1.0, first=3, last=6)
    return x + 0.5, y + 0.5


def _shaded(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image with uneven, noise-like brightness, as real surfaces have."""
    strength = rng.uniform(0.03, 0.16)
    return _times(image, 1 + np.float32(strength) * fractal_noise(rng, len(image), 0.6, first=4))


def noise(rng: np.random.Generator, n: int, detail: float) -> np.ndarray:
    """Coloured 1/f noise: clouds, marble, foliage."""
    colours = palette(rng)
    field = fractal_noise(rng, n, rng.uniform(0.7, 1.3), first=3)
    if rng.uniform() < 0.3:
        field = np.abs(field) * 1.6 - 1.2  # ridges
    image = _ramp(0.5 + 0.24 * field, colours)
    return _times(image, 1 + np.float32(0.15) * fractal_noise(rng, n, 0.8, first=4))


def mosaic(rng: np.random.Generator, n: int, detail: float) -> np.ndarray:
    """Voronoi cells in colours of one ramp, domed or flat, straight or wavy."""
    count = int(rng.integers(8, 16 + int(24 * detail)))
    points = rng.uniform(0, 1, (count, 2))
    colours = palette(rng)[rng.integers(0, 256, count + 1)]
    seeds = np.full((n, n), 255, np.uint8)
    where = np.minimum((points * n).astype(int), n - 1)
    seeds[where[:, 1], where[:, 0]] = 0
    distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    order = np.zeros(count + 1, np.int64)  # label of a cell -> number of its point, whatever OpenCV's order
    labels = labels.astype(np.int64)
    order[labels[where[:, 1], where[:, 0]]] = np.arange(count)
    image = np.take(colours, order[labels], axis=0)
    dome = np.float32(rng.uniform(0, 0.6)) * np.clip(distance * (count**0.5 / n), 0, 1)
    image = cv2.GaussianBlur(_times(image, 1 - dome), (5, 5), 0.7)
    x, y = _coordinates(rng, n, rng.uniform(0, 0.03))
    image = cv2.remap(image, x * n - 0.5, y * n - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return _shaded(image, rng)


def gradient(rng: np.random.Generator, n: int, detail: float) -> np.ndarray:
    """Linear or radial colour gradients, bent."""
    colours = palette(rng)
    x, y = _coordinates(rng, n, rng.uniform(0.02, 0.12))
    field = x if rng.uniform() < 0.5 else 1.3 * np.hypot(x - rng.uniform(0.2, 0.8), y - rng.uniform(0.2, 0.8))
    return _shaded(_ramp(field, colours), rng)


def stripes(rng: np.random.Generator, n: int, detail: float) -> np.ndarray:
    """Stripes or checks with anti-aliased edges, warped."""
    colours = palette(rng)
    count = rng.uniform(2, 4 + 7 * detail)
    x, y = _coordinates(rng, n, rng.uniform(0, 0.06))
    # clipped sines: the sharper the steeper, but never from dark to light within less than one texel
    steep = np.float32(max(1, min(rng.uniform(1, 12), n / (np.pi * count))))
    wave = np.clip(np.sin(2 * np.pi * count * x) * steep, -1, 1)
    if rng.uniform() < 0.5:
        wave = wave * np.clip(np.sin(2 * np.pi * count * y) * steep, -1, 1)
    mix = 0.5 + 0.5 * wave
    tone = rng.uniform(0.1, 0.5)
    image = _ramp(np.clip(0.25 * fractal_noise(rng, n, 1.2) * tone + 0.15 + 0.7 * mix, 0, 1), colours)
    return _shaded(image, rng)


def photo(rng: np.random.Generator, n: int, detail: float) -> np.ndarray:
    """A square crop of a photograph, turned, mirrored and recoloured; grey ones get a colour ramp."""
    first, last = (0, COLOURED) if rng.uniform() < 0.75 else (COLOURED, len(PHOTOGRAPHS))
    index = int(rng.integers(first, last))
    image = photograph(index)
    height, width = image.shape[:2]
    low = min(0.35 + 0.3 * detail, 0.8)
    side = int(min(height, width) * rng.uniform(low, 1)) // 8 * 8
    top, left = (int(rng.integers((space - side) // 8 + 1)) * 8 for space in (height, width))
    turn = int(rng.integers(1, 4)) if rng.uniform() < 0.3 else 0
    mirror = rng.uniform() < 0.5
    ramp, gain, gamma = palette(rng), rng.uniform(0.85, 1.15, 3), rng.uniform(0.75, 1.35)
    if rng.uniform() < 0.7:
        ramp = np.sort(ramp, axis=0)  # dark stays dark: a duotone
    halvings = min(max(side // n, 1).bit_length() - 1, 3)
    crop = photograph(index, halvings)[
        top >> halvings : (top + side) >> halvings, left >> halvings : (left + side) >> halvings
    ]
    crop = cv2.resize(crop, (n, n), interpolation=cv2.INTER_AREA if len(crop) >= n else cv2.INTER_CUBIC)
    crop = np.rot90(crop, turn)
    crop = np.ascontiguousarray(crop[:, ::-1] if mirror else crop)
    if crop.ndim == 2:
        return cv2.LUT(cv2.cvtColor(crop, cv2.COLOR_GRAY2RGB), ramp[None])
    table = (np.linspace(0, 1, 256)[:, None] ** gamma * gain).astype(np.float32)
    return cv2.LUT(crop, table[None])


TEXTURES: dict[str, Callable[[np.random.Generator, int, float], np.ndarray]] = {
    "photo": photo,
    "noise": noise,
    "mosaic": mosaic,
    "gradient": gradient,
    "stripes": stripes,
}


def texture(kind: str, rng: np.random.Generator, n: int, detail: float = 1.0) -> np.ndarray:
    """Texture of a ``kind`` in ``TEXTURES`` on ``n`` x ``n`` texels: float32 RGB (n, n, 3) in [0, 1].

    ``detail`` is the side of the texture as a part of the frame's: larger textures hold more features.
    """
    image = TEXTURES[kind](rng, n, detail)
    return np.clip(image, np.float32(0), np.float32(1), out=image)


def _ellipse(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    aspect = rng.uniform(0.45, 1)
    power = (2.0, 2.0, 4.0)[rng.integers(3)]  # 4: a rounded rectangle
    return 0.92 - (np.abs(x) ** power + np.abs(y / np.float32(aspect)) ** power) ** np.float32(1 / power)


def _polygon(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    corners = int(rng.integers(3, 8))
    angles = 2 * np.pi * (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners
    inside = np.full(x.shape, np.inf, np.float32)
    for angle, reach in zip(angles, rng.uniform(0.5, 0.75, corners), strict=True):
        inside = np.minimum(
            inside, np.float32(reach) - (np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y)
        )
    return np.minimum(inside, 0.95 - np.hypot(x, y))


def _star(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    theta = np.arctan2(y, x)
    reach = np.full(x.shape, 0.66, np.float32)
    for waves in rng.choice(np.arange(2, 8), 2, replace=False):
        reach += np.float32(rng.uniform(0.03, 0.13)) * np.sin(
            int(waves) * theta + np.float32(rng.uniform(0, 6.28))
        )
    return reach - np.hypot(x, y)


def _blob(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    bumps = fractal_noise(rng, len(x), 0.8, first=4, last=8)
    radius = np.hypot(x, y)
    return np.minimum(0.62 + 0.22 * bumps - radius, 0.95 - radius)


def _cell(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    others = 0.55 * rng.uniform(-1, 1, (14, 2)) + 0.9 * rng.uniform(-1, 1, (14, 2))
    own = np.hypot(x, y)
    nearest = np.full(x.shape, np.inf, np.float32)
    for px, py in others[np.hypot(*others.T) > 0.7].astype(np.float32):
        nearest = np.minimum(nearest, np.hypot(x - px, y - py))
    return np.minimum(nearest - own, 0.95 - own)


SHAPES: dict[str, Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]] = {
    "ellipse": _ellipse,
    "polygon": _polygon,
    "star": _star,
    "blob": _blob,
    "cell": _cell,
}


def mask(kind: str, rng: np.random.Generator, n: int, softness: float = 0.0) -> np.ndarray:
    """Alpha of a shape in ``SHAPES`` filling most of the square: float32 (n, n) in [0, 1], 0 at the border.

    The edge is about two texels wide plus ``softness``, a part of the square's side.
    """
    axis = (2 * np.arange(n, dtype=np.float32) + 1) / n - 1
    x, y = np.meshgrid(axis, axis)
    inside = SHAPES[kind](rng, x, y).astype(np.float32)
    slope_y, slope_x = np.gradient(inside)
    texels = inside / np.maximum(np.hypot(slope_x, slope_y), 0.2 / n)  # distance to the edge, in texels
    alpha = np.clip(0.5 + texels / (2 + softness * n), 0, 1)
    alpha[[0, -1]] = 0
    alpha[:, [0, -1]] = 0
    return alpha
