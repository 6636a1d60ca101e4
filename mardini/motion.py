"""Continuous motion of a layer: path, rotation, zoom, tilt and waves as functions of time in [0, 1].

Units: the longer side of the frame is 1, the origin is its centre, x to the right, y down. A layer has
coordinates of the same unit around its own centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FOCAL = 1.3  # of the camera that sees tilted layers, in frame sides
PROFILES = ("constant", "accelerating", "decelerating", "easing")

Vector = tuple[float, float]


@dataclass(frozen=True)
class Wave:
    """One travelling sine of a non-rigid motion: ``amplitude * sin(2 pi frequency.q + phase + turn * progress)``.

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

    def progress(self, time: float) -> float:
        """How much of the motion is done at ``time``: 0 at 0, 1 at 1, increasing."""
        match self.profile:
            case "accelerating":
                eased = time**2
            case "decelerating":
                eased = 1 - (1 - time) ** 2
            case "easing":
                eased = time * time * (3 - 2 * time)
            case _:
                eased = time
        return (1 - self.ease) * time + self.ease * eased

    def centre(self, time: float) -> np.ndarray:
        """Centre of the layer at ``time``, float64 (2,), by de Casteljau's construction."""
        points, done = np.array(self.path), self.progress(time)
        while len(points) > 1:
            points = (1 - done) * points[:-1] + done * points[1:]
        return points[0]

    def matrix(self, time: float) -> np.ndarray:
        """Homography from layer to frame coordinates at ``time``, float64 (3, 3)."""
        done = self.progress(time)
        angle = self.angles[0] + done * (self.angles[1] - self.angles[0])
        scale = np.exp(self.zooms[0] + done * (self.zooms[1] - self.zooms[0]))
        about_x, about_y = (np.array(self.tilts[0]) * (1 - done) + np.array(self.tilts[1]) * done).tolist()
        cx, sx, cy, sy = np.cos(about_x), np.sin(about_x), np.cos(about_y), np.sin(about_y)
        tilt = np.array([[cy, sx * sy, 0], [0, cx, 0], [-sy / FOCAL, sx * cy / FOCAL, 1]])
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        move = np.eye(3)
        move[:2, 2] = self.centre(time)
        return move @ tilt @ turn

    def displacement(self, points: np.ndarray, time: float) -> np.ndarray:
        """Non-rigid shift at layer coordinates ``points`` (..., 2): where in the texture to look, minus the point."""
        done = self.progress(time)
        shift = np.zeros_like(points)
        for wave in self.waves:
            angle = points @ (2 * np.pi * np.array(wave.frequency, points.dtype)) + (
                wave.phase + wave.turn * done
            )
            shift += np.sin(angle)[..., None] * np.array(wave.amplitude, points.dtype)
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
        times = np.linspace(0, 1, 17)
        return max(abs(float((self.centre(time) - self.path[0]) @ normal)) for time in times)


def draw_travel(rng: np.random.Generator) -> float:
    """Total displacement over a clip, in frame sides: about DAVIS's over 9 frames, a few still, a few large."""
    kind = rng.uniform()
    if kind < 0.1:
        return rng.uniform(0, 0.02)
    if kind < 0.92:
        return float(np.exp(rng.uniform(np.log(0.02), np.log(0.35))))
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
        profile=str(rng.choice(PROFILES, p=[0.4, 0.22, 0.22, 0.16])),
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
                turn=float(rng.choice([-1, 1]) * rng.uniform(0.8, 3.5)),
            )
        )
    return tuple(waves)
