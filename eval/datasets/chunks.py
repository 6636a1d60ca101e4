"""What the datasets share: cutting a video into clips, keeping a spread subset, hashing the files used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from mardini.errors import UserError
from mardini.files import sha256, sha256_of

Item = TypeVar("Item")


def starts(frames: int, length: int) -> range:
    """First frames of the non-overlapping, stride-1 clips of ``length`` frames of a video of ``frames`` frames.

    The remainder is dropped, as VIDIM-Bench's DAVIS-7 script does.
    """
    return range(0, frames - length + 1, length)


def too_short(name: str, frames: int, length: int) -> UserError:
    """Error for a video that yields no clip at all."""
    return UserError(
        f"{name} has {frames} frame{'s' if frames != 1 else ''}, fewer than the {length} of one clip: "
        "remove it, or give the whole video"
    )


def spread(items: Sequence[Item], limit: int | None) -> list[Item]:
    """At most ``limit`` of ``items``, evenly spaced and beginning with the first; ``None`` keeps all.

    Over clips sorted by id this takes clips of as many source videos as possible, and always the same ones.

    Raises:
        UserError: ``limit`` is below 1.
    """
    if limit is None:
        return list(items)
    if limit < 1:
        raise UserError(f"a limit of {limit} clips leaves nothing to score: give --limit 1 or more")
    count = min(limit, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def limited(kept: int, available: int) -> list[str]:
    """The notice that goes with a subset; empty when nothing was left out."""
    if kept == available:
        return []
    return [f"{kept} of {available} clips are used, evenly spaced over the sorted ids, as --limit asks"]


def content_hash(root: Path, files: Iterable[Path]) -> str:
    """SHA-256 over the names below ``root`` and the bytes of ``files``; their order does not matter."""
    parts: list[str] = []
    for name, file in sorted((file.relative_to(root).as_posix(), file) for file in set(files)):
        try:
            parts += [name, sha256(file)]
        except OSError as error:
            raise UserError(
                f"cannot read {file} ({error.strerror}): check that it is there and readable"
            ) from error
    return sha256_of(parts)


def folder_of(dataset: str, root: Path | None, wanted: str) -> Path:
    """``root`` as an existing folder; ``wanted`` says in words what it should hold.

    Raises:
        UserError: no root was given, it does not exist, is no folder, or is empty.
    """
    if root is None:
        raise UserError(
            f"dataset '{dataset}' has no data of its own: give --data-root, a folder with {wanted}"
        )
    root = Path(root).expanduser()
    if not root.exists():
        raise UserError(f"data root {root} does not exist: give --data-root, a folder with {wanted}")
    if not root.is_dir():
        raise UserError(f"data root {root} is not a folder: give --data-root, a folder with {wanted}")
    if not any(visible(root)):
        raise UserError(f"data root {root} is empty: put there, or give another --data-root with, {wanted}")
    return root


def visible(folder: Path) -> list[Path]:
    """Entries of ``folder`` sorted by name, hidden ones left out."""
    return sorted(
        (entry for entry in folder.iterdir() if not entry.name.startswith(".")), key=lambda e: e.name
    )
