"""Continuous motion of a layer: path, rotation, zoom, tilt and waves as functions of time in [0, 1].

Units: the longer side of the frame is 1, the origin is its centre, x to the right, y down. A layer has
coordinates of the same unit around its own centre.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from mardini.textures import pick

FOCAL = 1.3  # of the camera that sees tilted layers, in frame sides
PROFILES = {"constant": 0.4, "accelerating": 0.22, "decelerating": 0.22, "easing": 0.16}  # and how often

Vector = tuple[float, float]


@dataclass(frozen=True)
class Wave:
    """One travelling sine of non-rigid motion: ``amplitude * sin(2 pi frequency.q + phase + turn progress)``.

    Lengths in frame sides, ``frequency`` in cycles per frame side, ``phase`` and ``turn`` in radians.
    """

    amplitude: Vector
    frequency: Vector
    phase: float
    turn: float


@dataclass(frozen=True)
class Motion:
    """Where a layer is at each time.

    Attributes:
        path: control points of a Bezier curve for the layer's centre, of any degree.
        angles: rotation at the start and the end, radians.
        zooms: natural logarithm of the scale at the start and the end.
        tilts: rotation out of the image plane about x and y, at the start and the end, radians.
        waves: non-rigid motion; empty for a rigid layer.
        profile: how progress depends on time, one of ``PROFILES``; ``ease`` in [0, 1] says how strongly.
    """

    path: tuple[Vector, ...] = ((0.0, 0.0),)
    angles: Vector = (0.0, 0.0)
    zooms: Vector = (0.0, 0.0)
    tilts: tuple[Vector, Vector] = ((0.0, 0.0), (0.0, 0.0))
    waves: tuple[Wave, ...] = ()
    profile: str = "constant"
    ease: float = 0.0

    def progress(self, times: np.ndarray) -> np.ndarray:
        """How much of the motion is done at ``times`` (T,): 0 at 0, 1 at 1, increasing."""
        match self.profile:
            case "accelerating":
                eased = times**2
            case "decelerating":
                eased = 1 - (1 - times) ** 2
            case "easing":
                eased = times * times * (3 - 2 * times)
            case _:
                eased = times
        return (1 - self.ease) * times + self.ease * eased

    def centres(self, times: np.ndarray) -> np.ndarray:
        """Centre of the layer at ``times`` (T,): float64 (T, 2), by de Casteljau's construction."""
        done = self.progress(times)[:, None]
        points = [np.broadcast_to(np.array(point), (len(done), 2)) for point in self.path]
        while len(points) > 1:
            points = [(1 - done) * one + done * other for one, other in itertools.pairwise(points)]
        return points[0]

    def matrices(self, times: np.ndarray) -> np.ndarray:
        """Homographies from layer to frame coordinates at ``times`` (T,): float64 (T, 3, 3)."""
        done = self.progress(times)
        first = np.array([self.angles[0], self.zooms[0], *self.tilts[0]])
        last = np.array([self.angles[1], self.zooms[1], *self.tilts[1]])
        angle, zoom, about_x, about_y = np.outer(1 - done, first).T + np.outer(done, last).T
        cos, sin = np.exp(zoom) * np.cos(angle), np.exp(zoom) * np.sin(angle)
        cx, sx, cy, sy = np.cos(about_x), np.sin(about_x), np.cos(about_y), np.sin(about_y)
        # the layer is turned and scaled in its plane, leant about x and y, seen by a pinhole camera, moved
        tilt, turn = np.zeros((2, len(done), 3, 3))
        tilt[:, 0, 0], tilt[:, 0, 1], tilt[:, 1, 1] = cy, sx * sy, cx
        tilt[:, 2, 0], tilt[:, 2, 1], tilt[:, 2, 2] = -sy / FOCAL, sx * cy / FOCAL, 1
        turn[:, 0, 0], turn[:, 0, 1], turn[:, 1, 0], turn[:, 1, 1], turn[:, 2, 2] = cos, -sin, sin, cos, 1
        seen = tilt @ turn
        seen[:, :2] += self.centres(times)[:, :, None] * seen[:, 2:]
        return seen

    def displacement(self, points: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Non-rigid shift at layer coordinates ``points`` (T, ..., 2), to the texture seen there."""
        done = self.progress(times).reshape(-1, *[1] * (points.ndim - 2))
        shift = np.zeros_like(points)
        for wave in self.waves:
            angle = 2 * np.pi * (points @ np.array(wave.frequency)) + (wave.phase + wave.turn * done)
            shift += np.sin(angle)[..., None] * np.array(wave.amplitude)
        return shift

    @property
    def reach(self) -> float:
        """Upper bound of the non-rigid shift, in frame sides."""
        return float(sum(np.hypot(*wave.amplitude) for wave in self.waves))

    @property
    def travel(self) -> float:
        """Distance between the centre's first and last place, in frame sides."""
        return float(np.hypot(*(np.array(self.path[-1]) - np.array(self.path[0]))))

    @property
    def tags(self) -> frozenset[str]:
        """Kinds of motion large enough to be seen."""
        spin = abs(self.angles[1] - self.angles[0])
        zoom = abs(self.zooms[1] - self.zooms[0])
        tilt = np.abs(np.array(self.tilts[1]) - np.array(self.tilts[0])).max()
        found = {
            "translation": self.travel >= 0.01,
            "rotation": spin >= 0.05,
            "zoom": zoom >= 0.03,
            "perspective": tilt >= 0.05,
            "nonrigid": bool(self.waves),
            "curved": self.travel >= 0.02 and self._bend() >= 0.1 * self.travel,
        }
        found["accelerated"] = self.profile != "constant" and any(found.values())
        return frozenset(name for name, is_there in found.items() if is_there)

    def _bend(self) -> float:
        """Largest distance of the path from the chord between its ends."""
        chord = np.array(self.path[-1]) - np.array(self.path[0])
        normal = np.array([-chord[1], chord[0]]) / max(np.hypot(*chord), 1e-9)
        return float(np.abs((self.centres(np.linspace(0, 1, 17)) - self.path[0]) @ normal).max())


def draw_travel(rng: np.random.Generator) -> float:
    """Total displacement over a clip, in frame sides: like DAVIS's over 9 frames, a few large."""
    kind = rng.uniform()
    if kind < 0.1:
        return rng.uniform(0, 0.02)
    if kind < 0.92:
        return float(np.exp(rng.uniform(np.log(0.025), np.log(0.35))))
    return rng.uniform(0.35, 0.6)


def draw_motion(
    rng: np.random.Generator, *, middle: Vector, travel: float, radius: float, strength: float
) -> Motion:
    """A random motion that passes near ``middle`` half-way and covers ``travel`` frame sides.

    ``strength`` in [0, 1] scales rotation, zoom, tilt and waves; ``radius`` is the layer's, in frame sides.
    """
    heading = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(heading), np.sin(heading)]) * travel
    across = np.array([-along[1], along[0]])
    if rng.uniform() < 0.55:
        first, second = rng.uniform(-0.6, 0.6, 2)  # same sign: an arc; opposite signs: an S
        bends = [along / 3 + first * across, 2 * along / 3 + second * across]
    else:
        bends = []
    points = np.array([0 * along, *bends, along])
    points = points - points.mean(0) + middle
    spin, zoom, tilt, waves = rng.uniform(size=4) < [0.45, 0.45, 0.35, 0.3]
    angle = rng.uniform(-np.pi, np.pi) if rng.uniform() < 0.2 else rng.uniform(-0.3, 0.3)
    turn = strength * rng.normal(0, 0.3) if spin else 0.0
    scale = strength * np.clip(rng.normal(0, 0.22), -0.5, 0.5) if zoom else 0.0
    lean = strength * rng.uniform(-0.5, 0.5, (2, 2)) if tilt else np.zeros((2, 2))
    return Motion(
        path=tuple((float(x), float(y)) for x, y in points),
        angles=(angle - turn / 2, angle + turn / 2),
        zooms=(-scale / 2, scale / 2),
        tilts=((float(lean[0, 0]), float(lean[0, 1])), (float(lean[1, 0]), float(lean[1, 1]))),
        waves=_draw_waves(rng, radius, strength) if waves else (),
        profile=pick(rng, PROFILES),
        ease=rng.uniform(0.5, 1),
    )


def _draw_waves(rng: np.random.Generator, radius: float, strength: float) -> tuple[Wave, ...]:
    waves = []
    for _ in range(int(rng.integers(1, 4))):
        cycles = rng.uniform(0.3, 1.1) / (2 * radius)
        direction, push = rng.uniform(0, 2 * np.pi, 2)
        # the slope 2 pi * cycles * amplitude stays far below 1 in sum, so that the map never folds
        amplitude = (0.3 + 0.7 * strength) * rng.uniform(0.03, 0.08) / cycles / 2
        waves.append(
            Wave(
                amplitude=(float(amplitude * np.cos(push)), float(amplitude * np.sin(push))),
                frequency=(float(cycles * np.cos(direction)), float(cycles * np.sin(direction))),
                phase=float(rng.uniform(0, 2 * np.pi)),
                turn=float((-1, 1)[rng.integers(2)] * rng.uniform(0.8, 3.5)),
            )
        )
    return tuple(waves)
