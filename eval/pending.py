"""What a run finds done already: a system's rows, predictions and features, each good for its key only.

A *key* is the hash of all that a result was computed from. What carries another key is stale and is computed
again; what carries the right one is used again, whatever command wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eval.record import identity, run_key
from eval.results import REFERENCE, ReferencePixels, Store, key_of
from eval.systems.base import clip_seed

if TYPE_CHECKING:
    from eval.metrics.base import AnyMetric, SetMetric
    from eval.runner import Run
    from eval.systems.base import System


@dataclass(frozen=True)
class Job:
    """One system's share of a run: where its results lie, and the hash of what determines them."""

    system: System
    store: Store
    described: Mapping[str, Any]
    key: str

    @staticmethod
    def of(system: System, run: Run) -> Job:
        described = system.describe()
        key = run_key(run.dataset, run.protocol, run.seed, described)
        return Job(system, Store(run.folder / system.variant, run.shard), described, key)


class Pending:
    """Answers what is missing of a run, without decoding a frame."""

    def __init__(self, run: Run) -> None:
        self.run, self.metrics, self.protocol = run, run.metrics, run.protocol
        self.reference = Store(run.folder / REFERENCE, run.shard)
        self.pixels = ReferencePixels(self.reference, run.dataset.fingerprint)
        self.identities = {column.metric: key_of(identity(column)) for column in self.metrics.columns}
        suffixes = self.metrics.suffixes
        self.detectors = {m.detector + s: m for m in self.metrics.extractors for s in suffixes(m)}
        weights = {column.metric: dict(column.weights) for column in self.metrics.columns}
        self.extractions = {
            metric.detector: {"extraction": dict(metric.extraction), "weights": weights[metric.name]}
            for metric in self.metrics.extractors
        }

    def key(self, job: Job, clip_id: str) -> str:
        """Hash of all that determines a prediction."""
        return key_of(
            {
                "protocol": self.protocol.id,
                "pixels": self.pixels.known[clip_id],
                "system": dict(job.described),
                "seed": clip_seed(self.run.seed, clip_id),
                "fps": self.run.dataset.fps,
            }
        )

    def feature_keys(self, of: str) -> dict[str, str]:
        """Feature name -> hash of the frames' hash ``of``, which of them count, and the metric."""
        frames = {"of": of, "targets": self.protocol.targets, "middle": self.protocol.middle}
        metrics = self.detectors.items()
        return {name: key_of({**frames, **self.extractions[m.detector]}) for name, m in metrics}

    def reference_keys(self, clip_id: str) -> dict[str, str]:
        """Keys of the features of a true clip."""
        return self.feature_keys(self.pixels.known[clip_id])

    def keys_of(self, job: Job) -> Callable[[str], dict[str, str]]:
        """From clip id to the keys of the features of a job's prediction."""
        return lambda clip_id: self.feature_keys(job.store.rows[clip_id]["prediction"])

    def clip(self, clip_id: str, jobs: list[Job]) -> bool:
        """Whether anything is missing of a clip."""
        if self.run.force or clip_id not in self.pixels.known:
            return True
        if self.protocol.truth and self.sets(self.reference, clip_id, self.pixels.known[clip_id]):
            return True
        return any(self.of(job, clip_id) for job in jobs)

    def of(self, job: Job, clip_id: str) -> list[AnyMetric]:
        """Metrics that a job lacks for a clip."""
        row = job.store.rows.get(clip_id)
        if self.run.force or row is None or row["key"] != self.key(job, clip_id):
            return self.metrics.metrics
        return [*self.scores(row), *self.sets(job.store, clip_id, row["prediction"])]

    def scores(self, row: Mapping[str, Any]) -> list[AnyMetric]:
        """Metrics of single clips that a row lacks, or, where all is to be done again, that were asked for."""
        have = {} if self.run.force else row["metrics"]
        wanted = [*self.metrics.frame_metrics, *self.metrics.video_metrics]
        return [m for m in wanted if have.get(m.name) != self.identities[m.name]]

    def sets(self, store: Store, clip_id: str, of: str) -> list[SetMetric]:
        """Set metrics, one a detector, whose features of a clip are not there."""
        if self.run.force:
            return self.metrics.extractors
        keys = self.feature_keys(of)
        have = store.load_features(clip_id, keys) if keys else {}
        lost = {self.detectors[name].detector for name in keys if name not in have}
        return [metric for metric in self.metrics.extractors if metric.detector in lost]

    def stale(self, job: Job, clip_ids: list[str]) -> int:
        """How many rows of a job are of other data or settings."""
        known = [clip_id for clip_id in clip_ids if clip_id in job.store.rows]
        return sum(i not in self.pixels.known or job.store.rows[i]["key"] != self.key(job, i) for i in known)
