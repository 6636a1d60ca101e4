"""Datasets by name. Only the module of the dataset asked for is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eval.datasets.base import Clip, Dataset
from mardini.errors import unknown

__all__ = ["DATASETS", "Clip", "Dataset", "DatasetInfo", "load_dataset"]


@dataclass(frozen=True)
class DatasetInfo:
    """What can be said of a dataset without touching its files.

    Attributes:
        name: as on the command line.
        line: what it is, in one line.
        protocol: key into ``eval.protocols.PROTOCOLS``.
        origin: ``generated`` (nothing needed), ``download`` (fetched when no ``--data-root`` is given) or
            ``root`` (``--data-root`` is needed).
        default_clips: how many clips it has when nothing else is said; ``None``: as many as the root holds.
    """

    name: str
    line: str
    protocol: str
    origin: str
    default_clips: int | None = None


DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo("synthetic", "procedural video with exact in-betweens", "synthetic-7/v1", "generated", 8),
        DatasetInfo("davis", "DAVIS-7 of VIDIM-Bench: 357 real clips", "davis-7/v1", "download", 357),
        DatasetInfo("vidim", "the samples on VIDIM's web site, with five methods", "vidim-7/v1", "root"),
        DatasetInfo("folder", "any folder of videos or of frame folders", "folder-7/v1", "root"),
    )
}


def load_dataset(
    name: str,
    *,
    data_root: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    cache: Path | None = None,
) -> Dataset:
    """List the clips of a dataset. Cheap: frames are decoded (or drawn) by ``clip.load()`` only.

    Args:
        name: a key of ``DATASETS``.
        data_root: folder with the data; ``None`` means generated, cached or downloaded data.
        limit: keep at most this many clips. Real data: evenly spaced over the sorted ids, so that as many
            source videos as possible are among them. Generated data: exactly this many clips.
        seed: of generated data; real data ignores it.
        cache: folder for downloaded data, default ``MARDINI_DATA`` or ``~/.cache/mardini/data``.

    Raises:
        UserError: unknown name, data missing or damaged, ``limit`` below 1.
    """
    if name == "synthetic":
        from eval.datasets import synthetic

        return synthetic.load(data_root, limit=limit, seed=seed)
    if name == "davis":
        from eval.datasets import davis

        return davis.load(data_root, limit=limit, cache=cache)
    if name == "vidim":
        from eval.datasets import vidim

        return vidim.load(data_root, limit=limit)
    if name == "folder":
        from eval.datasets import folder

        return folder.load(data_root, limit=limit)
    raise unknown("dataset", name, DATASETS)
