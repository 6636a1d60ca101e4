"""Records, read and never computed: of the evaluation toolkit and of the benchmarks.

Several folders of results are read as one: what a later one holds stands in place of what an earlier one holds, so
that fresh records of one data set may be laid over committed ones of all.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]
Results = Sequence[Path]
"""Folders of results, the last one counting most."""
TASKS = ("interpolation", "i2v", "expansion")
MODEL = "mardini"
OWN = ("repeat", "blend", "flow", "minterpolate", MODEL)
USUAL = {"interpolation": OWN, "i2v": ("repeat", MODEL), "expansion": ("repeat", "flow", MODEL)}
"""Task -> the systems of our own that are scored where none are named; a test compares them with the toolkit's."""
METRICS = ("psnr", "psnr_clip", "ssim_vidim", "ssim_std", "lpips_alex", "fid", "fvd")
"""What is computed against true clips where no metrics are named; a test likewise."""


class ReportError(ValueError):
    """A mistake of the user's, in one sentence."""


@dataclass(frozen=True)
class Group:
    """The records of all systems under one protocol on one set of clips.

    Attributes:
        task: ``interpolation``, ``i2v`` or ``expansion``.
        name: folder name, e.g. ``davis-7-v1``.
        records: variant -> record, in the order of ``order``.
        folders: variant -> where its record lies, with its per-clip rows and, if they were kept, its frames.
    """

    task: str
    name: str
    records: Mapping[str, Record]
    folders: Mapping[str, Path]

    @property
    def first(self) -> Record:
        return next(iter(self.records.values()))

    @property
    def dataset(self) -> str:
        """Name of the data set, as on the command line."""
        return self.first["dataset"]["name"]

    @property
    def clips(self) -> str:
        """``30 clips of 10 videos``."""
        data = self.first["dataset"]
        counts = (data["clips"], "clip"), (data["sources"], "video")
        return " of ".join(f"{number} {what}{'' if number == 1 else 's'}" for number, what in counts)

    @property
    def path(self) -> str:
        """Where its records lie below the results: ``interpolation/davis-7-v1``."""
        return f"{self.task}/{self.name}"

    @property
    def side(self) -> int | None:
        """Pixels of the shorter side to which the clips were shrunk; ``None`` where they were not."""
        return self.first["dataset"].get("details", {}).get("shrunk_to")

    @property
    def command(self) -> str:
        """The command that makes its records, but for those of ``again``."""
        data, frames = self.first["dataset"], self.first["frames"]
        words = [f"python -m eval.{self.task}"]
        if data["name"] != "synthetic":
            words.append(f"--dataset {data['name']} --data-root DIR")
            if any("_random" in name for name in self.first["metrics"]):
                words.append("--features random")
        if "-given-" in self.first["protocol"]:
            words.append(f"--given {','.join(map(str, frames['given']))}")
        if frames["clip"] != 9:
            words.append(f"--frames {frames['clip']}")
        if self.side:
            words.append(f"--size {self.side}")
        if data.get("limit"):
            words.append(f"--limit {data['limit']}")
        if self.first.get("seed"):
            words.append(f"--seed {self.first['seed']}")
        return " ".join([*words, *self._systems, *self._metrics, "--output benchmarks/results"])

    @property
    def _systems(self) -> list[str]:
        """Options that name what was scored, where it is not what is scored unasked."""
        kinds = {variant: record["described"]["system"] for variant, record in self.records.items()}
        folders = [f"--predictions {variant}=DIR" for variant, kind in kinds.items() if kind == "predictions"]
        others = [
            name for name, kind in kinds.items() if kind != "predictions" and (kind != MODEL or name == MODEL)
        ]
        unasked = {*USUAL[self.task], *(name for name, kind in kinds.items() if kind == "dataset method")}
        if folders:  # with predictions, no other system is scored unasked
            unasked = set()
        return ([] if set(others) == unasked else [f"--systems {','.join(others)}"]) + folders

    @property
    def _metrics(self) -> list[str]:
        """The option that names what was computed, where it is not what is computed unasked."""
        named = [entry["metric"]["name"].removesuffix("_random") for entry in self.first["metrics"].values()]
        words = [*(name for name in METRICS if name in named), *sorted({*named} - {*METRICS})]
        return [] if set(words) == set(METRICS) else [f"--metrics {','.join(words)}"]

    @property
    def again(self) -> tuple[str, ...]:
        """Options with which the command is run once more, for each record of the model under other settings."""
        found = []
        for variant, record in self.records.items():
            told = record["described"]
            if told["system"] != MODEL or variant == MODEL:
                continue
            words = [f"--checkpoint {told['checkpoint']}"] if "checkpoint" in told else []
            words += [f"--{name} {told[name]:g}" for name in ("steps", "guidance") if f"-{name}" in variant]
            if "-skip" in variant:
                told_scales = told.get("skip_guidance", 0)
                scales = told_scales if isinstance(told_scales, list) else [told_scales]
                words.append(f"--skip-guidance {','.join(f'{scale:g}' for scale in scales)}")
            if "-detail" in variant:
                words.append(f"--detail {told.get('detail', 0):g}")
            if "-sharpness" in variant:
                words.append(f"--sharpness {told.get('sharpness', 0):g}")
            found.append(" ".join([f"--systems {MODEL}", *words]))
        return tuple(found)

    @property
    def pictured(self) -> list[str]:
        """Systems that figures of many lines show: not those that differ from another in what is ours alone."""
        plain = {
            name: re.sub(r"(-(skip|detail|sharpness)[\d.]+(to[\d.]+)?)+$", "", name) for name in self.records
        }
        return [name for name in self.records if plain[name] == name or plain[name] not in self.records]

    @functools.cached_property
    def complete(self) -> bool:
        """Whether the per-clip rows of every system were kept."""
        return all(self.rows(variant) for variant in self.records)

    def origin(self, variant: str, metric: str) -> str:
        """Where a number is from: path of a record below the results, ``#`` and the name in it."""
        return f"{self.path}/{variant}/record.json#{metric}"

    def rows(self, variant: str) -> Sequence[Record]:
        """Per-clip rows of a system; none where they were not kept.

        Raises:
            ReportError: they are not those that the record was made from.
        """
        return read_rows(self.folders[variant], self.records[variant]["predictions_sha256"])


@functools.lru_cache(maxsize=256)
def read_rows(folder: Path, predictions: str) -> Sequence[Record]:
    """Rows of ``clips.jsonl``, checked against the hash of all predictions in the record beside them."""
    rows = read_lines(folder / "clips.jsonl")
    if rows and sha256_of(part for row in rows for part in (row["clip"], row["prediction"])) != predictions:
        raise ReportError(
            f"{folder / 'clips.jsonl'} is not what record.json beside it was made from: run the evaluation again"
        )
    return rows


def sha256_of(parts: Iterable[str | bytes]) -> str:
    """SHA-256 over strings or bytes, each preceded by its length: as the toolkit hashes predictions and pixels."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def order(variant: str) -> tuple[int, str]:
    """Foreign methods first, by name, then the baselines, then the model."""
    for place, name in enumerate(OWN):
        if variant == name or variant.startswith(f"{name}-"):
            return place + 1, variant
    return 0, variant


TIMED = ("efficiency", "metric-speed", "scaling")
"""Suites of which every machine has its own records; those of all others are of what is measured on it."""


def files(results: Results, pattern: str) -> dict[str, Path]:
    """Path below the results -> file, sorted, of those that fit a pattern."""
    found: dict[str, Path] = {}
    for folder in results:
        found |= {path.relative_to(folder).as_posix(): path for path in folder.glob(pattern)}
    return dict(sorted(found.items()))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; ``ReportError`` names a file that is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{path} cannot be read ({error}): restore it, or make it again") from error
    if not isinstance(value, dict):
        raise ReportError(f"{path} holds no JSON object: restore it, or make it again")
    return value


def read_groups(results: Results) -> list[Group]:
    """All records of the toolkit, a group a protocol and set of clips, sorted by name.

    Raises:
        ReportError: a record cannot be read, or does not belong beside the others of its group.
    """
    groups = []
    for task in TASKS:
        found: dict[str, dict[str, Path]] = {}
        for name, path in files(results, f"{task}/*/*/record.json").items():
            _, folder, variant, _ = name.split("/")
            found.setdefault(folder, {})[variant] = path
        for folder, paths in found.items():
            variants = sorted(paths, key=order)
            records = {variant: read_json(paths[variant]) for variant in variants}
            comparable(records, paths)
            folders = {variant: paths[variant].parent for variant in variants}
            groups.append(Group(task, folder, records, folders))
    return groups


def comparable(records: Mapping[str, Record], paths: Mapping[str, Path]) -> None:
    """Refuse records that differ in protocol, clips, or in what a metric of the same name is."""
    first = next(iter(records))
    known: dict[str, str] = {}
    for variant, record in records.items():
        data = [(r["protocol"], r["dataset"]["pixels_sha256"]) for r in (record, records[first])]
        if data[0] != data[1]:
            raise ReportError(
                f"{paths[first]} and {paths[variant]} are of different protocols or clips: score both again"
            )
        for name, entry in record["metrics"].items():
            other = records[known.setdefault(name, variant)]["metrics"][name]
            if (entry["metric"], entry["n"]) != (other["metric"], other["n"]):
                raise ReportError(
                    f"{name} of {paths[known[name]]} and of {paths[variant]} differ in version, variant, weights or "
                    "number of samples: score both systems with the same command"
                )


def read_cells(results: Results, suite: str) -> list[Record]:
    """All records of a benchmark suite, sorted by path, each with its ``machine`` and its ``path`` below the results.

    A cell that was measured on several machines counts once, by the last folder of results, unless what is measured
    is the machine (``TIMED``).

    Raises:
        ReportError: a record cannot be read, or the suite has changed between some and others.
    """
    found: dict[tuple[str, str], Record] = {}
    for folder in results:
        for path in sorted(folder.glob(f"{suite}/*/*.json")):
            record = read_json(path)
            if "cell" in record:
                machine, cell = path.parent.name, json.dumps(record["cell"], sort_keys=True)
                name = path.relative_to(folder).as_posix()
                found[cell, machine if suite in TIMED else ""] = {"machine": machine, "path": name, **record}
    cells = sorted(found.values(), key=lambda record: record["path"])
    if len(versions := sorted({str(record.get("version")) for record in cells})) > 1:
        raise ReportError(
            f"records of {suite} are of versions {', '.join(versions)} of the suite, which do not compare: measure the "
            f"older ones again (python -m benchmarks run {suite}), or remove them"
        )
    return cells


def read_ablations(results: Results) -> list[Record]:
    """Cells of the benchmark ``ablations``, all of one number of clips: arms trained for longer compare with no others.

    Where there are several numbers, that of the most measured cells is taken; of two alike, the larger. None if none
    was measured.
    """
    cells = read_cells(results, "ablations")
    done = Counter(cell["cell"]["clips"] for cell in cells if cell["status"] == "done")
    clips = max(done, key=lambda number: (done[number], number), default=None)
    return [cell for cell in cells if cell["cell"]["clips"] == clips]


def read_notes(results: Results, suite: str) -> list[str]:
    """What was written down beside the records of a suite (``notes.md``): paragraphs, none where there is no file."""
    paths = (folder / suite / "notes.md" for folder in results)
    texts = [path.read_text("utf-8", "replace") for path in paths if path.is_file()]
    return [" ".join(part.split()) for text in texts for part in text.split("\n\n") if part.strip()]


def read_lines(path: Path) -> list[Record]:
    """Rows of a JSONL file; none where there is no such file. A torn last line is left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except ValueError:
            if number < len(lines):
                raise ReportError(
                    f"{path}, line {number}, is no JSON: restore it, or make it again"
                ) from None
    return rows


def metric(record: Record, names: Sequence[str]) -> tuple[str, Mapping[str, Any]] | None:
    """The first of some columns that a record has: its name and entry."""
    for name in names:
        if name in record["metrics"]:
            return name, record["metrics"][name]
    return None
