"""Procedural video with exact in-betweens: training data and the embedded benchmark.

A scene is one background and one to four textured layers, each with a motion that is a function of continuous
time. A frame at any time is rendered by mapping every output pixel back to the layers' textures at that very
time, so the frames between two others are exact, not interpolated. The scene of a seed does not depend on the
frame size, the number of frames or the machine.

    python -m mardini.synthetic --out strip.png --seed 0 --clips 6 --size 128
    python -m mardini.synthetic --out frames --seed 0 --clips 1
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mardini.errors import UserError, command
from mardini.light import Light, draw_light, lit
from mardini.motion import Motion, draw_motion, draw_travel
from mardini.textures import SHAPES, mask, pick, texture

VERSION = "1"  # changes whenever a seed's frames change

HELD_OUT = 9_000_000
"""First seed of the held-out procedural clips; training uses seeds below, benchmarks seeds of 10 million and up."""

SUPERSAMPLE = 2  # rendered pixels per output pixel and axis
DENSITY = 1.3  # texels per output pixel and axis, at the largest zoom
GRID = 8  # rendered pixels between the points at which a non-rigid map is evaluated

MATERIALS = {"photo": 0.45, "noise": 0.2, "mosaic": 0.13, "gradient": 0.08, "stripes": 0.14}
COUNTS = {"1": 0.3, "2": 0.35, "3": 0.2, "4": 0.15}  # of layers before the background


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
    calm = rng.uniform() < 0.06  # nearly everything stands still
    strength = rng.uniform(0.25, 1.0) * (0.1 if calm else 1)
    camera = draw_travel(rng) * (0.05 if calm else 0.8)
    motion = draw_motion(rng, middle=(0.0, 0.0), travel=camera, radius=0.7, strength=0.6 * strength)
    layers = [Layer(pick(rng, MATERIALS), None, 0.0, _cover(motion), int(rng.integers(2**32)), motion)]
    for _ in range(int(pick(rng, COUNTS))):
        radius = float(np.exp(rng.uniform(np.log(0.17), np.log(0.48))))
        middle = (float(rng.uniform(-0.4, 0.4)), float(rng.uniform(-0.4, 0.4)))
        travel = draw_travel(rng) * (0.1 if calm else 1)
        motion = draw_motion(rng, middle=middle, travel=travel, radius=radius, strength=strength)
        kind, shape = pick(rng, MATERIALS), pick(rng, dict.fromkeys(SHAPES, 1.0))
        softness = rng.uniform(0, 0.08) if rng.uniform() < 0.25 else 0.0
        layers.append(Layer(kind, shape, softness, radius, int(rng.integers(2**32)), motion))
    light = draw_light(rng) if rng.uniform() < 0.35 else Light()
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
    """Frames of ``scene`` at ``times`` in [0, 1], of ``size`` (height, width).

    Returns ``uint8`` RGB (T, height, width, 3). The longer side of the frame shows one unit of the scene; the
    shorter one is cut at both ends.
    """
    height, width = size
    if min(size) < 8:
        raise UserError(f"frames of {height}x{width} were asked for: choose 8x8 or larger")
    if not all(0 <= time <= 1 for time in times):
        raise UserError("a time outside the clip was asked for: choose times from 0 to 1")
    times = np.array([float(time) for time in times])
    canvas = np.empty((height * SUPERSAMPLE, width * SUPERSAMPLE, 4), np.float32)
    views = [_views(layer, times, *canvas.shape[:2]) for layer in scene.layers]
    frames = np.empty((len(times), height, width, 3), np.uint8)
    for number, time in enumerate(times.tolist()):
        for layer in views:
            layer(canvas, number)
        small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        frames[number] = lit(cv2.cvtColor(small, cv2.COLOR_RGBA2RGB), scene.light, time)
    return frames


def _cover(motion: Motion) -> float:
    """Half the side of a texture square that a whole frame sees during ``motion``."""
    edge = np.linspace(-0.5, 0.5, 9)
    border = np.concatenate([[(a, -0.5, 1), (a, 0.5, 1), (-0.5, a, 1), (0.5, a, 1)] for a in edge])
    seen = border @ np.linalg.inv(motion.matrices(np.linspace(0, 1, 17))).transpose(0, 2, 1)
    reach = np.abs(seen[..., :2] / seen[..., 2:]).max()
    return float(reach) * 1.01 + motion.reach


def _tags(layers: Sequence[Layer], light: Light) -> frozenset[str]:
    found: set[str] = set().union(*(layer.motion.tags for layer in layers))
    paths = [(layer.radius, layer.motion.centres(np.linspace(0, 1, 9))) for layer in layers[1:]]
    for (radius, path), (other_radius, other_path) in itertools.combinations(paths, 2):
        gaps = path - other_path
        near = np.hypot(*gaps.T).min() < 0.7 * (radius + other_radius)
        if near and np.hypot(*(gaps[-1] - gaps[0])) >= 0.03:
            found.add("occlusion")
    if light != Light():
        found.add("lighting")
    return frozenset(found)


def paint(layer: Layer, side: int) -> np.ndarray:
    """Texture for frames of ``side`` pixels: float32 (N, N, 4), alpha in [0, 1] times colour in [0, 255]."""
    n = max(16, math.ceil(2 * layer.radius * side * DENSITY * math.exp(max(layer.motion.zooms))))
    colour_seed, shape_seed = np.random.SeedSequence(layer.seed).spawn(2)
    pixels = np.empty((n, n, 4), np.float32)
    pixels[..., 3] = 1
    pixels[..., :3] = texture(layer.texture, np.random.default_rng(colour_seed), n, 2 * layer.radius)
    if layer.shape is not None:
        alpha = mask(layer.shape, np.random.default_rng(shape_seed), n, layer.softness)
        cv2.multiply(pixels, cv2.merge([alpha] * 4), pixels)
    pixels[..., :3] *= np.float32(255)
    return pixels


def _views(layer: Layer, times: np.ndarray, height: int, width: int) -> Callable[[np.ndarray, int], None]:
    """A function that puts ``layer``, as at a given one of ``times``, over a canvas (height, width, 4)."""
    side = max(height, width)
    pixels = paint(layer, side // SUPERSAMPLE)
    forward = layer.motion.matrices(times)
    # canvas pixel -> frame -> layer -> texel
    to_frame = np.array([[1, 0, 0.5 - width / 2], [0, 1, 0.5 - height / 2], [0, 0, side]]) / side
    to_layer = np.linalg.inv(forward) @ to_frame
    scale = len(pixels) / (2 * layer.radius)
    shift = len(pixels) / 2 - 0.5
    to_texel = np.array([[scale, 0, shift], [0, scale, shift], [0, 0, 1]]) @ to_layer
    border = cv2.BORDER_CONSTANT if layer.shape else cv2.BORDER_REFLECT_101
    windows = _windows(layer, forward, height, width)
    bent = _bent(to_layer, layer.motion, times, height, width) if layer.motion.waves else None
    bent = None if bent is None else (bent * scale + shift).astype(np.float32)

    def draw(canvas: np.ndarray, number: int) -> None:
        top, left, bottom, right = windows[number]
        size = (right - left, bottom - top)
        if min(size) <= 0:
            return
        if bent is None:
            matrix = to_texel[number].copy()
            matrix[:, 2] += matrix[:, 0] * left + matrix[:, 1] * top
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            drawn = cv2.warpPerspective(pixels, matrix, size, flags=flags, borderMode=border)
        else:
            rows = slice(top // GRID, -(-bottom // GRID) + 2)
            columns = slice(left // GRID, -(-right // GRID) + 2)
            coarse = np.ascontiguousarray(bent[number, rows, columns])
            fine = cv2.resize(coarse, None, fx=GRID, fy=GRID, interpolation=cv2.INTER_CUBIC)
            where = fine[GRID:, GRID:][: bottom - top, : right - left]
            drawn = cv2.remap(pixels, where, None, cv2.INTER_LINEAR, borderMode=border)  # type: ignore[call-overload]
        if layer.shape is None:
            canvas[:] = drawn
            return
        behind = canvas[top:bottom, left:right]
        through = cv2.cvtColor(1 - cv2.extractChannel(drawn, 3), cv2.COLOR_GRAY2RGBA)
        cv2.multiply(behind, through, behind)
        cv2.add(behind, drawn, behind)

    return draw


def _windows(layer: Layer, forward: np.ndarray, height: int, width: int) -> list[list[int]]:
    """For each time the part (top, left, bottom, right) of a canvas that the layer can touch.

    Its top left corner lies on the grid of ``_bent``; it is empty where the layer is out of view.
    """
    if layer.shape is None:
        return [[0, 0, height, width]] * len(forward)
    reach = layer.radius + layer.motion.reach
    corners = np.array([[-reach, -reach, 1], [reach, -reach, 1], [reach, reach, 1], [-reach, reach, 1]])
    seen = corners @ forward.transpose(0, 2, 1)
    points = seen[..., 1::-1] / seen[..., 2:] * max(height, width) + [height / 2, width / 2]
    first = np.clip(points.min(1) - 1, 0, None).astype(int) // GRID * GRID
    last = np.clip(points.max(1) + 2, 0, [height, width]).astype(int)
    return np.concatenate([first, last], 1).tolist()


def _bent(to_layer: np.ndarray, motion: Motion, times: np.ndarray, height: int, width: int) -> np.ndarray:
    """Layer coordinates seen at each of ``times`` under non-rigid motion: float64 (T, rows, columns, 2).

    The map is smooth: the centres of ``GRID`` x ``GRID`` pixels are enough, and one beyond each border.
    """
    columns = (np.arange(-1, -(-width // GRID) + 1) + 0.5) * GRID - 0.5
    rows = (np.arange(-1, -(-height // GRID) + 1) + 0.5) * GRID - 0.5
    grid = np.stack([*np.meshgrid(columns, rows), np.ones((len(rows), len(columns)))], -1)
    seen = grid @ to_layer.transpose(0, 2, 1)[:, None]
    points = seen[..., :2] / seen[..., 2:]
    return points + motion.displacement(points, times)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Write clips, as a picture or frame by frame, and print their tags."""
    parser = argparse.ArgumentParser(prog="python -m mardini.synthetic", description="Draw procedural clips.")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="a .png: all clips in one picture, a row a clip; else a folder: a PNG a frame, and for several "
        "clips a folder a seed",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the first clip; the others follow (0)")
    parser.add_argument("--clips", type=int, default=6, help="number of clips (6)")
    parser.add_argument("--frames", type=int, default=9, help="frames of each clip (9)")
    parser.add_argument("--size", type=int, default=128, help="side of a frame in pixels (128)")
    args = parser.parse_args(argv)
    if args.clips < 1:
        raise UserError(f"--clips {args.clips} was asked for: choose 1 or more")
    size = (args.size, args.size)
    clips = [make_clip(args.seed + number, args.frames, size) for number in range(args.clips)]
    from mardini.image import write_png
    from mardini.strip import strip

    if args.out.suffix == ".png":
        write_png(args.out, strip(clips))
    for number, clip in enumerate(clips):
        folder = args.out / str(args.seed + number) if len(clips) > 1 else args.out
        for index, frame in enumerate(clip if args.out.suffix != ".png" else ()):
            write_png(folder / f"{index:05d}.png", frame)
    for number in range(args.clips):
        print(f"seed {args.seed + number}: {', '.join(sorted(tags(args.seed + number)))}")


if __name__ == "__main__":
    raise SystemExit(main())
