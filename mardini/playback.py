"""Videos played forward: clips of a long video, without ever holding all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mardini.errors import UserError
from mardini.video import decoded_frames, stacked, to_rgb

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


class Playback:
    """Clips of videos, in order: a video is decoded once, and never held whole.

    A clip behind the last one goes on from there; any other begins the video again. Frames that are passed over are
    decoded, as they must be, and not converted.

    Args:
        size: (height, width), see :func:`decoded_frames`.
    """

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        self.size = size
        self._file: Path | None = None
        self._next = 0
        self._frames: Iterator[VideoFrame] = iter(())

    def clip(self, file: Path, start: int, length: int) -> np.ndarray:
        """``length`` frames from frame ``start`` on, or as many as there are (0 too): ``uint8`` RGB (T, H, W, 3).

        Raises:
            UserError: as :func:`read_video`, of the part up to the clip's end.
        """
        if file != self._file or start < self._next:
            self._file, self._next, self._frames = file, 0, decoded_frames(file, self.size)
        found: list[np.ndarray] = []
        try:
            for frame in self._frames:
                self._next += 1
                if self._next > start:
                    found.append(to_rgb(frame, file))
                if len(found) == length:
                    break
        except UserError:
            self._file = None  # what was left of it is lost: the same clip again gives the same error
            raise
        if not found:
            return np.empty((0, 0, 0, 3), np.uint8)
        return stacked(found, [f"{file} frame {start + number}" for number in range(len(found))])
