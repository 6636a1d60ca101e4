"""Fetch the 50 sequences of DAVIS 2016 into the cache: download, check, unpack only what is used.

Licence: the dataset's pages disagree (BSD, CC BY-NC 4.0, CC BY 4.0), so treat it as research-only and do not
pass it on.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.datasets.davis import SEQUENCES
from mardini.download import DownloadError, download
from mardini.errors import UserError

MEMBER = re.compile(r"(?:[^/]+/)*JPEGImages/480p/(?P<sequence>[^/]+)/(?P<frame>\d{5})\.jpg")


@dataclass(frozen=True)
class Archive:
    """A published zip that holds the frames, and the hash its publisher or users give for it."""

    url: str
    size: str
    sha256: str | None = None
    md5: str | None = None

    @property
    def file(self) -> str:
        """Name under which it lies in the cache until it is unpacked."""
        return self.url.rsplit("/", 1)[-1]


# Hashes: the first from TensorFlow Datasets' checksums, the second from fperazzi/davis, data/get_davis.sh.
ARCHIVES = (
    Archive(
        "https://data.vision.ee.ethz.ch/csergi/share/davis/DAVIS-2017-trainval-480p.zip",
        "0.8 GB",
        sha256="e3d0b5b77c3d031b000a19e0e25e3e2cac65d183755601bc2cf066df1a2aa492",
    ),
    Archive(
        "https://graphics.ethz.ch/Downloads/Data/Davis/DAVIS-data.zip",
        "1.9 GB",
        md5="0cb3cf9c5617209fa3cc4794e52a2ffa",
    ),
)


def cache_folder(cache: Path | None) -> Path:
    """``cache``, else ``MARDINI_DATA``, else ``mardini/data`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
    if chosen := cache or os.environ.get("MARDINI_DATA"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mardini" / "data"


def fetch(
    cache: Path | None = None,
    *,
    archives: Sequence[Archive] = ARCHIVES,
    sequences: Mapping[str, int] = SEQUENCES,
    progress: bool = True,
) -> Path:
    """The folder ``DAVIS`` in the cache, downloaded first if it is not there.

    The folder gets its name only when every frame is in it; an interrupted download goes on where it broke
    off. The archive is removed once unpacked.

    Args:
        cache: see ``cache_folder``.
        archives: tried in order.
        sequences: name -> number of frames of what must be in the archive; all else in it is left out.
        progress: show progress on stderr.

    Raises:
        UserError: no archive could be fetched (no network, refused, wrong hash), or it lacks frames.
    """
    folder = cache_folder(cache) / "davis" / "DAVIS"
    if folder.is_dir():
        return folder
    reasons: list[str] = []
    reached = False
    for archive in archives:
        target = folder.parent / archive.file
        try:
            download(archive.url, target, sha256=archive.sha256, md5=archive.md5, progress=progress)
        except DownloadError as error:
            reasons.append(str(error))
            reached |= not error.unreachable
            continue
        unpack(target, folder, sequences)
        target.unlink()
        return folder
    reason = "; ".join(reasons) if reached else "no server can be reached"
    raise UserError(
        f"DAVIS could not be downloaded ({reason}): get {archives[0].url} ({archives[0].size}) "
        "another way, unpack it, and give the folder that holds JPEGImages/480p as --data-root, "
        f"or put it at {folder}"
    )


def unpack(archive: Path, folder: Path, sequences: Mapping[str, int]) -> None:
    """Unpack ``JPEGImages/480p`` of the named sequences into ``folder``, which appears only when complete.

    Paths in the archive are never used as such: sequence and frame number are taken from them, and checked.
    """
    part = folder.with_name(folder.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        with zipfile.ZipFile(archive) as zipped:
            for member in zipped.namelist():
                match = MEMBER.fullmatch(member)
                if not match or match["sequence"] not in sequences:
                    continue
                target = part / "JPEGImages" / "480p" / match["sequence"] / f"{match['frame']}.jpg"
                target.parent.mkdir(parents=True, exist_ok=True)
                with zipped.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
        for name, frames in sequences.items():
            found = len(list((part / "JPEGImages" / "480p" / name).glob("*.jpg")))
            if found != frames:
                raise UserError(
                    f"{archive} has {found} frames of sequence '{name}' instead of {frames}: "
                    "delete it and try again"
                )
        part.replace(folder)
    except zipfile.BadZipFile as error:
        raise UserError(f"{archive} is damaged ({error}): delete it and try again") from error
    except OSError as error:
        raise UserError(
            f"cannot unpack {archive} to {folder} ({error.strerror or error}): free space, "
            "or choose another cache with MARDINI_DATA"
        ) from error
