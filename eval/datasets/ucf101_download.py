"""Fetch the 19 videos of UCF101-7 into the cache, out of the archive of all of UCF101 (7 GB).

The archive is the one TensorFlow Datasets reads; its hash is from there. The authors' own UCF101.rar holds the
same videos in folders of classes, and is accepted unpacked as --data-root.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from eval.datasets.archives import Archive, cache_folder, extract, obtain
from eval.datasets.ucf101 import VIDEOS

ARCHIVES = (
    Archive(
        "https://storage.googleapis.com/thumos14_files/UCF101_videos.zip",
        "7.0 GB",
        sha256="dabf56f573cd19c79e096563529fec8126a2a34e18e10c72eb621dd687532b0d",
    ),
)


def place(cache: Path | None = None) -> Path:
    """Where the cache holds the videos, if it does."""
    return cache_folder(cache) / "ucf101" / "UCF101"


def fetch(
    cache: Path | None = None,
    *,
    archives: Sequence[Archive] = ARCHIVES,
    videos: Collection[str] = VIDEOS.keys(),
    progress: bool = True,
) -> Path:
    """The folder ``UCF101`` in the cache, downloaded first if it is not there.

    Args:
        cache: see ``eval.datasets.archives.cache_folder``.
        archives: tried in order.
        videos: names, without ``v_``, of those that must be in the archive; all others are left out.
        progress: show progress on stderr.

    Raises:
        UserError: no archive could be fetched (no network, refused, wrong hash), or it lacks a video.
    """
    wanted = {f"v_{video}.avi" for video in videos}

    def into(member: str) -> str | None:
        name = PurePosixPath(member).name
        return name if name in wanted else None

    def lacking(part: Path) -> Iterator[str]:
        if missing := sorted(wanted - {file.name for file in part.iterdir()}):
            yield f"no {', '.join(missing[:3])}"

    return obtain(
        "UCF101",
        place(cache),
        archives,
        lambda archive, folder: extract(archive, folder, into, lacking),
        "v_*.avi",
        progress,
    )
