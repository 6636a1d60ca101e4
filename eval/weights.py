"""Where pretrained weight files (``eval/weight_files.py``) are looked for, how they are fetched and verified.

Order: the folder given (``--weights-dir``), the folder in ``MARDINI_WEIGHTS``, the user cache
(``$XDG_CACHE_HOME/mardini/weights``, by default ``~/.cache/mardini/weights``), then a download into the
first of these folders that is set. ``MARDINI_OFFLINE=1`` forbids downloads. No file is used before its
SHA-256 matched; where a publisher gives less than that, the table says what is checked instead, and records
carry the SHA-256 of the file that was used.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.weight_files import WEIGHTS, Weight
from mardini.download import DownloadError, download
from mardini.errors import UserError, unknown
from mardini.files import sha256


@dataclass(frozen=True)
class Availability:
    """Whether a weight file can be used: ``path`` of the verified file, or one sentence on how to get it."""

    weight: Weight
    path: Path | None
    sentence: str = ""


def folders(weights_dir: Path | None = None) -> list[Path]:
    """Folders that are searched, in order; the first one receives downloads."""
    given = [Path(weights_dir)] if weights_dir else []
    if from_environment := os.environ.get("MARDINI_WEIGHTS"):
        given.append(Path(from_environment).expanduser())
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [*given, Path(cache) / "mardini" / "weights"]


def offline() -> bool:
    """Whether ``MARDINI_OFFLINE`` forbids downloads."""
    return os.environ.get("MARDINI_OFFLINE", "").lower() not in ("", "0", "false", "no")


def find_weights(name: str, weights_dir: Path | None = None) -> Path | None:
    """Path of the named weight file with the right hash, or ``None`` where no folder holds it.

    Raises:
        UserError: unknown name, or the first file found under the name has another hash.
    """
    weight = _lookup(name)
    for folder in folders(weights_dir):
        path = folder / weight.file
        if path.is_file():
            status = path.stat()
            found = _hash(path.resolve(), status.st_size, status.st_mtime_ns)
            if not found.startswith(weight.sha256):
                raise UserError(
                    f"{path} has SHA-256 {found}, but {weight.file} must have {weight.pin}: delete it and "
                    "run python -m eval weights --fetch to have it again"
                )
            if weight.md5 and _md5(path.resolve(), status.st_size, status.st_mtime_ns) != weight.md5:
                raise UserError(
                    f"{path} has another MD5 than {weight.md5}: delete it and run python -m eval weights --fetch "
                    "to have it again"
                )
            _used[name] = found
            return path
    return None


def sha256_of_used(name: str) -> str:
    """SHA-256 of the named weight file, for records: as published, or of the file that was found and checked."""
    weight = _lookup(name)
    return weight.sha256 if len(weight.sha256) == 64 else _used.get(name, weight.sha256)


def fetch(name: str, weights_dir: Path | None = None, *, progress: bool = True) -> Path:
    """Path of the named weight file, downloaded if no folder holds it.

    Raises:
        DownloadError: no address gave the file.
        UserError: a file with another hash is there, or downloads are forbidden (``MARDINI_OFFLINE``).
    """
    weight = _lookup(name)
    if (path := find_weights(name, weights_dir)) is not None:
        return path
    if offline():
        raise UserError(
            f"{weight.file} is not here and MARDINI_OFFLINE forbids downloads: {_remedy(weight, weights_dir)}"
        )
    if not (weight.sha256 or weight.md5):
        raise UserError(
            f"{weight.file} is not here, and is not fetched, as no hash of it is published: "
            f"{_remedy(weight, weights_dir)}"
        )
    path = folders(weights_dir)[0] / weight.file
    if len(weight.sha256) == 64:
        return download(weight.urls, path, sha256=weight.sha256, progress=progress)
    download(weight.urls, path, sha256=weight.sha256 or None, md5=weight.md5 or None, progress=progress)
    find_weights(name, weights_dir)  # remembers the hash of what came
    return path


def availability(
    names: Iterable[str], weights_dir: Path | None = None, *, download: bool = True, progress: bool = True
) -> dict[str, Availability]:
    """For each named weight file: its verified path, or one sentence on what to get from where to where.

    With ``download`` missing files are fetched; after one address that no server answers the rest is not
    tried, so a machine without a network gets its answer in seconds. A file with a wrong hash raises.
    """
    result: dict[str, Availability] = {}
    reachable = True
    for name in dict.fromkeys(names):
        weight, reason = _lookup(name), ""
        path = find_weights(name, weights_dir)
        if path is None and not download:
            reason = "not on this machine"
        elif path is None and not (weight.sha256 or weight.md5):
            reason = "not fetched, as no hash of it is published"
        elif path is None and offline():
            reason = "MARDINI_OFFLINE forbids downloads"
        elif path is None and not reachable:
            reason = "the network cannot be reached"
        elif path is None:
            try:
                path = fetch(name, weights_dir, progress=progress)
            except DownloadError as error:
                reachable = reachable and not error.unreachable
                reason = "the network cannot be reached" if error.unreachable else str(error)
        sentence = "" if path else f"{weight.file} is missing ({reason}): {_remedy(weight, weights_dir)}"
        result[name] = Availability(weight, path, sentence)
    return result


def rows(weights_dir: Path | None = None) -> list[dict[str, str]]:
    """The table for ``python -m eval weights``: one row a file, with what is on this machine. No download.

    Keys: file, users (metrics and systems), MB, sha256, licence, url, here (the path, ``missing`` or
    ``wrong hash: <path>``).
    """
    table = []
    for weight in WEIGHTS.values():
        try:
            path = find_weights(weight.name, weights_dir)
            here = str(path) if path else "missing"
        except UserError as error:
            here = f"wrong hash: {str(error).split(' has SHA-256', 1)[0]}"
        table.append(
            {
                "file": weight.file,
                "users": ", ".join((*weight.metrics, *weight.systems)),
                "MB": str(weight.megabytes),
                "sha256": weight.pin,
                "licence": weight.licence,
                "url": weight.urls[0],
                "here": here,
            }
        )
    return table


def fetch_all(
    names: Sequence[str] | None = None, weights_dir: Path | None = None, *, progress: bool = True
) -> dict[str, Availability]:
    """Fetch the named weight files (default: all), trying every file even if one fails."""
    return availability(names or list(WEIGHTS), weights_dir, progress=progress)


def _lookup(name: str) -> Weight:
    if name not in WEIGHTS:
        raise unknown("weight file", name, WEIGHTS)
    return WEIGHTS[name]


def _remedy(weight: Weight, weights_dir: Path | None) -> str:
    return f"get {weight.urls[0]} and put it into {folders(weights_dir)[0]}"


_used: dict[str, str] = {}  # weight name -> SHA-256 of the file found last


@functools.lru_cache(maxsize=64)
def _hash(path: Path, size: int, modified: int) -> str:
    """Hash of a file, remembered until its size or time of change differs."""
    return sha256(path)


@functools.lru_cache(maxsize=64)
def _md5(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
