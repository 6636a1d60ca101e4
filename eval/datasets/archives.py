"""Published archives: fetched into the cache, checked by hash, and unpacked so far as they are used.

A folder gets its name only when everything wanted is in it; an interrupted download goes on where it broke
off; the archive is removed once unpacked.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.weights import offline
from mardini.download import DownloadError, download, held
from mardini.errors import UserError


@dataclass(frozen=True)
class Archive:
    """A published zip, and the hash its publisher or users give for it."""

    url: str
    size: str
    sha256: str | None = None
    md5: str | None = None

    @property
    def file(self) -> str:
        """Name under which it lies in the cache until it is unpacked."""
        return self.url.rsplit("/", 1)[-1]


def cache_folder(cache: Path | None = None) -> Path:
    """``cache``, else ``MARDINI_DATA``, else ``mardini/data`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
    if chosen := cache or os.environ.get("MARDINI_DATA"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mardini" / "data"


def obtain(
    name: str,
    folder: Path,
    archives: Sequence[Archive],
    unpack: Callable[[Path, Path], None],
    holds: str,
    progress: bool = True,
) -> Path:
    """``folder``, which is downloaded and unpacked first if it is not there.

    Args:
        name: of the dataset, for messages.
        folder: in the cache.
        archives: tried in order.
        unpack: called with the archive and ``folder``, which it makes.
        holds: what the user's own folder must hold, to be given as --data-root.
        progress: show progress on stderr.

    Raises:
        UserError: no archive could be fetched (no network, refused, wrong hash); whatever ``unpack`` raises.
    """
    if folder.is_dir():
        return folder
    lock = folder.with_name(f".{folder.name}.lock")
    with held(lock, f"downloading and unpacking {name}"):
        try:
            return folder if folder.is_dir() else _fetched(name, folder, archives, unpack, holds, progress)
        finally:
            lock.unlink(missing_ok=True)


def _fetched(
    name: str,
    folder: Path,
    archives: Sequence[Archive],
    unpack: Callable[[Path, Path], None],
    holds: str,
    progress: bool,
) -> Path:
    reasons: list[str] = []
    reached = False
    for archive in () if offline() else archives:
        target = folder.parent / archive.file
        try:
            download(archive.url, target, sha256=archive.sha256, md5=archive.md5, progress=progress)
        except DownloadError as error:
            reasons.append(str(error))
            reached |= not error.unreachable
            continue
        unpack(target, folder)
        target.unlink()
        return folder
    reason = "MARDINI_OFFLINE forbids it" if offline() else "no server can be reached"
    reason = "; ".join(reasons) if reached else reason
    raise UserError(
        f"{name} could not be downloaded ({reason}): get {archives[0].url} ({archives[0].size}) "
        f"another way, unpack it, and give the folder that holds {holds} as --data-root, "
        f"or put it at {folder}"
    )


def extract(
    archive: Path, folder: Path, place: Callable[[str], str | None], lacking: Callable[[Path], Iterable[str]]
) -> None:
    """Unpack some members of a zip into ``folder``, which appears only when nothing is lacking in it.

    Paths in the archive are never used as such.

    Args:
        place: from a member's name to the path below ``folder`` that it goes to, or ``None`` to leave it out.
        lacking: what a folder does not hold of what it should, in words.

    Raises:
        UserError: the archive is damaged or lacks something, or ``folder`` cannot be written.
    """
    part = folder.with_name(folder.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        with zipfile.ZipFile(archive) as zipped:
            for member in zipped.namelist():
                if (name := place(member)) is not None:
                    target = part / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with zipped.open(member) as source, target.open("wb") as copy:
                        shutil.copyfileobj(source, copy)
        for what in lacking(part):
            raise UserError(f"{archive} has {what}: delete it and try again")
        part.replace(folder)
    except zipfile.BadZipFile as error:
        raise UserError(f"{archive} is damaged ({error}): delete it and try again") from error
    except OSError as error:
        raise UserError(
            f"cannot unpack {archive} to {folder} ({error.strerror or error}): free space, "
            "or choose another cache with MARDINI_DATA"
        ) from error
