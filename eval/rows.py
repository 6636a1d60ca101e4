"""Rows on disk: a JSON line a clip, written as clips are done and found again without being held in memory.

A run that is one of several (a shard) writes ``clips-<i>-of-<n>.jsonl`` beside ``clips.jsonl``; all of them are
read as one, and whoever finishes the whole folds them into ``clips.jsonl``. The latest row of a clip counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from eval.shards import Shard
from mardini.errors import UserError
from mardini.files import atomic

Row = Mapping[str, Any]
NAME = "clips.jsonl"
PARTS = re.compile(r"clips-\d+-of-\d+\.jsonl")


class Rows(Mapping[str, dict[str, Any]]):
    """Clip id -> row, of a folder. Only places in the files are kept in memory.

    Args:
        folder: where the files lie.
        shard: whose file new rows are written to; ``None``: the whole's.
    """

    def __init__(self, folder: Path, shard: Shard | None = None) -> None:
        self.folder = folder
        self.path = folder / (NAME if shard is None else f"clips-{shard.index}-of-{shard.count}.jsonl")
        self._places: dict[str, tuple[Path, int, int]] = {}
        self.torn = False
        """Whether the file to be written ended in the middle of a line when it was read."""
        self.read()

    def read(self) -> None:
        """Look through the files; what cannot be read as a row is left out."""
        self._places.clear()
        for path in self._files():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), path.open("rb") as file:
                start = 0
                for line in file:
                    self._note(path, start, line)
                    start += len(line)
        self.torn = self._ends_within_a_line()

    @property
    def whole(self) -> bool:
        """Whether all rows lie in the whole's own file, each once, with nothing else in it."""
        files = [path for path in self._files() if path.exists()]
        size = sum(length for _, _, length in self._places.values())
        return files == [self.folder / NAME] and files[0].stat().st_size == size

    def _files(self) -> list[Path]:
        parts: list[Path] = []
        with contextlib.suppress(OSError):
            parts = sorted(path for path in self.folder.iterdir() if PARTS.fullmatch(path.name))
        return list(dict.fromkeys([self.folder / NAME, *(p for p in parts if p != self.path), self.path]))

    def _note(self, path: Path, start: int, line: bytes) -> None:
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if line.endswith(b"\n") and isinstance(row, dict) and isinstance(row.get("clip"), str):
                self._places[row["clip"]] = (path, start, len(line))

    def __getitem__(self, clip_id: str) -> dict[str, Any]:
        path, start, length = self._places[clip_id]
        with path.open("rb") as file:
            file.seek(start)
            return json.loads(file.read(length))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _ends_within_a_line(self) -> bool:
        try:
            with self.path.open("rb") as file:
                return end_of_last_line(file) != file.seek(0, os.SEEK_END)
        except (FileNotFoundError, NotADirectoryError):
            return False

    @contextlib.contextmanager
    def appending(self) -> Iterator[Callable[[Row], None]]:
        """Yield ``append(row)``; each row is on disk when it returns. Begins by cutting off a torn line."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                file.truncate(end_of_last_line(file))
                self.torn = False

                def append(row: Row) -> None:
                    line = json.dumps(row, allow_nan=False).encode() + b"\n"
                    try:
                        start = file.seek(0, os.SEEK_END)
                        file.write(line)
                        file.flush()
                        os.fsync(file.fileno())
                    except OSError as error:
                        raise cannot_write(self.path, error) from error
                    self._places[row["clip"]] = (self.path, start, len(line))

                yield append
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def replace(self, rows: Iterable[Row]) -> None:
        """Put these rows in place of all, atomically, e.g. in order and without the shards' files."""
        path = self.folder / NAME
        with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row, allow_nan=False) + "\n")
        for part in self._files():
            if part != path:
                part.unlink(missing_ok=True)
        self.read()


def end_of_last_line(file: Any) -> int:
    """Length of an open binary file up to its last newline."""
    end = file.seek(0, os.SEEK_END)
    step = 1 << 16
    for start in range((end - 1) // step * step, -1, -step) if end else ():
        file.seek(start)
        place = file.read(min(step, end - start)).rfind(b"\n")
        if place >= 0:
            return start + place + 1
    return 0


def cannot_write(path: Path, error: OSError) -> UserError:
    """A full disk or a folder without permission, as ``mardini.files.atomic`` tells it."""
    return UserError(
        f"cannot write {path} ({error.strerror or error}): free space or choose another folder with --output"
    )
