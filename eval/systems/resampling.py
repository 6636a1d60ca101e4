"""How a clip of any length and size is put through a model made for one length, one frame rate and one size.

In time, each frame of the clip has a place of its own in the model's video; given frames are put there, generated ones
are read from there, and what lies between is left out. In space, the whole frame is stretched to the model's number of
pixels in the clip's own shape, and back: nothing is cropped, nothing padded.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from mardini.errors import UserError
from mardini.video import resize


@dataclass(frozen=True)
class Native:
    """What a model was made for.

    Attributes:
        frames: length of its videos, the longest asked of it.
        step: other lengths that it takes are ``step * k + 1``.
        slowest, fastest: its frame rates, in frames per second; equal where there is but one.
        size: (height, width); only their product, the number of pixels, counts.
        multiple: both sides must be multiples of it.
    """

    frames: int
    step: int
    slowest: float
    fastest: float
    size: tuple[int, int]
    multiple: int


@dataclass(frozen=True)
class Times:
    """A clip's places in a model's video.

    Attributes:
        frames: length of the model's video.
        places: index in it of each frame of the clip, ascending.
        rate: frames per second that the model is told, or works at.
    """

    frames: int
    places: tuple[int, ...]
    rate: float


def times(name: str, frames: int, given: Collection[int], fps: float, native: Native) -> Times:
    """Where the frames of a clip stand in the model's video.

    - Where the clip's last frame is given, the clip spans the whole video: places are linear from the first frame to
      the last. The longest length at which they are evenly spaced is taken; where there is none, the full one, and
      places are rounded. How fast things move is then the model's choice, so its own rate is kept.
    - Where the end is open, the clip begins the video and its frames follow at their own rate as closely as whole
      frames of the model's rate allow; the model runs at the clip's rate if it can.

    Args:
        name: of the system, for the error.
        frames: length of the clip.
        given: indices of given frames.
        fps: of the clip.
        native: of the model.

    Raises:
        UserError: the clip is longer than the model's videos.
    """
    if frames > native.frames:
        raise UserError(
            f"system '{name}' makes {native.frames} frames at a time, but the clips have {frames}: give --frames "
            f"{native.frames} or fewer, or leave it out with --systems"
        )
    rate = min(max(fps, native.slowest), native.fastest)
    gaps = frames - 1
    if gaps not in given:
        stride = min(max(1, round(rate / fps)), (native.frames - 1) // max(gaps, 1))
        return Times(native.frames, tuple(stride * i for i in range(frames)), rate)
    even = [n for n in range(frames, native.frames + 1) if (n - 1) % native.step == 0 and (n - 1) % gaps == 0]
    length = max(even, default=native.frames)
    # in whole numbers: half a frame rounds up, and neither end is ever missed
    places = tuple((2 * i * (length - 1) + gaps) // (2 * gaps) for i in range(frames))
    return Times(length, places, rate)


def model_size(size: tuple[int, int], native: Native) -> tuple[int, int]:
    """(height, width) at which the model works on frames of ``size``: its pixels, their shape, its multiples below."""
    area = native.size[0] * native.size[1]
    shape = size[0] / size[1]

    def side(length: float) -> int:
        return max(native.multiple, round(length) // native.multiple * native.multiple)

    return side(math.sqrt(area * shape)), side(math.sqrt(area / shape))


def to_model(frame: np.ndarray, native: Native) -> np.ndarray:
    """A frame, ``uint8`` (H, W, 3), at ``model_size``."""
    height, width = frame.shape[:2]
    return resize(frame[None], model_size((height, width), native))[0]


def from_model(video: np.ndarray, times: Times, size: tuple[int, int]) -> np.ndarray:
    """The clip's frames out of the model's video.

    Args:
        video: floats (``times.frames``, h, w, 3), clipped to [0, 1] here.
        times: of the clip.
        size: (height, width) of the clip.

    Returns:
        ``uint8`` (len(times.places), height, width, 3), rounded before they are resized.

    Raises:
        ValueError: another number of frames, or values that are no numbers.
    """
    if len(video) != times.frames:
        raise ValueError(f"the model gave {len(video)} frames instead of {times.frames}")
    frames = video[list(times.places)]  # before anything else: the rest of the video may be large
    if not np.isfinite(frames).all():
        raise ValueError("the model gave values that are no numbers")
    return resize(np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8), size)
