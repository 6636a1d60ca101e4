"""Procedural video with exact in-betweens: training data and the embedded benchmark.

A scene is one background and one to four textured layers, each with a motion that is a function of continuous
time. A frame at any time is rendered by mapping every output pixel back to the layers' textures at that very
time, so the frames between two others are exact, not interpolated. The scene of a seed does not depend on the
frame size, the number of frames or the machine.

    python -m mardini.synthetic --out strip.png --seed 0 --clips 6 --size 128
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mardini.errors import UserError, command
from mardini.motion import Motion, Vector, draw_motion, draw_travel
from mardini.textures import SHAPES, TEXTURES, mask, texture

VERSION = "1"  # changes whenever a seed's frames change

SUPERSAMPLE = 2  # rendered pixels per output pixel and axis
DENSITY = 1.3  # texels per output pixel and axis, at the largest zoom
GRID = 8  # rendered pixels between the points at which a non-rigid map is evaluated


@dataclass(frozen=True)
class Layer:
    """A textured plane. ``shape`` is ``None`` for the background, whose texture covers every view of it.

    ``radius`` is half the side of the texture's square in frame sides; ``seed`` draws texture and shape.
    """

    texture: str
    shape: str | None
    softness: float
    radius: float
    seed: int
    motion: Motion


@dataclass(frozen=True)
class Light:
    """Change of light: start and end values, linear in time. The neutral light is ``Light()``.

    ``gains`` are RGB factors, ``gammas`` exponents; a soft spot of brightness ``spot`` (negative: a shadow) and
    of radius ``width`` frame sides moves along ``path``.
    """

    gains: tuple[tuple[float, float, float], tuple[float, float, float]] = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    gammas: Vector = (1.0, 1.0)
    spot: float = 0.0
    width: float = 0.5
    path: tuple[Vector, Vector] = ((0.0, 0.0), (0.0, 0.0))


@dataclass(frozen=True)
class Scene:
    """What a clip shows: layers from back to front, light, and the tags of what happens."""

    layers: tuple[Layer, ...]
    light: Light
    tags: frozenset[str]


def make_scene(seed: int) -> Scene:
    """The scene of a ``seed`` (any integer >= 0). Costs no pixels."""
    if seed < 0:
        raise UserError(f"seed {seed} is negative: choose an integer of 0 or more")
    rng = np.random.default_rng(np.random.SeedSequence([seed, int(VERSION)]))
    kinds, photo_first = list(TEXTURES), [0.45, 0.2, 0.13, 0.08, 0.14]
    calm = rng.uniform() < 0.06  # nearly everything stands still
    strength = rng.uniform(0.25, 1.0) * (0.1 if calm else 1)
    camera = draw_travel(rng) * (0.05 if calm else 0.7)
    motion = draw_motion(rng, middle=(0.0, 0.0), travel=camera, radius=0.7, strength=0.6 * strength)
    layers = [
        Layer(
            str(rng.choice(kinds, p=photo_first)), None, 0.0, _cover(motion), int(rng.integers(2**32)), motion
        )
    ]
    for _ in range(int(rng.choice([1, 2, 3, 4], p=[0.3, 0.35, 0.2, 0.15]))):
        radius = float(np.exp(rng.uniform(np.log(0.13), np.log(0.42))))
        middle = (float(rng.uniform(-0.4, 0.4)), float(rng.uniform(-0.4, 0.4)))
        travel = draw_travel(rng) * (0.1 if calm else 1)
        motion = draw_motion(rng, middle=middle, travel=travel, radius=radius, strength=strength)
        kind, shape = str(rng.choice(kinds, p=photo_first)), str(rng.choice(list(SHAPES)))
        softness = rng.uniform(0, 0.08) if rng.uniform() < 0.25 else 0.0
        layers.append(Layer(kind, shape, softness, radius, int(rng.integers(2**32)), motion))
    light = _draw_light(rng) if rng.uniform() < 0.35 else Light()
    return Scene(tuple(layers), light, _tags(layers, light))


def tags(seed: int) -> frozenset[str]:
    """What happens in the clip of ``seed``.

    Among ``translation``, ``rotation``, ``zoom``, ``perspective``, ``nonrigid``, ``curved``, ``accelerated``,
    ``occlusion`` (one layer in front passes another) and ``lighting``.
    """
    return make_scene(seed).tags


def make_clip(seed: int, frames: int = 9, size: tuple[int, int] = (64, 64)) -> np.ndarray:
    """The clip of ``seed``: ``frames`` equally spaced frames of ``size`` (height, width).

    More frames show the same time in finer steps. Returns ``uint8`` RGB (frames, height, width, 3).
    """
    if frames < 1:
        raise UserError(f"a clip of {frames} frames was asked for: choose 1 or more")
    return render(make_scene(seed), np.linspace(0, 1, frames), size)


def render(scene: Scene, times: Sequence[float] | np.ndarray, size: tuple[int, int] = (64, 64)) -> np.ndarray:
    """Frames of ``scene`` at ``times`` in [0, 1], ``size`` (height, width): ``uint8`` RGB (T, height, width, 3).

    The longer side of the frame shows one unit of the scene; the shorter one is cut at both ends.
    """
    height, width = size
    if min(size) < 8:
        raise UserError(f"frames of {height}x{width} were asked for: choose 8x8 or larger")
    if not all(0 <= time <= 1 for time in times):
        raise UserError("a time outside the clip was asked for: choose times from 0 to 1")
    painted = [_paint(layer, max(size)) for layer in scene.layers]
    frames = np.empty((len(times), height, width, 3), np.uint8)
    canvas = np.empty((height * SUPERSAMPLE, width * SUPERSAMPLE, 4), np.float32)
    for number, time in enumerate(map(float, times)):
        for layer, pixels in zip(scene.layers, painted, strict=True):
            _draw(canvas, layer, pixels, time)
        small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        frames[number] = _lit(np.ascontiguousarray(small[..., :3]), scene.light, time)
    return frames


def _cover(motion: Motion) -> float:
    """Half the side of a texture square that a whole frame sees during ``motion``."""
    edge = np.linspace(-0.5, 0.5, 9)
    border = np.concatenate([[(a, -0.5, 1), (a, 0.5, 1), (-0.5, a, 1), (0.5, a, 1)] for a in edge])
    reach = 0.0
    for time in np.linspace(0, 1, 17):
        seen = border @ np.linalg.inv(motion.matrix(float(time))).T
        reach = max(reach, float(np.abs(seen[:, :2] / seen[:, 2:]).max()))
    return reach * 1.01 + motion.reach


def _draw_light(rng: np.random.Generator) -> Light:
    level = rng.uniform(0.75, 1.2, 2)
    tint = 1 + rng.uniform(-0.1, 0.1, (2, 3))
    first, last = (level[:, None] * tint).tolist()
    gammas = rng.uniform(0.8, 1.25, 2) if rng.uniform() < 0.5 else np.ones(2)
    spot = rng.choice([-1, 1]) * rng.uniform(0.25, 0.55) if rng.uniform() < 0.6 else 0.0
    start, move = rng.uniform(-0.5, 0.5, 2), rng.uniform(-0.6, 0.6, 2)
    return Light(
        gains=(tuple(first), tuple(last)),
        gammas=(float(gammas[0]), float(gammas[1])),
        spot=float(spot),
        width=rng.uniform(0.2, 0.5),
        path=((float(start[0]), float(start[1])), (float(start[0] + move[0]), float(start[1] + move[1]))),
    )


def _tags(layers: Sequence[Layer], light: Light) -> frozenset[str]:
    found: set[str] = set().union(*(layer.motion.tags for layer in layers))
    front = layers[1:]
    for number, one in enumerate(front):
        for other in front[:number]:
            gaps = [one.motion.centre(t) - other.motion.centre(t) for t in np.linspace(0, 1, 9).tolist()]
            near = min(np.hypot(*gap) for gap in gaps) < 0.7 * (one.radius + other.radius)
            if near and np.hypot(*(gaps[-1] - gaps[0])) >= 0.03:
                found.add("occlusion")
    if light != Light():
        found.add("lighting")
    return frozenset(found)


def _paint(layer: Layer, side: int) -> np.ndarray:
    """Texture for frames of ``side`` pixels: float32 (N, N, 4) in [0, 255], colour premultiplied by alpha in [0, 1]."""
    texels = 2 * layer.radius * side * DENSITY * np.exp(max(layer.motion.zooms))
    n = max(16, int(np.ceil(texels)))
    colour_seed, shape_seed = np.random.SeedSequence(layer.seed).spawn(2)
    pixels = np.empty((n, n, 4), np.float32)
    pixels[..., 3] = 1
    pixels[..., :3] = texture(layer.texture, np.random.default_rng(colour_seed), n, 2 * layer.radius)
    if layer.shape is not None:
        pixels *= mask(layer.shape, np.random.default_rng(shape_seed), n, layer.softness)[..., None]
    return pixels * np.array([255, 255, 255, 1], np.float32)


def _draw(canvas: np.ndarray, layer: Layer, pixels: np.ndarray, time: float) -> None:
    """Put a layer over ``canvas`` (H, W, 4) as it is at ``time``."""
    height, width = canvas.shape[:2]
    side, n = max(height, width), len(pixels)
    forward = layer.motion.matrix(time)
    top, left, bottom, right = 0, 0, height, width
    if layer.shape is not None:
        top, left, bottom, right = _bounds(forward, layer.radius + layer.motion.reach, height, width)
        if top >= bottom or left >= right:
            return
    # pixel (column, row) of the window -> frame coordinates -> layer coordinates -> texel
    to_frame = np.array([[1, 0, left + 0.5 - width / 2], [0, 1, top + 0.5 - height / 2], [0, 0, side]]) / side
    to_layer = np.linalg.inv(forward) @ to_frame
    scale = n / (2 * layer.radius)
    to_texel = np.array([[scale, 0, n / 2 - 0.5], [0, scale, n / 2 - 0.5], [0, 0, 1]])
    border = cv2.BORDER_CONSTANT if layer.shape else cv2.BORDER_REFLECT_101
    window = (right - left, bottom - top)
    if layer.motion.waves:
        where = _bent(to_layer, layer.motion, time, window) * np.float32(scale) + np.float32(n / 2 - 0.5)
        drawn = cv2.remap(pixels, where, None, cv2.INTER_LINEAR, borderMode=border)  # type: ignore[call-overload]
    else:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        drawn = cv2.warpPerspective(pixels, to_texel @ to_layer, window, flags=flags, borderMode=border)
    if layer.shape is None:
        canvas[:] = drawn
        return
    behind = canvas[top:bottom, left:right]
    through = cv2.cvtColor(1 - cv2.extractChannel(drawn, 3), cv2.COLOR_GRAY2RGBA)
    cv2.multiply(behind, through, behind)
    cv2.add(behind, drawn, behind)


def _bounds(forward: np.ndarray, radius: float, height: int, width: int) -> tuple[int, int, int, int]:
    """Window (top, left, bottom, right) of a square layer in a canvas, cut at its border."""
    corners = np.array(
        [[-radius, -radius, 1], [radius, -radius, 1], [radius, radius, 1], [-radius, radius, 1]]
    )
    seen = corners @ forward.T
    points = seen[:, :2] / seen[:, 2:] * max(height, width) + [width / 2, height / 2]
    left, top = np.floor(points.min(0)).astype(int) - 1
    right, bottom = np.ceil(points.max(0)).astype(int) + 1
    return max(top, 0), max(left, 0), min(bottom, height), min(right, width)


def _bent(to_layer: np.ndarray, motion: Motion, time: float, window: tuple[int, int]) -> np.ndarray:
    """Layer coordinates seen by every pixel of a window under non-rigid motion: float32 (height, width, 2).

    The map is smooth: it is evaluated every ``GRID`` pixels, one point beyond each border, and enlarged.
    """
    width, height = window
    columns = (np.arange(-1, -(-width // GRID) + 1) + 0.5) * GRID - 0.5
    rows = (np.arange(-1, -(-height // GRID) + 1) + 0.5) * GRID - 0.5
    grid = np.stack([*np.meshgrid(columns, rows), np.ones((len(rows), len(columns)))], -1) @ to_layer.T
    points = grid[..., :2] / grid[..., 2:]
    points = (points + motion.displacement(points, time)).astype(np.float32)
    large = cv2.resize(points, (len(columns) * GRID, len(rows) * GRID), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(large[GRID : GRID + height, GRID : GRID + width])


def _lit(image: np.ndarray, light: Light, time: float) -> np.ndarray:
    """The image (H, W, 3), float32 in [0, 255], under ``light`` at ``time``, as ``uint8``."""
    if light != Light():
        gain = (1 - time) * np.array(light.gains[0]) + time * np.array(light.gains[1])
        gamma = (1 - time) * light.gammas[0] + time * light.gammas[1]
        if gamma != 1:
            image = 255 * cv2.pow(np.clip(image, 0, 255) / 255, gamma)
        image = image * gain.astype(np.float32)
        if light.spot:
            height, width = image.shape[:2]
            x, y = ((1 - time) * np.array(light.path[0]) + time * np.array(light.path[1])).tolist()
            columns = (np.arange(width) + 0.5 - width / 2) / max(height, width) - x
            rows = (np.arange(height) + 0.5 - height / 2) / max(height, width) - y
            spot = np.exp(-((rows / light.width) ** 2))[:, None] * np.exp(-((columns / light.width) ** 2))
            image = image * (1 + light.spot * spot).astype(np.float32)[..., None]
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def strip(clips: Sequence[np.ndarray], gap: int = 4) -> np.ndarray:
    """Picture of clips of equal shape (T, H, W, 3): a row a clip, a column a frame, white gaps; ``uint8`` (h, w, 3)."""
    rows = []
    for clip in clips:
        padded = np.pad(clip, ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255)
        rows.append(np.concatenate(list(padded), axis=1))
    return np.concatenate(rows)[:-gap, :-gap]


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m mardini.synthetic", description="Draw procedural clips as a picture: a row a clip."
    )
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first clip; the others follow (0)")
    parser.add_argument("--clips", type=int, default=6, help="number of clips (6)")
    parser.add_argument("--frames", type=int, default=9, help="frames of each clip (9)")
    parser.add_argument("--size", type=int, default=128, help="side of a frame in pixels (128)")
    args = parser.parse_args(argv)
    if args.clips < 1:
        raise UserError(f"--clips {args.clips} was asked for: choose 1 or more")
    size = (args.size, args.size)
    clips = [make_clip(args.seed + number, args.frames, size) for number in range(args.clips)]
    from mardini.video import write_png

    write_png(args.out, strip(clips))
    for number in range(args.clips):
        print(f"seed {args.seed + number}: {', '.join(sorted(tags(args.seed + number)))}")


if __name__ == "__main__":
    raise SystemExit(main())
