"""The only evaluation loop: decode a clip once, complete it with every system, score it, write it down.

Every unit of work (a prediction, an array of features, a row of scores) is on disk before the next begins and
carries a hash of all it depends on, so the same command after a kill does only what is missing, and a
finished run does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.datasets.base import Clip, Dataset
from eval.metrics.base import Video
from eval.protocols import Protocol
from eval.record import assemble, feature_lists, has_columns, identity, run_key
from eval.results import REFERENCE, ReferencePixels, Store, key_of, pixels_of, protocol_folder
from eval.systems.base import System, Task, clip_seed, keep_given
from eval.systems.predictions import Predictions
from eval.workers import workers
from mardini.errors import UserError
from mardini.files import write_json

if TYPE_CHECKING:
    from eval.metrics.base import AnyMetric, SetMetric
    from eval.metrics.collection import MetricSet


@dataclass
class Job:
    """One system's share of a run: where its results lie and the rows that are there."""

    system: System
    store: Store
    described: Mapping[str, Any]
    key: str
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """Everything a run is told.

    Attributes:
        dataset, protocol, systems, metrics: the four parts that meet here.
        output: folder above all results.
        limit: as given to the dataset; part of the path.
        seed: of the systems' random numbers; part of the path.
        batch_size: clips a system is given at a time. Scores do not depend on it.
        device: where networks run.
        force: compute everything again.
        notify: told plain sentences for the user.
    """

    dataset: Dataset
    protocol: Protocol
    systems: Sequence[System]
    metrics: MetricSet
    output: Path
    limit: int | None = None
    seed: int = 0
    batch_size: int = 4
    device: str = "cpu"
    force: bool = False
    notify: Callable[[str], None] = print

    @property
    def folder(self) -> Path:
        """Where this run's results lie, known before it begins."""
        name = protocol_folder(self.dataset, self.protocol, self.limit, self.seed)
        return self.output / self.protocol.task / name

    def execute(self) -> list[dict[str, Any]]:
        """Score every system, or find that it is done; the records, in the order of the systems."""
        jobs = []
        for system in self.systems:
            described = system.describe()
            key = run_key(self.dataset, self.protocol, self.seed, described)
            jobs.append(Job(system, Store(self.folder / system.variant), described, key))
        todo = [job for job in jobs if self.force or not self._finished(job)]
        if todo:
            Loop(self, todo).run()
        records = [job.store.read_record() for job in jobs]
        return [record for record in records if record is not None]

    def _finished(self, job: Job) -> bool:
        record = job.store.read_record()
        return record is not None and record.get("key") == job.key and has_columns(record, self.metrics)


class Loop:
    """The work of a run that is not finished."""

    def __init__(self, run: Run, jobs: Sequence[Job]) -> None:
        self.run_, self.jobs, self.protocol, self.metrics = run, jobs, run.protocol, run.metrics
        self.reference = Store(run.folder / REFERENCE)
        self.pixels = ReferencePixels(self.reference, run.dataset.fingerprint)
        self.identities = {column.metric: key_of(identity(column)) for column in self.metrics.columns}
        self.detectors = {
            m.detector + suffix: m for m in self.metrics.set_metrics for suffix in self.metrics.suffixes(m)
        }

    def run(self) -> None:
        """Do all that is missing, then write the records."""
        from tqdm import tqdm

        for job in self.jobs:
            self._open(job)
        clips = [clip for clip in self.run_.dataset.clips if self._pending(clip)]
        if clips:
            self._check_predictions()
        size = max(1, self.run_.batch_size)
        total = len(clips) * len(self.jobs)
        with (
            workers(self.run_.device) as pool,
            tqdm(total=total, unit="clip", delay=1, mininterval=1) as bar,
        ):
            if clips:
                self._load_networks()
            for start in range(0, len(clips), size):
                self._batch(clips[start : start + size], pool, bar)
        for job in self.jobs:
            self._close(job)

    # -- what is there already --------------------------------------------------------------------------

    def _open(self, job: Job) -> None:
        """Read the rows that are there, and say which of them do not count any more."""
        if self.run_.force:
            job.store.write_rows([])
            return
        job.rows = job.store.read_rows()
        if job.store.torn():
            self.run_.notify(f"{job.system.variant}: the last row was cut off, its clip is scored again")
        known = [clip.id for clip in self.run_.dataset.clips if clip.id in job.rows]
        stale = [i for i in known if i not in self.pixels.known or job.rows[i]["key"] != self._key(job, i)]
        if stale:
            self.run_.notify(
                f"{job.system.variant}: data or settings have changed since {len(stale)} clips were scored; "
                f"they are checked and done again"
            )

    def _key(self, job: Job, clip_id: str) -> str:
        """Hash of all that determines a prediction."""
        return key_of(
            {
                "protocol": self.protocol.id,
                "pixels": self.pixels.known[clip_id],
                "system": dict(job.described),
                "seed": clip_seed(self.run_.seed, clip_id),
                "fps": self.run_.dataset.fps,
            }
        )

    def _feature_keys(self, of: str) -> dict[str, str]:
        """Feature name -> hash of the frames' hash ``of`` and the metric."""
        metrics = self.detectors.items()
        return {name: key_of({"of": of, "metric": self.identities[m.name]}) for name, m in metrics}

    def _pending(self, clip: Clip) -> bool:
        if self.run_.force or clip.id not in self.pixels.known:
            return True
        if self.protocol.truth and self._missing_sets(self.reference, clip.id, self.pixels.known[clip.id]):
            return True
        return any(self._missing(job, clip.id) for job in self.jobs)

    def _missing(self, job: Job, clip_id: str) -> list[AnyMetric]:
        """Metrics that a job lacks for a clip."""
        row = job.rows.get(clip_id)
        if row is None or row["key"] != self._key(job, clip_id):
            return self.metrics.metrics
        return [*self._missing_scores(row), *self._missing_sets(job.store, clip_id, row["prediction"])]

    def _missing_scores(self, row: Mapping[str, Any]) -> list[AnyMetric]:
        have = row["metrics"]
        wanted = [*self.metrics.frame_metrics, *self.metrics.video_metrics]
        return [m for m in wanted if have.get(m.name) != self.identities[m.name]]

    def _missing_sets(self, store: Store, clip_id: str, of: str) -> list[SetMetric]:
        keys = self._feature_keys(of)
        have = store.load_features(clip_id, keys) if keys else {}
        lost = {self.detectors[name].name for name in keys if name not in have}
        return [metric for metric in self.metrics.set_metrics if metric.name in lost]

    # -- work -------------------------------------------------------------------------------------------

    def _check_predictions(self) -> None:
        """Lengths and sizes of users' predictions, all of them before anything is scored."""
        by_id = {clip.id: clip for clip in self.run_.dataset.clips}

        def expected(clip_id: str) -> tuple[int, int]:
            clip = by_id[clip_id]
            height, width = self.protocol.size or clip.size or clip.load().shape[1:3]
            return height, width

        for job in self.jobs:
            if isinstance(job.system, Predictions):
                job.system.check(expected, self.protocol.frames, self.protocol.given)

    def _load_networks(self) -> None:
        """Load the detectors here: several threads asking for one at the same time would load it twice."""
        for metric in self.metrics.metrics:
            getattr(metric, "network", None)

    def _batch(self, clips: Sequence[Clip], pool: Executor, bar: Any) -> None:
        """Decode some clips, and bring every system up to date on them.

        Systems predict one after the other here, while the pool scores what they have predicted.
        """
        references = {clip.id: self._load(clip) for clip in clips}
        for clip in clips:
            self.pixels.learn(clip.id, references[clip.id])
        self.pixels.save()
        true: list[Future[None]] = []
        if self.protocol.truth:
            true = [pool.submit(self._reference_features, clip.id, references[clip.id]) for clip in clips]
        scored: list[tuple[Job, list[Future[dict[str, Any]]]]] = []
        for job in self.jobs:
            pending = [clip for clip in clips if self.run_.force or self._missing(job, clip.id)]
            bar.update(len(clips) - len(pending))
            predictions = self._predict(job, pending, references)
            futures = [
                pool.submit(self._score, job, clip, *predictions[clip.id], references[clip.id])
                for clip in pending
            ]
            scored.append((job, futures))
        for future in true:
            future.result()
        for job, futures in scored:
            bar.set_description(job.system.variant, refresh=False)
            if futures:
                with job.store.appending() as append:
                    for future in futures:
                        row = future.result()
                        append(row)
                        job.rows[row["clip"]] = row
                        bar.update()

    def _reference_features(self, clip_id: str, frames: np.ndarray) -> None:
        pixels = self.pixels.known[clip_id]
        lost = self.metrics.set_metrics
        if not self.run_.force:
            lost = self._missing_sets(self.reference, clip_id, pixels)
        self._features(self.reference, clip_id, pixels, frames, lost)

    def _load(self, clip: Clip) -> np.ndarray:
        """The true clip, or, where there is no truth, the given frames."""
        frames = clip.load()
        wanted = self.protocol.frames if self.protocol.truth else len(self.protocol.given)
        if len(frames) != wanted:
            raise UserError(
                f"clip '{clip.id}' has {len(frames)} frames, but protocol {self.protocol.id} needs {wanted}: "
                "check the data root"
            )
        return frames

    def _predict(
        self, job: Job, clips: Sequence[Clip], references: Mapping[str, np.ndarray]
    ) -> dict[str, tuple[np.ndarray, float]]:
        """Clip id -> whole clip and the seconds it took; saved predictions are used again."""
        done: dict[str, tuple[np.ndarray, float]] = {}
        tasks = []
        for clip in clips:
            reference = references[clip.id]
            saved = None if self.run_.force else job.store.load_prediction(clip.id, self._key(job, clip.id))
            if saved is not None and saved[0].shape == (self.protocol.frames, *reference.shape[1:]):
                done[clip.id] = saved
            else:
                places = self.protocol.given if self.protocol.truth else range(len(reference))
                given = {i: reference[place] for i, place in zip(self.protocol.given, places, strict=True)}
                seed = clip_seed(self.run_.seed, clip.id)
                tasks.append(Task(clip.id, given, self.protocol.frames, seed, self.run_.dataset.fps))
        if tasks:
            began = time.perf_counter()
            outputs = job.system.predict(tasks)
            seconds = (time.perf_counter() - began) / len(tasks)
            for task, output in zip(tasks, outputs, strict=True):
                frames = keep_given(job.system.name, task, output)
                job.store.save_prediction(task.clip_id, frames, seconds, self._key(job, task.clip_id))
                done[task.clip_id] = frames, seconds
        return done

    def _score(
        self, job: Job, clip: Clip, frames: np.ndarray, seconds: float, reference: np.ndarray
    ) -> dict[str, Any]:
        """The clip's row: what is there already, and the scores of the metrics that are missing."""
        key, prediction = self._key(job, clip.id), pixels_of(frames)
        row: dict[str, Any] = {"clip": clip.id, "source": clip.source, "tags": sorted(clip.tags)}
        row |= {"key": key, "prediction": prediction, "metrics": {}, "scores": {}, "frames": {}}
        row["seconds"] = {"predict": seconds, "metrics": {}}
        old = job.rows.get(clip.id)
        if old is not None and (old["key"], old["prediction"]) == (key, prediction):
            row |= {name: old[name] for name in ("metrics", "scores", "frames", "seconds")}
        truth = reference if self.protocol.truth else None
        video = Video(frames, self.protocol.given, truth, self.run_.dataset.fps)
        for part in parts(self._missing_scores(row)):
            began = time.perf_counter()
            columns, values = self.metrics.score(video, self.protocol.middle, part)
            row["seconds"]["metrics"][part_name(part)] = time.perf_counter() - began
            row["scores"] |= columns
            row["frames"] |= values
            row["metrics"] |= {metric.name: self.identities[metric.name] for metric in part}
        lost = self.metrics.set_metrics
        if not self.run_.force:
            lost = self._missing_sets(job.store, clip.id, prediction)
        row["seconds"]["metrics"] |= self._features(job.store, clip.id, prediction, frames, lost)
        return row

    def _features(
        self, store: Store, clip_id: str, of: str, frames: np.ndarray, lost: Sequence[SetMetric]
    ) -> dict[str, float]:
        """Compute and save features of a whole clip for some metrics; the seconds each took."""
        seconds = {}
        keys = self._feature_keys(of)
        arrays: dict[str, np.ndarray] = {}
        for metric in lost:
            began = time.perf_counter()
            arrays |= metric.features(frames, self.protocol.targets, self.protocol.middle)
            seconds[metric.name] = time.perf_counter() - began
        if arrays:
            store.save_features(clip_id, arrays, keys)
        return seconds

    # -- the end ----------------------------------------------------------------------------------------

    def _close(self, job: Job) -> None:
        """Put the rows in order and write the record."""
        clip_ids = [clip.id for clip in self.run_.dataset.clips]
        rows = {clip_id: job.rows[clip_id] for clip_id in clip_ids}
        job.store.write_rows(rows.values())
        generated = [self._feature_keys(rows[i]["prediction"]) for i in clip_ids]
        real = [self._feature_keys(self.pixels.known[i]) for i in clip_ids]
        record = assemble(
            system=job.system.name,
            variant=job.system.variant,
            described=job.described,
            key=job.key,
            dataset=self.run_.dataset,
            protocol=self.protocol,
            pixels=self.pixels.known,
            limit=self.run_.limit,
            seed=self.run_.seed,
            metrics=self.metrics,
            rows=rows,
            features=(
                feature_lists(job.store, clip_ids, generated),
                feature_lists(self.reference, clip_ids, real),
            ),
            before=job.store.read_record(),
        )
        write_json(job.store.record_path, record)


def parts(metrics: Sequence[AnyMetric]) -> list[list[AnyMetric]]:
    """Metrics to be timed together: those without a network share their work, every other stands alone."""
    pixel = [metric for metric in metrics if is_pixel(metric)]
    return [part for part in (pixel, *([m] for m in metrics if m not in pixel)) if part]


def is_pixel(metric: AnyMetric) -> bool:
    """Whether a metric works on the frames themselves, by what it shares with others of its kind."""
    return metric.kind == "frame" and not hasattr(type(metric), "network")


def part_name(part: Sequence[AnyMetric]) -> str:
    """Under which name a part's seconds are recorded."""
    return "pixel" if is_pixel(part[0]) else part[0].name
