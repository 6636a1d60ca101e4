"""Where a run's results lie, and how they are written so that a kill at any moment loses nothing finished.

::

    <output>/<task>/<protocol folder>/
        <system>/record.json                 the summary
        <system>/clips.jsonl                 one row per clip (clips-<i>-of-<n>.jsonl of a shard)
        <system>/predictions/<clip>.npz      frames, lossless
        <system>/features/<clip>.npz         of the generated clips
        _reference/clips.jsonl               hashes of the real clips' pixels
        _reference/features/<clip>.npz       of the real clips
        _reference/predictions/<clip>.npz    the clips themselves, where they are generated

Every row, prediction and feature array carries the hash of what it was computed from (its *key*); what
carries another key is stale and is computed again.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.datasets.base import Dataset
from eval.protocols import Protocol
from eval.rows import Rows
from eval.shards import Shard
from mardini.errors import UserError
from mardini.files import atomic, sha256_of

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

    def __init__(self, folder: Path, shard: Shard | None = None) -> None:
        self.folder = folder
        self.rows = Rows(folder, shard)
        self.record_path = folder / "record.json"

    def read_record(self) -> dict[str, Any] | None:
        """The record, or ``None`` where there is none that can be read."""
        return read_json(self.record_path)

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


class FeatureCache:
    """Features of true clips, found by their pixels whatever dataset, protocol or output folder they came through.

    Lies in ``MARDINI_FEATURES`` or ``~/.cache/mardini/features``; ``MARDINI_FEATURES=off`` keeps nothing. An array's
    key holds the metric's version and its weights' hashes, so nothing stale is ever used.
    """

    def __init__(self) -> None:
        place = os.environ.get("MARDINI_FEATURES")
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        folder = Path(place).expanduser() if place else cache / "mardini" / "features"
        self.store = None if place == "off" else Store(folder)

    def load(self, pixels: str, keys: Mapping[str, str]) -> dict[str, np.ndarray]:
        """Those of the arrays named in ``keys`` that are there."""
        return {} if self.store is None else self.store.load_features(f"{pixels[:2]}/{pixels}", keys)

    def save(self, pixels: str, arrays: Mapping[str, np.ndarray], keys: Mapping[str, str]) -> None:
        """Keep arrays; a cache that cannot be written does without."""
        if self.store is not None:
            with contextlib.suppress(UserError):
                self.store.save_features(f"{pixels[:2]}/{pixels}", arrays, keys)


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object, or ``None`` where there is no such file or it cannot be read."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def pixels_of(frames: np.ndarray) -> str:
    """SHA-256 of shape and bytes of ``uint8`` frames."""
    return sha256_of([str(frames.shape), np.ascontiguousarray(frames).tobytes()])


class ReferencePixels:
    """SHA-256 of the pixels of each clip, remembered so that a finished run need not decode them again."""

    def __init__(self, store: Store, fingerprint: str) -> None:
        self.rows, self.fingerprint = store.rows, fingerprint
        rows = ((clip_id, self.rows[clip_id]) for clip_id in self.rows)
        self.known: dict[str, str] = {i: r["pixels"] for i, r in rows if r.get("fingerprint") == fingerprint}

    def learn(self, clips: Mapping[str, np.ndarray]) -> None:
        """Hash the frames of some clips; what is new is written down."""
        digests = {clip_id: pixels_of(frames) for clip_id, frames in clips.items()}
        new = {clip_id: digest for clip_id, digest in digests.items() if self.known.get(clip_id) != digest}
        self.known |= new
        if new:
            with self.rows.appending() as append:
                for clip_id in new:
                    append(self._row(clip_id))

    def fold(self, clip_ids: Sequence[str]) -> None:
        """Put the rows of a whole run in order, if they are not."""
        if list(self.rows) != list(clip_ids) or not self.rows.whole:
            self.rows.replace(self._row(clip_id) for clip_id in clip_ids)

    def _row(self, clip_id: str) -> dict[str, str]:
        return {"clip": clip_id, "fingerprint": self.fingerprint, "pixels": self.known[clip_id]}


@contextlib.contextmanager
def stacked(
    store: Store, clip_ids: Sequence[str], keys_of: Callable[[str], Mapping[str, str]]
) -> Iterator[dict[str, np.ndarray]]:
    """Saved features of all clips one below the other: name -> float32 (N, D), in the order of ``clip_ids``.

    The arrays lie in temporary files and are read when looked at, so that memory does not grow with the clips.
    ``keys_of`` gives a clip's feature names with the keys they must have.
    """
    with tempfile.TemporaryDirectory(prefix=".features-", dir=store.folder) as folder:
        widths: dict[str, int] = {}
        with contextlib.ExitStack() as stack:
            files: dict[str, Any] = {}
            for clip_id in clip_ids:
                for name, array in store.load_features(clip_id, keys_of(clip_id)).items():
                    if name not in files:
                        files[name] = stack.enter_context((Path(folder) / f"{len(files)}.bin").open("wb"))
                        widths[name] = array.shape[1]
                    files[name].write(np.ascontiguousarray(array, np.float32).data)
        yield {
            name: np.memmap(file.name, np.float32, "r").reshape(-1, widths[name])
            for name, file in files.items()
        }
