"""Where a run's results lie, and how they are written so that a kill at any moment loses nothing finished.

::

    <output>/interpolation/<protocol folder>/
        <system>/record.json                 the summary
        <system>/clips.jsonl                 one row per clip
        <system>/predictions/<clip>.npz      frames, lossless
        <system>/features/<clip>.npz         of the generated clips
        _reference/clips.json                hashes of the real clips' pixels
        _reference/features/<clip>.npz       of the real clips

Every row, prediction and feature array carries the hash of what it was computed from (its *key*); what
carries another key is stale and is computed again.
"""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eval.datasets.base import Dataset
from eval.protocols import Protocol
from mardini.errors import UserError
from mardini.files import atomic, sha256_of, write_json

SCHEMA = 1  # of record.json and clips.jsonl; raised when a reader must change
REFERENCE = "_reference"  # no system can have this name, see eval.systems.predictions.parse
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def key_of(value: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON-able mapping, whatever the order of its items."""
    return sha256_of([json.dumps(value, sort_keys=True, allow_nan=False)])


def protocol_folder(dataset: Dataset, protocol: Protocol, limit: int | None, seed: int) -> str:
    """Folder name of a dataset's results: other clips, limits or seeds never share one.

    ``davis-7-v1`` for the whole DAVIS-7; ``-limit4``, ``-seed3`` when asked for; and where the clips are
    not determined by that (a part of a dataset, a user's folder), the first 8 digits of their fingerprint.
    """
    name = f"{protocol.name}-{protocol.version}"
    if limit is not None:
        name += f"-limit{limit}"
    if seed != 0:
        name += f"-seed{seed}"
    if dataset.root is not None and len(dataset.clips) != dataset.expected:
        name += f"-{dataset.fingerprint[:8]}"
    return name


class Store:
    """The results of one system (or of the reference) under one protocol."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows_path = folder / "clips.jsonl"
        self.record_path = folder / "record.json"

    def read_record(self) -> dict[str, Any] | None:
        """The record, or ``None`` where there is none that can be read."""
        return read_json(self.record_path)

    # -- rows -----------------------------------------------------------------------------------------

    def read_rows(self) -> dict[str, dict[str, Any]]:
        """Latest row per clip id. A torn last line (the process was killed while writing) is dropped."""
        rows: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for line in self.rows_path.read_bytes().splitlines():
                with contextlib.suppress(ValueError):
                    row = json.loads(line)
                    if isinstance(row, dict) and isinstance(row.get("clip"), str):
                        rows[row["clip"]] = row
        return rows

    @contextlib.contextmanager
    def appending(self) -> Iterator[Any]:
        """Yield ``append(row)``; each row is on disk when it returns. Begins by cutting off a torn line."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.rows_path.open("ab+") as file:
                file.truncate(end_of_last_line(file))

                def append(row: Mapping[str, Any]) -> None:
                    try:
                        file.write(json.dumps(row, allow_nan=False).encode() + b"\n")
                        file.flush()
                        os.fsync(file.fileno())
                    except OSError as error:
                        raise cannot_write(self.rows_path, error) from error

                yield append
        except OSError as error:
            raise cannot_write(self.rows_path, error) from error

    def torn(self) -> bool:
        """Whether the rows end in the middle of a line."""
        try:
            with self.rows_path.open("rb") as file:
                return end_of_last_line(file) != file.seek(0, os.SEEK_END)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def write_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace the rows, atomically, e.g. to put them in order at the end of a run."""
        with atomic(self.rows_path) as temporary:
            temporary.write_text("".join(json.dumps(row, allow_nan=False) + "\n" for row in rows), "utf-8")

    # -- predictions ----------------------------------------------------------------------------------

    def prediction_path(self, clip_id: str) -> Path:
        return self.folder / "predictions" / f"{clip_id}.npz"

    def save_prediction(self, clip_id: str, frames: np.ndarray, seconds: float, key: str) -> None:
        """Losslessly: ``frames`` ``uint8`` (T, H, W, 3), the seconds they took, and the key."""
        with atomic(self.prediction_path(clip_id)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, frames=frames, seconds=np.array(seconds), key=np.array(key))

    def load_prediction(self, clip_id: str, key: str) -> tuple[np.ndarray, float] | None:
        """Saved frames and the seconds they took, or ``None`` where there are none for this key."""
        try:
            with np.load(self.prediction_path(clip_id), allow_pickle=False) as saved:
                return (saved["frames"], float(saved["seconds"])) if str(saved["key"]) == key else None
        except UNREADABLE:
            return None

    # -- features -------------------------------------------------------------------------------------

    def features_path(self, clip_id: str) -> Path:
        return self.folder / "features" / f"{clip_id}.npz"

    def load_features(self, clip_id: str, keys: Mapping[str, str]) -> dict[str, np.ndarray]:
        """Saved arrays, of those named in ``keys`` (name -> key), whose key is still right."""
        try:
            with np.load(self.features_path(clip_id), allow_pickle=False) as saved:
                return {
                    name: saved[name]
                    for name, key in keys.items()
                    if name in saved and str(saved[f"{name}.key"]) == key
                }
        except UNREADABLE:
            return {}

    def save_features(self, clip_id: str, arrays: Mapping[str, np.ndarray], keys: Mapping[str, str]) -> None:
        """Add arrays (name -> (M, D) ``float32``) to the clip's file."""
        kept: dict[str, np.ndarray] = {}
        with contextlib.suppress(*UNREADABLE), np.load(self.features_path(clip_id)) as saved:
            kept = {name: saved[name] for name in saved.files}
        for name, array in arrays.items():
            kept[name] = array
            kept[f"{name}.key"] = np.array(keys[name])
        with atomic(self.features_path(clip_id)) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **kept)


def end_of_last_line(file: Any) -> int:
    """Length of an open binary file up to its last newline."""
    file.seek(0)
    return file.read().rfind(b"\n") + 1


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object, or ``None`` where there is no such file or it cannot be read."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def cannot_write(path: Path, error: OSError) -> UserError:
    """A full disk or a folder without permission, as ``mardini.files.atomic`` tells it."""
    return UserError(
        f"cannot write {path} ({error.strerror or error}): free space or choose another folder with --output"
    )


def pixels_of(frames: np.ndarray) -> str:
    """SHA-256 of shape and bytes of ``uint8`` frames."""
    return sha256_of([str(frames.shape), np.ascontiguousarray(frames).tobytes()])


class ReferencePixels:
    """SHA-256 of the pixels of each clip, remembered so that a finished run need not decode them again."""

    def __init__(self, store: Store, fingerprint: str) -> None:
        self.path = store.folder / "clips.json"
        self.fingerprint = fingerprint
        saved = read_json(self.path) or {}
        same = saved.get("fingerprint") == fingerprint
        self.known: dict[str, str] = dict(saved["pixels"]) if same else {}
        self._changed = False

    def learn(self, clip_id: str, frames: np.ndarray) -> str:
        """Hash of a clip's frames; kept for ``save``."""
        digest = pixels_of(frames)
        self._changed |= self.known.get(clip_id) != digest
        self.known[clip_id] = digest
        return digest

    def save(self) -> None:
        """Write what is known, if there is anything new."""
        if self._changed:
            pixels = dict(sorted(self.known.items()))
            write_json(self.path, {"fingerprint": self.fingerprint, "pixels": pixels})
            self._changed = False
