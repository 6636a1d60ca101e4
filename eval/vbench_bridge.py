"""Between our results and VBench: videos in its layout and names, its result files, and the averages it takes.

VBench looks for ``<caption>-<index>.mp4``, index 0 to 4, side by side in one folder; a video that is not there is left
out of its averages with no more than a warning. So counts are checked before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from eval.comparison import check_rows
from eval.datasets.vbench_i2v import IMAGES, SIZES, dataset_name
from eval.results import UNREADABLE, Store, pixels_of
from eval.vbench_scores import DIMENSIONS
from mardini.errors import UserError
from mardini.files import atomic

SAMPLES = 5  # videos of a picture that VBench takes
NATIVE = {name: name for name in DIMENSIONS} | {"dynamic_degree_torchvision": "dynamic_degree"}
"""Columns of our records -> VBench's dimension."""


@dataclass(frozen=True)
class Sample:
    """The results of one system on the suite with one seed: VBench calls it a sample of each picture."""

    folder: Path
    record: Mapping[str, Any]
    store: Store

    @property
    def clip_ids(self) -> list[str]:
        return sorted(self.store.rows)

    def frames(self, clip_id: str) -> np.ndarray:
        """A saved prediction, ``uint8`` (T, H, W, 3), that is the one which was scored. Else ``UserError``."""
        path = self.store.prediction_path(clip_id)
        try:
            with np.load(path, allow_pickle=False) as saved:
                frames = saved["frames"]
        except UNREADABLE as error:
            raise UserError(f"cannot read {path} ({error}): run python -m eval.i2v again") from error
        if pixels_of(frames) != self.store.rows[clip_id]["prediction"]:
            raise UserError(f"{path} is not what was scored: run python -m eval.i2v again")
        return frames


@dataclass(frozen=True)
class Reading:
    """A dimension's value, from 0 to 1, where it is from, and how many videos it is the mean of."""

    value: float
    origin: str
    videos: int


def load_samples(folders: Sequence[Path]) -> list[Sample]:
    """Results of one system on one crop of the suite, in the order of their seeds.

    Args:
        folders: each holds a ``record.json`` of ``python -m eval.i2v --dataset vbench-i2v``.

    Raises:
        UserError: no finished results there, of another dataset, of several systems, or of one seed twice.
    """
    suites = {dataset_name(ratio) for ratio in SIZES}
    samples = []
    for folder in folders:
        store = Store(folder)
        record = store.read_record()
        if record is None:
            raise UserError(
                f"{folder} holds no record.json: give the folder of a system, as python -m eval.i2v prints it"
            )
        if record["dataset"]["name"] not in suites:
            raise UserError(
                f"{folder} is of dataset '{record['dataset']['name']}': give results of --dataset vbench-i2v"
            )
        samples.append(Sample(folder, record, store))
    first = samples[0]
    for sample in samples[1:]:
        for what in ("described", "protocol"):
            if sample.record[what] != first.record[what]:
                raise UserError(
                    f"{sample.folder} and {first.folder} differ in what made them ({what}): give results of one "
                    "system, one for each seed"
                )
        if sample.clip_ids != first.clip_ids:
            raise UserError(f"{sample.folder} and {first.folder} hold other pictures: score the same ones")
    seeds = [sample.record["seed"] for sample in samples]
    if twice := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
        raise UserError(f"two results are of seed {twice[0]}: give one for each seed, made with --seed")
    return sorted(samples, key=lambda sample: sample.record["seed"])


def shortfall(samples: Sequence[Sample]) -> str:
    """What VBench would lack, in a sentence; empty where it is all there."""
    pictures, count = len(samples[0].clip_ids), len(samples)
    if (pictures, count) == (IMAGES, SAMPLES):
        return ""
    lacking = IMAGES * SAMPLES - pictures * min(count, SAMPLES)
    return (
        f"{pictures} pictures x {count} samples of VBench's {IMAGES} x {SAMPLES}: it will warn of {lacking} missing "
        "videos and score the others; say so beside the numbers"
    )


def write(samples: Sequence[Sample], output: Path, fps: float) -> Iterator[Path]:
    """Write every prediction as ``<caption>-<index>.mp4`` into ``output``; the paths, one by one.

    H.264 without loss in YUV 4:4:4 (8 bits: values move by at most 2 when converted back), tagged with ``fps``,
    on which VBench's dynamic degree depends.

    Raises:
        UserError: ``output`` holds other files, of which VBench would take the suffix of any; a prediction is missing
            or not what was scored; more than five samples.
    """
    if len(samples) > SAMPLES:
        raise UserError(f"{len(samples)} samples are more than VBench's {SAMPLES}: give fewer results")
    names = {f"{clip_id}-{i}.mp4" for i in range(len(samples)) for clip_id in samples[0].clip_ids}
    strange = [entry.name for entry in output.iterdir() if entry.name not in names] if output.is_dir() else []
    if strange:
        raise UserError(f"{output} holds other files ({strange[0]} ...): give an empty folder as --output")
    missing = [
        path for s in samples for c in s.clip_ids if not (path := s.store.prediction_path(c)).is_file()
    ]
    if missing:
        raise UserError(
            f"{len(missing)} predictions are missing ({missing[0]} ...): run python -m eval.i2v again"
        )
    for index, sample in enumerate(samples):
        for clip_id in sample.clip_ids:
            path = output / f"{clip_id}-{index}.mp4"
            write_lossless(path, sample.frames(clip_id), fps)
            yield path


def write_lossless(path: Path, frames: np.ndarray, fps: float) -> None:
    """``uint8`` (T, H, W, 3) as H.264 in yuv444p at CRF 0, atomically."""
    import av

    with atomic(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv444p"
        stream.options = {"crf": "0"}
        for frame in frames:
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(image))
        container.mux(stream.encode())


def read_results(files: Sequence[Path]) -> dict[str, Reading]:
    """Dimensions in VBench's result files, ``{dimension: [score, videos]}``.

    Raises:
        UserError: a file cannot be read, holds an unknown dimension, or one that another file holds too.
    """
    found: dict[str, Reading] = {}
    for file in files:
        try:
            content = json.loads(file.read_text("utf-8"))
            entries = {
                name: Reading(float(value[0]), f"VBench, {file.name}", len(value[1]))
                for name, value in content.items()
            }
        except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise UserError(
                f"{file} is no result file of VBench ({error!r}): give its *_eval_results.json"
            ) from error
        for name, reading in entries.items():
            if name not in DIMENSIONS:
                raise UserError(f"{file} holds '{name}', which is no dimension of VBench-I2V: leave it out")
            if name in found:
                raise UserError(f"{file} and an earlier file both hold {name}: give each dimension once")
            found[name] = reading
    return found


def average(samples: Sequence[Sample]) -> tuple[dict[str, Reading], list[str]]:
    """Dimensions computed here, averaged as VBench does: each over its part of the pictures, and all samples.

    Returns:
        Dimension -> reading; and sentences on columns that are there but cannot be used.
    """
    found: dict[str, Reading] = {}
    notes = []
    for sample in samples:
        check_rows(sample.record, sample.store.rows, NATIVE, sample.folder / "record.json")
    for column, name in NATIVE.items():
        if any(f"{column}_random" in sample.record["metrics"] for sample in samples):
            notes.append(f"{column}_random is of random weights, and no score of VBench")
        if not all(column in sample.record["metrics"] for sample in samples):
            continue
        part = DIMENSIONS[name].part
        rows = [sample.store.rows[clip_id] for sample in samples for clip_id in sample.clip_ids]
        values = [row["scores"][column] for row in rows if part == "all" or part in row["tags"]]
        if not values:
            notes.append(
                f"{name} is averaged over pictures with a {part}, but no info file said which these are: put "
                "i2v-bench-info.json beside the pictures, and run python -m eval.i2v again"
            )
            continue
        origin = "computed here" + ("" if column == name else f", as {column}")
        found[name] = Reading(float(np.mean(values)), origin, len(values))
    return found, notes
