"""Fetch the 50 sequences of DAVIS 2016 into the cache: download, check, unpack only what is used.

Licence: the dataset's pages disagree (BSD, CC BY-NC 4.0, CC BY 4.0), so treat it as research-only and do not
pass it on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from eval.datasets.archives import Archive, cache_folder, extract, obtain
from eval.datasets.davis import SEQUENCES

MEMBER = re.compile(r"(?:[^/]+/)*JPEGImages/480p/(?P<sequence>[^/]+)/(?P<frame>\d{5})\.jpg")

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


def place(cache: Path | None = None) -> Path:
    """Where the cache holds DAVIS, if it does."""
    return cache_folder(cache) / "davis" / "DAVIS"


def fetch(
    cache: Path | None = None,
    *,
    archives: Sequence[Archive] = ARCHIVES,
    sequences: Mapping[str, int] = SEQUENCES,
    progress: bool = True,
) -> Path:
    """The folder ``DAVIS`` in the cache, downloaded first if it is not there.

    Args:
        cache: see ``eval.datasets.archives.cache_folder``.
        archives: tried in order.
        sequences: name -> number of frames of what must be in the archive; all else in it is left out.
        progress: show progress on stderr.

    Raises:
        UserError: no archive could be fetched (no network, refused, wrong hash), or it lacks frames.
    """
    return obtain(
        "DAVIS",
        place(cache),
        archives,
        lambda archive, folder: unpack(archive, folder, sequences),
        "JPEGImages/480p",
        progress,
    )


def unpack(archive: Path, folder: Path, sequences: Mapping[str, int]) -> None:
    """Unpack ``JPEGImages/480p`` of the named sequences into ``folder``, which appears only when complete."""

    def wanted(member: str) -> str | None:
        match = MEMBER.fullmatch(member)
        if not match or match["sequence"] not in sequences:
            return None
        return f"JPEGImages/480p/{match['sequence']}/{match['frame']}.jpg"

    def lacking(part: Path) -> Iterator[str]:
        for name, frames in sequences.items():
            found = len(list((part / "JPEGImages" / "480p" / name).glob("*.jpg")))
            if found != frames:
                yield f"{found} frames of sequence '{name}' instead of {frames}"

    extract(archive, folder, wanted, lacking)
