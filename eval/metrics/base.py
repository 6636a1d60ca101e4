"""What a metric is: a score of every generated frame, of a whole video, or a distance between two sets of features.

Frames are ``uint8`` RGB of shape (T, H, W, 3) everywhere. Metrics see one clip at a time, so a score depends
neither on the batch size nor on the order of the clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from mardini.errors import UserError

if TYPE_CHECKING:
    from eval.statistics import Estimate

Kind = Literal["frame", "video", "set"]
"""What a metric looks at: each generated frame, a whole clip, or all clips together."""


@dataclass(frozen=True)
class Column:
    """One column of a result table.

    Attributes:
        name: ``ssim_vidim_mid``; detectors with random weights have ``_random`` in it.
        metric: name of the metric it comes from, e.g. ``ssim_vidim``.
        kind: of its metric; ``set`` is one distance over all clips, the others are means of per-clip scores.
        higher_is_better: direction of better scores.
        decimals: digits to print after the point.
        version: of the metric's code; it changes whenever a score could.
        variant: everything that defines the number (window, range, net, resize, ddof ...), for the record.
        weights: file name -> SHA-256 of the weights it is computed with.
    """

    name: str
    metric: str
    kind: Kind
    higher_is_better: bool
    decimals: int
    version: str
    variant: Mapping[str, Any]
    weights: Mapping[str, str] = field(default_factory=dict)


def check_frames(frames: np.ndarray, name: str = "clip") -> None:
    """Raise ``UserError`` unless ``frames`` are ``uint8`` RGB (T, H, W, 3): no metric guesses a value range."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise UserError(
            f"{name} frames must be uint8 RGB of shape (T, H, W, 3), got {frames.dtype} of shape "
            f"{frames.shape}: convert them first"
        )


class Pair:
    """The generated frames of a clip and the true ones; what several metrics need is computed once.

    Raises ``UserError`` unless both are ``uint8`` arrays of one shape (T, H, W, 3), and for frames in [0, 1] that
    were cast to 8 bits without being multiplied by 255. Those of a ``dark`` clip may have no other levels.
    """

    def __init__(self, prediction: np.ndarray, reference: np.ndarray, dark: bool = False) -> None:
        check_frames(prediction, "prediction")
        check_frames(reference, "reference")
        if prediction.shape != reference.shape:
            raise UserError(
                f"prediction of shape {prediction.shape} does not match the reference's {reference.shape}: "
                "give as many frames of the same size"
            )
        if not dark and prediction.max(initial=0) == 1 < reference.max(initial=0):
            raise UserError(
                "prediction frames hold no grey level but 0 and 1: they seem to be in [0, 1], cast to 8 bits; "
                "multiply by 255 and round before"
            )
        self.prediction, self.reference = prediction, reference

    @cached_property
    def squared_error(self) -> np.ndarray:
        """Mean squared error of each frame over pixels and channels, in grey levels squared: (T,)."""
        difference = self.prediction.astype(np.int32) - self.reference
        return np.square(difference).mean(axis=(1, 2, 3), dtype=np.float64)

    @cached_property
    def windowed(self) -> list[Any]:
        """SSIM's windowed means of each frame (``pixel.Windowed``), on the [0, 1] scale."""
        from eval.metrics.pixel import windowed_means

        return [windowed_means(a, b) for a, b in zip(self.prediction, self.reference, strict=True)]


@dataclass(frozen=True)
class Video:
    """A whole clip as a system returned it, for metrics that look at more than one frame.

    Attributes:
        frames: ``uint8`` RGB (T, H, W, 3), given frames included.
        given: indices of the frames that the system was shown, ascending; those are exact.
        reference: the true clip, shaped like ``frames``; ``None`` where there is none (image suites).
        fps: frames per second.

    Raises:
        UserError: the frames are not ``uint8`` RGB.
    """

    frames: np.ndarray
    given: tuple[int, ...]
    reference: np.ndarray | None
    fps: float

    def __post_init__(self) -> None:
        check_frames(self.frames)

    @property
    def targets(self) -> tuple[int, ...]:
        """Indices of the generated frames."""
        return tuple(index for index in range(len(self.frames)) if index not in self.given)

    @property
    def dark(self) -> bool:
        """Whether the given frames are black, or nearly: then generated ones may well be."""
        given = [index for index in self.given if index < len(self.frames)]
        return bool(given) and bool(self.frames[given].max() <= 1)


class Metric(Protocol):
    """What every metric says of itself, for table columns and for the record."""

    @property
    def kind(self) -> Kind:
        """``frame``, ``video`` or ``set``."""
        ...

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str:
        """Changes whenever a score could."""
        ...

    @property
    def variant(self) -> Mapping[str, Any]:
        """All that defines the number beyond its name."""
        ...

    @property
    def weights(self) -> Sequence[str]:
        """Names in ``eval.weight_files.WEIGHTS``; empty for pixel metrics and for random weights."""
        ...

    @property
    def higher_is_better(self) -> bool: ...
    @property
    def decimals(self) -> int:
        """Digits a table prints after the point."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Its columns are its name followed by each of these."""
        ...


class FrameMetric(Metric, Protocol):
    """Scores every generated frame by itself; a clip's row of values becomes columns through ``forms``."""

    @property
    def row(self) -> str:
        """What the per-frame values are called in the per-clip rows."""
        ...

    def __call__(self, pair: Pair) -> np.ndarray:
        """One value a frame: float64 (T,)."""
        ...

    def forms(self, values: np.ndarray, middle: int | None) -> dict[str, float]:
        """From a clip's (T,) values, ``middle`` being the middle frame's place among them, to its scores.

        Keys are ``suffixes``: ``_mid`` (middle frame), ``_all`` (mean over the generated frames), or ``""``.
        ``_mid`` is left out where ``middle`` is ``None``: the task gives the middle frame, or has none.
        """
        ...


class VideoMetric(Metric, Protocol):
    """Scores a whole clip: its motion, its consistency, its likeness to the given frames.

    It may look at given frames, which every system has alike. A metric that compares with the truth says so by
    ``needs_reference``, and is left out where there is none.
    """

    @property
    def needs_reference(self) -> bool: ...
    @property
    def min_frames(self) -> int:
        """Frames a clip must have."""
        ...

    def __call__(self, video: Video) -> dict[str, float]:
        """Suffix -> score; the keys are ``suffixes``."""
        ...


class SetMetric(Metric, Protocol):
    """A distance between the features of all generated and all true clips."""

    @property
    def detector(self) -> str:
        """Begins the key of its features; the suffix of the column ends it."""
        ...

    @property
    def min_frames(self) -> int:
        """Frames a clip must have."""
        ...

    @property
    def min_clips(self) -> int:
        """Samples on each side without which there is no distance."""
        ...

    @property
    def extraction(self) -> Mapping[str, Any]:
        """All that defines its features: what of ``variant`` is not about the distance, and a version."""
        ...

    def features(
        self, clips: Sequence[np.ndarray], targets: Sequence[int], middle: int | None
    ) -> list[dict[str, np.ndarray]]:
        """Features of whole clips, each ``uint8`` (T, H, W, 3): for each, key (detector + suffix) -> float32 (M, D).

        Clips of one size go through the network together. ``targets`` are the indices of the generated frames,
        ``middle`` the index of the middle one, if there is one.
        """
        ...

    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        """Distance between two feature sets (N, D), in float64."""
        ...

    def estimate(self, a: np.ndarray, b: np.ndarray, sources: Sequence[str]) -> Estimate:
        """That distance with a jackknife interval; rows i belong together, cut from video ``sources[i]``."""
        ...


def middle_and_mean(values: np.ndarray, middle: int | None) -> dict[str, float]:
    """The two forms of VIDIM-Bench: the middle frame's score (where there is one), and the generated frames' mean."""
    mid = {} if middle is None else {"_mid": float(values[middle])}
    return {**mid, "_all": float(np.mean(values))}


AnyMetric = FrameMetric | VideoMetric | SetMetric
