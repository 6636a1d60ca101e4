"""One run in several processes: which clips are whose, and who may write where.

``--shard 0/4`` ... ``--shard 3/4`` on any machines that share (or later copy together) the output folder, or
``torchrun --nproc-per-node 4 -m eval.interpolation ...``. Each process leaves its clips' rows, predictions and
features; the same command without ``--shard`` finds them and writes the record that one process would have
written. Under torchrun the first process does that when all are done.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mardini.errors import UserError
from mardini.files import has_its_name

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """Part ``index`` (from 0) of ``count``."""

    index: int
    count: int

    def of(self, items: Sequence[Item]) -> list[Item]:
        """This part: contiguous, so that clips of one video stay together; all parts make up the whole."""
        first, last = (len(items) * place // self.count for place in (self.index, self.index + 1))
        return list(items[first:last])

    @staticmethod
    def parse(text: str) -> Shard:
        """``1/4``: the second of four."""
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if not match or int(match[1]) >= int(match[2]):
            raise UserError(
                f"--shard {text}: give a part and their number, parts counted from 0, such as 0/4 or 3/4"
            )
        return Shard(int(match[1]), int(match[2]))


def launched() -> Shard | None:
    """This process's part of a run that torchrun started; ``None`` outside one or in one of a single process."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    return Shard(int(os.environ["RANK"]), count) if count > 1 and "RANK" in os.environ else None


def local_device(device: str) -> str:
    """``cuda`` becomes this process's own GPU of those on its machine."""
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Leave only when all processes that torchrun started arrive here, however long the others need."""
    import torch.distributed as dist

    dist.init_process_group("gloo", timeout=datetime.timedelta(days=30))
    try:
        yield
        dist.barrier()
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def claim(folder: Path, shard: Shard | None) -> Iterator[None]:
    """Hold ``folder`` while working in it: shards side by side, a whole run alone.

    Two runs that write the same rows would undo each other's work.

    Raises:
        UserError: another process holds it.
    """
    import fcntl

    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            whole = stack.enter_context((folder / ".lock").open("ab"))
            part = None
            if shard is not None:
                part = stack.enter_context((folder / f".lock-{shard.index}-of-{shard.count}").open("ab"))
        except OSError as error:
            raise UserError(
                f"cannot write {folder} ({error.strerror or error}): free space or choose another folder with "
                "--output"
            ) from error
        try:
            fcntl.flock(whole, fcntl.LOCK_NB | (fcntl.LOCK_EX if shard is None else fcntl.LOCK_SH))
            if part is not None:
                fcntl.flock(part, fcntl.LOCK_NB | fcntl.LOCK_EX)
            if not all(has_its_name(file) for file in (whole, part) if file is not None):
                raise BlockingIOError  # removed by a run that ended meanwhile: a lock on it holds nobody back
        except BlockingIOError as error:
            raise UserError(
                f"another run is at work in {folder}: wait for it to end, or choose another folder with --output"
            ) from error
        except OSError as error:
            raise UserError(
                f"{folder} cannot be locked ({error.strerror or error}), as some network file systems cannot: choose "
                "another folder with --output"
            ) from error
        yield
        if shard is None:
            for path in folder.glob(".lock*"):
                path.unlink(missing_ok=True)
