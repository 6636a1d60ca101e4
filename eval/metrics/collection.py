"""The metrics of a run, applied to one clip at a time and then to the whole set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from eval.metrics.base import AnyMetric, Column, FrameMetric, Pair, SetMetric, Video, VideoMetric
from eval.weight_files import WEIGHTS
from eval.weights import sha256_of_used

if TYPE_CHECKING:
    from eval.metrics import Missing
    from eval.statistics import Estimate, Floor


def row_sources(sources: Sequence[str], rows: int) -> list[str]:
    """The source video of each of ``rows`` feature rows, as many of each clip."""
    if not sources or rows % len(sources):
        raise ValueError(f"{rows} rows of features do not belong to {len(sources)} clips")
    return [source for source in sources for _ in range(rows // len(sources))]


class MetricSet:
    """Several metrics over one pass of decoded frames.

    For each clip call ``score`` and ``features`` (the reference's features do not depend on the system and
    can be kept); after the last clip call ``distances``.

    Attributes:
        columns: what is computed, in table order; ``_mid`` columns only ``with_middle``.
        missing: default metrics this run goes without.
        detectors: keys of the features that ``features`` returns.
    """

    def __init__(
        self, metrics: Sequence[AnyMetric], missing: Sequence[Missing] = (), *, with_middle: bool = True
    ) -> None:
        self.metrics = list(metrics)
        self.frame_metrics = cast(list[FrameMetric], [m for m in metrics if m.kind == "frame"])
        self.video_metrics = cast(list[VideoMetric], [m for m in metrics if m.kind == "video"])
        self.set_metrics = cast(list[SetMetric], [m for m in metrics if m.kind == "set"])
        self.with_middle = with_middle
        self.columns = [column for metric in metrics for column in self._columns(metric)]
        self.missing = list(missing)
        keys = [m.detector + suffix for m in self.set_metrics for suffix in self.suffixes(m)]
        self.detectors = list(dict.fromkeys(keys))

    def suffixes(self, metric: AnyMetric) -> tuple[str, ...]:
        """Those of a metric's suffixes that there are in this task."""
        return tuple(s for s in metric.suffixes if self.with_middle or s != "_mid")

    def score(
        self, video: Video, middle: int | None, metrics: Sequence[AnyMetric] | None = None
    ) -> tuple[dict[str, float], dict[str, list[float]]]:
        """Scores of one clip.

        Args:
            video: the clip; frame metrics see its generated frames, and need its reference.
            middle: index of the middle frame, not a given one; ``None``: there is none.
            metrics: those to compute; default: all frame and video metrics.

        Returns:
            Column name -> score; row name -> values, one for each generated frame in order.

        Raises:
            UserError: the clips differ in shape, are not 8-bit RGB, or are too small for a metric.
        """
        metrics = [*self.frame_metrics, *self.video_metrics] if metrics is None else metrics
        if video.reference is not None:
            Pair(video.frames, video.reference, video.dark)  # whole clips must match, the given frames too
        columns: dict[str, float] = {}
        per_frame: dict[str, list[float]] = {}
        if frame_metrics := cast(list[FrameMetric], [m for m in metrics if m.kind == "frame"]):
            targets = list(video.targets)
            assert video.reference is not None, "frame metrics were built for a dataset without ground truth"
            pair = Pair(video.frames[targets], video.reference[targets], video.dark)
            place = None if middle is None else targets.index(middle)
            for metric in frame_metrics:
                values = metric(pair)
                per_frame[metric.row] = [float(value) for value in values]
                columns |= {metric.name + suffix: s for suffix, s in metric.forms(values, place).items()}
        for metric in cast(list[VideoMetric], [m for m in metrics if m.kind == "video"]):
            columns |= {metric.name + suffix: float(value) for suffix, value in metric(video).items()}
        return columns, per_frame

    @property
    def extractors(self) -> list[SetMetric]:
        """One of the set metrics for each detector: KID looks through FID's."""
        return list({metric.detector: metric for metric in reversed(self.set_metrics)}.values())[::-1]

    def features(
        self, frames: np.ndarray, targets: Sequence[int], middle: int | None
    ) -> dict[str, np.ndarray]:
        """Features of one whole clip (T, H, W, 3), generated or true: key -> float32 (M, D).

        ``targets`` are the indices of the generated frames and ``middle`` that of the middle one: FID sees
        only those (``inception_all`` (len(targets), 2048), ``inception_mid`` (1, 2048)), FVD the whole clip
        (``i3d`` (1, 400)).
        """
        found: dict[str, np.ndarray] = {}
        for metric in self.extractors:
            found |= metric.features([frames], targets, middle)[0]
        return found

    def distances(
        self,
        features_pred: Mapping[str, np.ndarray],
        features_ref: Mapping[str, np.ndarray],
        sources: Sequence[str],
    ) -> dict[str, Estimate]:
        """Set distances with jackknife intervals over source videos.

        Args:
            features_pred, features_ref: key -> features of all clips one below the other, (clips * M, D), clips in one
                fixed order.
            sources: source video of each clip.

        Returns:
            Column name -> (value, standard_error, low, high, n); n counts frames for FID, clips for FVD.

        Raises:
            UserError: fewer than two samples, or features that are not finite.
        """
        result: dict[str, Estimate] = {}
        for metric in self.set_metrics:
            for suffix in self.suffixes(metric):
                key = metric.detector + suffix
                ours, real = features_pred[key], features_ref[key]
                result[metric.name + suffix] = metric.estimate(ours, real, row_sources(sources, len(ours)))
        return result

    def floors(self, features_ref: Mapping[str, np.ndarray], sources: Sequence[str]) -> dict[str, Floor]:
        """What each set distance is between true clips and other true clips: column name -> floor.

        Without one (two halves need two videos, and enough samples each) the column is left out.
        """
        from eval.statistics import split_floor

        result: dict[str, Floor] = {}
        for metric in self.set_metrics:
            for suffix in self.suffixes(metric):
                real = features_ref[metric.detector + suffix]
                floor = split_floor(real, row_sources(sources, len(real)), metric.distance, metric.min_clips)
                if floor is not None:
                    result[metric.name + suffix] = floor
        return result

    def _columns(self, metric: AnyMetric) -> list[Column]:
        return [
            Column(
                name=metric.name + suffix,
                metric=metric.name,
                kind=metric.kind,
                higher_is_better=metric.higher_is_better,
                decimals=metric.decimals,
                version=metric.version,
                variant=dict(metric.variant),
                weights={WEIGHTS[name].file: sha256_of_used(name) for name in metric.weights},
            )
            for suffix in self.suffixes(metric)
        ]
