"""The only evaluation loop: decode a clip once, complete it with every system, score it, write it down.

Every unit of work (a prediction, an array of features, a row of scores) is on disk before the next begins and
carries a hash of all it depends on (``eval/pending.py``), so the same command after a kill does only what is
missing, and a finished run does nothing. Nothing is held for longer than a batch of clips.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.datasets.base import Clip, Dataset
from eval.features import Extraction, Seen
from eval.metrics.base import Video
from eval.pending import Job, Pending
from eval.protocols import Protocol
from eval.record import assemble, has_columns
from eval.results import pixels_of, protocol_folder, stacked
from eval.shards import Shard, claim
from eval.systems.base import System, Task, clip_seed, keep_given
from eval.systems.predictions import Predictions
from eval.workers import workers
from mardini.errors import UserError
from mardini.files import write_json

if TYPE_CHECKING:
    from eval.metrics.base import AnyMetric
    from eval.metrics.collection import MetricSet


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
        shard: the part of the clips that is done here; no record is written then. ``None``: all.
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
    shard: Shard | None = None
    notify: Callable[[str], None] = print

    @property
    def folder(self) -> Path:
        """Where this run's results lie, known before it begins."""
        name = protocol_folder(self.dataset, self.protocol, self.limit, self.seed)
        return self.output / self.protocol.task / name

    def execute(self) -> list[dict[str, Any]]:
        """Score every system, or find that it is done; the records, in the order of the systems (of a shard: none)."""
        jobs = [Job.of(system, self) for system in self.systems]
        todo = [job for job in jobs if self.force or not self._finished(job)]
        if todo:
            check_device(self.device)
            with claim(self.folder, self.shard):
                for job in todo:  # another run may have been at work until now
                    job.store.rows.read()
                    if self.force and self.shard is not None:
                        # With it the whole run, which is not forced, would find itself done.
                        job.store.record_path.unlink(missing_ok=True)
                todo = [job for job in todo if self.force or not self._finished(job)]
                if todo:
                    Loop(self, todo).run()
        if self.shard is not None:
            return []
        for job in jobs:
            self._retag(job)
        records = [job.store.read_record() for job in jobs]
        return [record for record in records if record is not None]

    def _retag(self, job: Job) -> None:
        """Let rows say what is known of their clips today: no score depends on it, but averages over parts do."""
        tags = {clip.id: sorted(clip.tags) for clip in self.dataset.clips if clip.tags}
        rows = job.store.rows
        if any(rows[name]["tags"] != tags[name] for name in tags if name in rows):
            with claim(self.folder, None):
                rows.read()
                rows.replace(
                    rows[name] | ({"tags": tags[name]} if name in tags else {}) for name in list(rows)
                )

    def folded(self) -> Run:
        """The whole run that writes the record once all shards are done; it finds their work and computes no clip."""
        return replace(self, shard=None, force=False)

    def _finished(self, job: Job) -> bool:
        record = job.store.read_record()
        return record is not None and record.get("key") == job.key and has_columns(record, self.metrics)


class Loop:
    """The work of a run that is not finished.

    On a CPU each clip goes through the detectors by itself, on a core of its own; on a GPU those of a batch, of all
    systems, go together (``together``).
    """

    def __init__(self, run: Run, jobs: Sequence[Job]) -> None:
        self.run_, self.jobs, self.protocol, self.metrics = run, list(jobs), run.protocol, run.metrics
        self.pending = Pending(run)
        self.reference, self.pixels = self.pending.reference, self.pending.pixels
        self.extraction = Extraction(self.pending)
        self.together = run.device != "cpu"

    def run(self) -> None:
        """Do all that is missing; then, if this is the whole run, write the records."""
        from tqdm import tqdm

        shard = self.run_.shard
        clips = self.run_.dataset.clips
        mine = list(clips) if shard is None else shard.of(clips)
        for job in self.jobs:
            self._open(job, [clip.id for clip in mine])
        todo = [clip for clip in mine if self.pending.clip(clip.id, self.jobs)]
        if todo:
            self._check_predictions()
        size = max(1, self.run_.batch_size)
        with (
            workers(self.run_.device) as pool,
            tqdm(total=len(todo) * len(self.jobs), unit="clip", delay=1, mininterval=1) as bar,
        ):
            if todo:
                self._prepare()
            for start in range(0, len(todo), size):
                self._batch(todo[start : start + size], pool, bar)
        if shard is None:
            self._close()

    def _open(self, job: Job, clip_ids: list[str]) -> None:
        """Say which rows do not count any more."""
        if self.run_.force:
            return
        if job.store.rows.torn:
            self.run_.notify(f"{job.system.variant}: the last row was cut off, its clip is scored again")
        if stale := self.pending.stale(job, clip_ids):
            self.run_.notify(
                f"{job.system.variant}: data or settings have changed since {stale} clips were scored; "
                f"they are checked and done again"
            )

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

    def _prepare(self) -> None:
        """Fetch what systems lack before any works for hours, and load the detectors: threads would load one twice."""
        for job in self.jobs:
            getattr(job.system, "prepare", lambda: None)()
        for metric in self.metrics.metrics:
            getattr(metric, "network", None)

    def _batch(self, clips: Sequence[Clip], pool: Executor, bar: Any) -> None:
        """Decode some clips, and bring every system up to date on them.

        Systems predict one after the other here, while the pool scores what they have predicted.
        """
        references = {clip.id: self._load(clip) for clip in clips}
        self.pixels.learn(references)
        if self.run_.dataset.root is None:  # who looks at the results cannot draw the clips again
            for clip_id, frames in references.items():
                self.reference.save_prediction(clip_id, frames, 0.0, self.pixels.known[clip_id])
        true: list[Future[None]] = []
        if self.protocol.truth:
            groups = [clips] if self.together else [[clip] for clip in clips]
            true = [pool.submit(self.extraction.of_true_clips, part, references) for part in groups]
        scored: list[tuple[Job, list[Future[dict[str, Any]]]]] = []
        for job in self.jobs:
            todo = [clip for clip in clips if self.pending.of(job, clip.id)]
            bar.update(len(clips) - len(todo))
            predictions = self._predict(job, todo, references)
            spent: Sequence[dict[str, float] | None] = [None] * len(todo)
            if self.together:
                made = [(clip.id, predictions[clip.id][0]) for clip in todo]
                spent = self.extraction.of([Seen(job.store, name, pixels_of(f), f) for name, f in made])
            futures = [
                pool.submit(self._score, job, clip, *predictions[clip.id], references[clip.id], seconds)
                for clip, seconds in zip(todo, spent, strict=True)
            ]
            scored.append((job, futures))
        for future in true:
            future.result()
        for job, futures in scored:
            bar.set_description(job.system.variant, refresh=False)
            if futures:
                with job.store.rows.appending() as append:
                    for future in futures:
                        append(future.result())
                        bar.update()

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
            reference, key = references[clip.id], self.pending.key(job, clip.id)
            saved = None if self.run_.force else job.store.load_prediction(clip.id, key)
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
                key = self.pending.key(job, task.clip_id)
                job.store.save_prediction(task.clip_id, frames, seconds, key)
                done[task.clip_id] = frames, seconds
        return done

    def _score(
        self,
        job: Job,
        clip: Clip,
        frames: np.ndarray,
        seconds: float,
        reference: np.ndarray,
        spent: dict[str, float] | None,
    ) -> dict[str, Any]:
        """The clip's row: what is there already, and the scores of the metrics that are missing.

        ``spent``: seconds of its features, where they have been computed.
        """
        key, prediction = self.pending.key(job, clip.id), pixels_of(frames)
        row: dict[str, Any] = {"clip": clip.id, "source": clip.source, "tags": sorted(clip.tags)}
        row |= {"key": key, "prediction": prediction, "metrics": {}, "scores": {}, "frames": {}}
        row["seconds"] = {"predict": seconds, "metrics": {}}
        old = job.store.rows.get(clip.id)
        if old is not None and (old["key"], old["prediction"]) == (key, prediction):
            row |= {name: old[name] for name in ("metrics", "scores", "frames")}
            row["seconds"] = old["seconds"] | ({"predict": seconds} if self.run_.force else {})
        truth = reference if self.protocol.truth else None
        video = Video(frames, self.protocol.given, truth, self.run_.dataset.fps)
        for part in parts(self.pending.scores(row)):
            began = time.perf_counter()
            columns, values = self.metrics.score(video, self.protocol.middle, part)
            row["seconds"]["metrics"][part_name(part)] = time.perf_counter() - began
            row["scores"] |= columns
            row["frames"] |= values
            row["metrics"] |= {metric.name: self.pending.identities[metric.name] for metric in part}
        if spent is None:
            (spent,) = self.extraction.of([Seen(job.store, clip.id, prediction, frames)])
        row["seconds"]["metrics"] |= spent
        return row

    def _close(self) -> None:
        """Put the rows in order and write the records."""
        clip_ids = [clip.id for clip in self.run_.dataset.clips]
        sources = [clip.source for clip in self.run_.dataset.clips]
        self.pixels.fold(clip_ids)
        with stacked(self.reference, clip_ids, self.pending.reference_keys) as real:
            floors = self.metrics.floors(real, sources)
            for job in self.jobs:
                rows = job.store.rows
                if list(rows) != clip_ids or not rows.whole:
                    rows.replace(rows[clip_id] for clip_id in clip_ids)
                with stacked(job.store, clip_ids, self.pending.keys_of(job)) as made:
                    write_json(
                        job.store.record_path, assemble(self.run_, job, self.pixels.known, made, real, floors)
                    )


def check_device(name: str) -> None:
    """Refuse a device that is not there (``UserError``). A run on the CPU imports no torch for it."""
    if name == "auto":
        raise UserError("--device auto is not known: choose cpu, cuda or one of several GPUs, such as cuda:1")
    if name != "cpu":
        from mardini.device import find_device

        find_device(name)


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
