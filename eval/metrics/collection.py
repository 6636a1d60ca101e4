"""The metrics of a run, applied to one clip at a time and then to the whole set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.base import Column, FrameMetric, Pair, SetMetric
from eval.weights import WEIGHTS

if TYPE_CHECKING:
    from eval.metrics import Missing
    from eval.statistics import Estimate


class MetricSet:
    """Several metrics over one pass of decoded frames.

    For each clip call ``score`` and ``features`` (the reference's features do not depend on the system and
    can be kept); after the last clip call ``distances``.

    Attributes:
        columns: what is computed, in table order.
        missing: default metrics this run goes without.
        detectors: keys of the features that ``features`` returns.
    """

    def __init__(self, metrics: Sequence[FrameMetric | SetMetric], missing: Sequence[Missing] = ()) -> None:
        self.frame_metrics: list[FrameMetric] = [m for m in metrics if not hasattr(m, "detector")]  # type: ignore[misc]
        self.set_metrics: list[SetMetric] = [m for m in metrics if hasattr(m, "detector")]  # type: ignore[misc]
        self.columns = [column for metric in metrics for column in _columns(metric)]
        self.missing = list(missing)
        self.detectors = [
            metric.detector + suffix for metric in self.set_metrics for suffix in metric.suffixes
        ]

    def score(
        self, prediction: np.ndarray, reference: np.ndarray, given: Sequence[int], middle: int
    ) -> tuple[dict[str, float], dict[str, list[float]]]:
        """Scores of one clip over its generated frames.

        Args:
            prediction, reference: whole clips, ``uint8`` (T, H, W, 3); given frames are left out here.
            given: indices of the frames that the system was shown.
            middle: index of the middle frame, not a given one.

        Returns:
            Column name -> score; row name -> values, one for each generated frame in order.

        Raises:
            UserError: the clips differ in shape, are not 8-bit RGB, or are too small for a metric.
        """
        Pair(prediction, reference)  # whole clips must match, the given frames too
        targets = [index for index in range(len(reference)) if index not in set(given)]
        pair = Pair(prediction[targets], reference[targets])
        columns: dict[str, float] = {}
        per_frame: dict[str, list[float]] = {}
        for metric in self.frame_metrics:
            values = metric(pair)
            per_frame[metric.row] = [float(value) for value in values]
            forms = metric.forms(values, targets.index(middle))
            columns |= {metric.name + suffix: score for suffix, score in forms.items()}
        return columns, per_frame

    def features(self, frames: np.ndarray, targets: Sequence[int], middle: int) -> dict[str, np.ndarray]:
        """Features of one whole clip (T, H, W, 3), generated or true: key -> float32 (M, D).

        ``targets`` are the indices of the generated frames and ``middle`` that of the middle one: FID sees
        only those (``inception_all`` (len(targets), 2048), ``inception_mid`` (1, 2048)), FVD the whole clip
        (``i3d`` (1, 400)).
        """
        found: dict[str, np.ndarray] = {}
        for metric in self.set_metrics:
            found |= metric.features(frames, targets, middle)
        return found

    def distances(
        self,
        features_pred: Mapping[str, Sequence[np.ndarray]],
        features_ref: Mapping[str, Sequence[np.ndarray]],
        sources: Sequence[str],
    ) -> dict[str, Estimate]:
        """Set distances with jackknife intervals over source videos.

        Args:
            features_pred, features_ref: key -> one array (M, D) for each clip, clips in one fixed order.
            sources: source video of each clip.

        Returns:
            Column name -> (value, standard_error, low, high, n); n counts frames for FID, clips for FVD.

        Raises:
            UserError: fewer than two samples, or features that are not finite.
        """
        from eval.metrics.frechet import frechet_estimate

        result: dict[str, Estimate] = {}
        for metric in self.set_metrics:
            for suffix in metric.suffixes:
                key = metric.detector + suffix
                ours, real = features_pred[key], features_ref[key]
                if [len(rows) for rows in ours] != [len(rows) for rows in real]:
                    raise ValueError(f"{key}: generated and true clips do not pair up")
                rows_of = [name for rows, name in zip(ours, sources, strict=True) for _ in range(len(rows))]
                result[metric.name + suffix] = frechet_estimate(
                    np.concatenate(ours), np.concatenate(real), rows_of, metric.distance
                )
        return result


def _columns(metric: FrameMetric | SetMetric) -> list[Column]:
    return [
        Column(
            name=metric.name + suffix,
            metric=metric.name,
            kind="set" if hasattr(metric, "detector") else "clip",
            higher_is_better=metric.higher_is_better,
            decimals=metric.decimals,
            version=metric.version,
            variant=dict(metric.variant),
            weights={WEIGHTS[name].file: WEIGHTS[name].sha256 for name in metric.weights},
        )
        for suffix in metric.suffixes
    ]
