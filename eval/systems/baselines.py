"""Systems without learned weights: repeat, blend, flow (OpenCV) and minterpolate (FFmpeg)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from eval.systems.base import Task, fill_gaps, neighbours
from mardini.errors import UserError


class Repeat:
    """The nearest given frame; half way between two, the later one."""

    name = variant = "repeat"

    def describe(self) -> dict[str, Any]:
        return {"system": self.name, "version": 1}

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        return [np.stack([self._nearest(task, i) for i in range(task.frames)]) for task in tasks]

    @staticmethod
    def _nearest(task: Task, index: int) -> np.ndarray:
        left, right = neighbours(task.given, index)
        return task.given[left if index - left < right - index else right]


class Blend:
    """Linear cross-fade of the two neighbouring given frames, in the values as stored (no gamma)."""

    name = variant = "blend"

    def describe(self) -> dict[str, Any]:
        return {"system": self.name, "version": 1}

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        return [fill_gaps(task, cross_fade) for task in tasks]


def cross_fade(first: np.ndarray, last: np.ndarray, n: int) -> np.ndarray:
    """``n`` frames of a linear cross-fade, ``uint8`` (n, H, W, 3)."""
    t = (np.arange(1, n + 1, dtype=np.float32) / (n + 1)).reshape(-1, 1, 1, 1)
    return np.rint((1 - t) * first + t * last).astype(np.uint8)


class Flow:
    """Bidirectional OpenCV DIS optical flow, splatted to each time, then both frames warped and blended.

    After the last of two neighbouring given frames, the last one is moved on along the motion between them.

    Flow by Kroeger et al. 2016 (preset "medium"); visibility by forward-backward consistency after
    Sundaram et al. 2010; the blend follows the usual forward-splat, backward-warp scheme (Baker et al. 2011,
    section 3.3.2). See ``eval/systems/flow.py``.
    """

    name = variant = "flow"

    def describe(self) -> dict[str, Any]:
        import cv2

        return {"system": self.name, "version": 1, "flow": "DIS medium", "opencv": cv2.__version__}

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        from eval.systems.flow import flow_frames, moved_on

        return [fill_gaps(task, flow_frames, moved_on) for task in tasks]


MINTERPOLATE = "mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1:scd=none"
SMALLEST = 48  # pixels; with fewer than three 16-pixel motion blocks a side, the filter only cross-fades


class Minterpolate:
    """FFmpeg's motion-compensated ``minterpolate`` filter, run through PyAV.

    The filter's three planes carry green, blue and red as they are: no colour conversion rounds the values,
    and motion is searched on green, which is most of the luma. Scene-cut detection is off, because it
    would copy a given frame instead of interpolating.
    """

    name = variant = "minterpolate"

    def describe(self) -> dict[str, Any]:
        import av

        versions = {name: ".".join(map(str, v)) for name, v in av.library_versions.items()}
        return {
            "system": self.name,
            "version": 1,
            "options": MINTERPOLATE,
            "planes": "gbr",
            "libavfilter": versions.get("libavfilter", "unknown"),
        }

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        for task in tasks:
            height, width = next(iter(task.given.values())).shape[:2]
            if min(height, width) < SMALLEST:
                raise UserError(
                    f"system 'minterpolate' needs frames of at least {SMALLEST}x{SMALLEST} pixels, but clip "
                    f"'{task.clip_id}' has {height}x{width}: leave it out with --systems"
                )
        return [fill_gaps(task, minterpolate) for task in tasks]


def minterpolate(first: np.ndarray, last: np.ndarray, n: int) -> np.ndarray:
    """``n`` frames between two, ``uint8`` (n, H, W, 3), by FFmpeg's ``minterpolate``.

    The filter looks at four frames at a time and begins late, so the pair is padded to a, a, b, b, b at
    times 0 to 4; the answer is what it gives strictly between times 1 and 2.
    """
    from av.filter import Graph
    from av.video.format import VideoFormat
    from av.video.frame import VideoFrame

    height, width = first.shape[:2]
    second = Fraction(1)
    graph = Graph()
    source = graph.add_buffer(
        width=width, height=height, format=VideoFormat("yuv444p", width, height), time_base=second
    )
    interpolate = graph.add("minterpolate", f"fps={n + 1}:{MINTERPOLATE}")
    sink = graph.add("buffersink")
    source.link_to(interpolate)
    interpolate.link_to(sink)
    graph.configure()

    found: dict[Fraction, np.ndarray] = {}
    for time, image in enumerate((first, first, last, last, last)):
        planes = np.ascontiguousarray(np.moveaxis(image[..., [1, 2, 0]], -1, 0))
        frame = VideoFrame.from_ndarray(planes, format="yuv444p")
        frame.pts, frame.time_base = time, second
        graph.push(frame)
        _drain(graph, found)
    graph.push(None)
    _drain(graph, found)

    wanted = [1 + Fraction(k, n + 1) for k in range(1, n + 1)]
    if missing := [time for time in wanted if time not in found]:
        raise RuntimeError(f"FFmpeg's minterpolate gave no frame at times {missing}")
    return np.stack([found[time] for time in wanted])


def _drain(graph: Any, found: dict[Fraction, np.ndarray]) -> None:
    """Collect the frames that are ready, by time in seconds."""
    from av.error import BlockingIOError, EOFError

    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):
            return
        planes = frame.to_ndarray()
        found[frame.pts * Fraction(frame.time_base)] = np.moveaxis(planes, 0, -1)[..., [2, 0, 1]]
