"""Change of light over a procedural clip: level, tint, contrast and a moving soft spot or shadow."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mardini.motion import Vector


@dataclass(frozen=True)
class Light:
    """Change of light: start and end values, linear in time. The neutral light is ``Light()``.

    ``gains`` are RGB factors, ``gammas`` exponents; a soft spot of brightness ``spot`` (negative: a shadow)
    and radius ``width``, in frame sides, moves along ``path``.
    """

    gains: tuple[tuple[float, float, float], tuple[float, float, float]] = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    gammas: Vector = (1.0, 1.0)
    spot: float = 0.0
    width: float = 0.5
    path: tuple[Vector, Vector] = ((0.0, 0.0), (0.0, 0.0))


def draw_light(rng: np.random.Generator) -> Light:
    """A random light: level and tint drift, half the time gamma too, often a moving spot or shadow."""
    level = rng.uniform(0.75, 1.2, 2)
    tint = 1 + rng.uniform(-0.1, 0.1, (2, 3))
    first, last = (level[:, None] * tint).tolist()
    gammas = rng.uniform(0.8, 1.25, 2) if rng.uniform() < 0.5 else np.ones(2)
    spot = (-1, 1)[rng.integers(2)] * rng.uniform(0.25, 0.55) if rng.uniform() < 0.6 else 0.0
    start, move = rng.uniform(-0.5, 0.5, 2), rng.uniform(-0.6, 0.6, 2)
    return Light(
        gains=(tuple(first), tuple(last)),
        gammas=(float(gammas[0]), float(gammas[1])),
        spot=float(spot),
        width=rng.uniform(0.2, 0.5),
        path=((float(start[0]), float(start[1])), (float(start[0] + move[0]), float(start[1] + move[1]))),
    )


def lit(image: np.ndarray, light: Light, time: float) -> np.ndarray:
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
