"""Every name the commands accept, one line each, and what of it is on this machine. Nothing heavy is imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

from eval.datasets import ALIASES, DATASETS, DatasetInfo
from eval.datasets.archives import cache_folder
from eval.metrics import FAMILIES, METRICS, Entry
from eval.protocols import TASKS, protocol_for
from eval.systems import SYSTEMS
from eval.systems.rivals import RIVALS, TAKES, Rival, readiness
from eval.weight_files import WEIGHTS
from eval.weights import folders
from mardini.shipped import CHECKPOINTS, SHIPPED

Row = tuple[str, str, str]
"""Name, what it is, what of it is here."""


def lines(weights_dir: Path | None = None) -> Iterator[str]:
    """The page, line by line."""
    yield "datasets (--dataset)"
    yield from table([*map(dataset, DATASETS.values()), *map(alias, ALIASES)])
    yield "\nprotocols: a task on a dataset"
    yield from table(protocols())
    yield "\nsystems (--systems); datasets may bring more, --predictions adds your own"
    own = [(name, info.line, system(name)) for name, info in SYSTEMS.items() if name not in RIVALS]
    yield from table(own)
    yield "\nrivals (--systems); scored only when named"
    yield from table([rival(entry, weights_dir) for entry in RIVALS.values()])
    yield "\nmetrics (--metrics); with random weights, NAME_random needs none"
    yield from table(
        [(name, entry.description, metric(entry, weights_dir)) for name, entry in METRICS.items()]
    )
    yield "\nfamilies of metrics (--metrics)"
    yield from table(
        [(name, ", ".join(members), "") for name, members in FAMILIES.items() if members != (name,)]
    )


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Names in a column, then what they are, then, in brackets, what is here."""
    width = max(len(name) for name, _, _ in rows)
    for name, what, here in rows:
        yield f"  {name:{width}}  {what}" + (f"  [{here}]" if here else "")


def dataset(info: DatasetInfo) -> Row:
    """A dataset, and whether it needs anything."""
    if info.origin == "generated":
        here = "generated here"
    elif info.origin == "root":
        here = "needs --data-root"
    else:
        place = cache_folder() / info.cached
        here = f"here: {place}" if place.is_dir() else "not here: is downloaded, or --data-root"
    return info.name, info.line, here


def alias(name: str) -> Row:
    """A name that stands for a dataset."""
    return name, f"no published dataset; stands for {ALIASES[name]}, or any folder", "needs --data-root"


def protocols() -> list[Row]:
    """Every task on every dataset."""
    rows = []
    for task in TASKS:
        for info in DATASETS.values():
            if info.truth or task == "i2v":
                protocol = protocol_for(task, info.name)
                size = f"{protocol.size[1]}x{protocol.size[0]}" if protocol.size else "any size"
                given = ", ".join(map(str, protocol.given))
                rows.append(
                    (protocol.id, f"{protocol.frames} frames, {size}, given: {given}; {protocol.source}", "")
                )
    return rows


def system(name: str) -> str:
    """Whether a system can run: what it needs beyond this package."""
    if name == "mardini":
        here = [own for own in SHIPPED if (CHECKPOINTS / own).is_dir()]
        return f"here: {', '.join(here)}" if here else "needs --checkpoint"
    return "here"


def rival(entry: Rival, weights_dir: Path | None) -> Row:
    """A rival, the frames it can be given, and whether it can run."""
    what = f"{entry.line}; given {TAKES[entry.takes]}"
    if isinstance(entry.source, str):
        return entry.name, what, needs((entry.source,), "", weights_dir)
    found = readiness(entry.name, weights_dir)
    here = {
        "ready": f"here: {found.sentence}",
        "download": "not here: is downloaded",
        "missing": found.sentence,
    }
    return entry.name, what, here[found.state]


def metric(entry: Entry, weights_dir: Path | None) -> str:
    """Whether a metric's weight files and package are here."""
    return needs(entry.weights, entry.package, weights_dir)


def needs(weights: Sequence[str], package: str, weights_dir: Path | None) -> str:
    """What is here of weight files and an optional package; files are checked by hash only when they are used."""
    parts = []
    if weights:
        missing = [WEIGHTS[name] for name in weights if not present(name, weights_dir)]
        files = ", ".join(f"{weight.file}, {weight.megabytes} MB" for weight in missing)
        parts.append(f"weights missing: {files}" if missing else "weights here")
    if package:
        installed = importlib.util.find_spec(package) is not None
        parts.append(f"package {package} {'installed' if installed else 'not installed'}")
    return "; ".join(parts) or "here"


def present(name: str, weights_dir: Path | None) -> bool:
    """Whether a file of the weight's name is in one of the folders that are searched."""
    return any((folder / WEIGHTS[name].file).is_file() for folder in folders(weights_dir))
