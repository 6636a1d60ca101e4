"""Datasets by name. Only the module of the dataset asked for is imported."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from eval.datasets.aliases import ALIASES, stands_for
from eval.datasets.base import Clip, Dataset
from mardini.errors import UserError, unknown

__all__ = ["ALIASES", "DATASETS", "Clip", "Dataset", "DatasetInfo", "load_dataset", "stands_for"]


@dataclass(frozen=True)
class DatasetInfo:
    """What can be said of a dataset without touching its files.

    Attributes:
        name: as on the command line.
        line: what it is, in one line.
        origin: ``generated`` (nothing needed), ``download`` (fetched when no ``--data-root`` is given) or
            ``root`` (``--data-root`` is needed).
        source: where the way its clips are cut and resized is defined.
        version: of that way; part of every protocol's id.
        frames: of a clip, when nothing else is said.
        any_length: whether clips of another length can be cut.
        size: (height, width) of its clips; ``None``: as the files are.
        features: which detectors are used when the user does not say.
        default_clips: how many clips it has when nothing else is said; ``None``: as many as the root holds.
        truth: whether its clips are videos; ``False``: single images, to be continued.
        cached: where a download of it lies, below ``eval.datasets.archives.cache_folder``; empty: nowhere.
    """

    name: str
    line: str
    origin: str
    source: str
    version: str = "v1"
    frames: int = 9
    any_length: bool = True
    size: tuple[int, int] | None = None
    features: str = "pretrained"
    default_clips: int | None = None
    truth: bool = True
    cached: str = ""

    def shrinks(self, side: int | None) -> bool:
        """Whether its clips are changed where ``side`` pixels on the shorter side are asked for."""
        return side is not None and (self.size is None or side != min(self.size))


_VBENCH = "VBench-I2V (Huang et al. 2024, arXiv:2411.13503)"
_VIDIM = "VIDIM-Bench (Jain et al. 2024, arXiv:2404.01203), as used by MarDini (arXiv:2410.20280, appendix D)"

DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            "synthetic",
            "procedural video with exact in-betweens",
            "generated",
            "mardini.synthetic, seeded procedural video",
            size=(128, 128),
            features="random",
            default_clips=8,
        ),
        DatasetInfo(
            "davis",
            "DAVIS-7 of VIDIM-Bench: 357 real clips",
            "download",
            _VIDIM + ", DAVIS-7 script",
            size=(256, 256),
            default_clips=357,
            cached="davis/DAVIS",
        ),
        DatasetInfo(
            "ucf101",
            "UCF101-7 of VIDIM-Bench: 400 real clips of a frozen list",
            "download",
            _VIDIM + ", UCF101-7 script",
            size=(256, 256),
            default_clips=400,
            cached="ucf101/UCF101",
        ),
        DatasetInfo(
            "vidim",
            "the samples on VIDIM's web site, with five methods",
            "root",
            _VIDIM + ", the samples on its web site",
            any_length=False,
        ),
        DatasetInfo(
            "folder",
            "any folder of videos or of frame folders",
            "root",
            "any folder of clips, cut as DAVIS-7",
        ),
        *(
            DatasetInfo(
                f"vbench-i2v{suffix}",
                f"VBench-I2V's image suite: 355 pictures, {what}",
                "root",
                f"{_VBENCH}, {what}",
                size=size,
                default_clips=355,
                truth=False,
            )
            for suffix, what, size in (
                ("", "1:1 crops", (512, 512)),
                ("-8-5", "8:5 crops", (320, 512)),
                ("-7-4", "7:4 crops", (320, 560)),
                ("-16-9", "16:9 crops", (576, 1024)),
                ("-origin", "not cropped", None),
            )
        ),
        DatasetInfo(
            "images", "any folder of pictures, to be continued", "root", "any folder of pictures", truth=False
        ),
    )
}


def load_dataset(
    name: str,
    *,
    data_root: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    frames: int | None = None,
    cache: Path | None = None,
    side: int | None = None,
) -> Dataset:
    """List the clips of a dataset. Cheap: frames are decoded (or drawn) by ``clip.load()`` only.

    Args:
        name: a key of ``DATASETS``, or of ``ALIASES``.
        data_root: folder with the data; ``None`` means generated, cached or downloaded data.
        limit: keep at most this many clips. Real data: evenly spaced over the sorted ids, so that as many
            source videos as possible are among them. Generated data: exactly this many clips.
        seed: of generated data; real data ignores it.
        frames: of a clip; default: the dataset's own.
        cache: folder for downloaded data, default ``MARDINI_DATA`` or ``~/.cache/mardini/data``.
        side: shrink all clips to so many pixels on the shorter side; default: the dataset's own size.

    Raises:
        UserError: unknown name, data missing or damaged, ``limit`` below 1, clips of a length it does not have, or
            smaller than ``side``.
    """
    asked = name
    name, said = stands_for(name, data_root)
    if name not in DATASETS:
        raise unknown("dataset", name, [*DATASETS, *ALIASES])
    info = DATASETS[name]
    frames = info.frames if frames is None else frames
    if frames != info.frames and not info.any_length:
        raise UserError(
            f"dataset '{name}' has clips of {info.frames} frames, not {frames}: leave out --frames"
        )
    dataset = _load(name, data_root, limit, seed, frames, cache)
    if not dataset.clips:
        raise UserError(
            f"dataset '{name}' holds no clip of {frames} frames, its videos are shorter: give fewer --frames"
        )
    if said:
        notices, details = [said, *dataset.notices], {**dataset.details, "asked_for": asked}
        dataset = dataclasses.replace(dataset, notices=notices, details=details)
    if side is None or not info.shrinks(side):
        return dataset
    from eval.datasets.shrunk import shrunk

    return shrunk(dataset, side)


def _load(
    name: str, data_root: Path | None, limit: int | None, seed: int, frames: int, cache: Path | None
) -> Dataset:
    if name == "synthetic":
        from eval.datasets import synthetic

        return synthetic.load(data_root, limit=limit, seed=seed, frames=frames)
    if name == "davis":
        from eval.datasets import davis

        return davis.load(data_root, limit=limit, cache=cache, frames=frames)
    if name == "ucf101":
        from eval.datasets import ucf101

        return ucf101.load(data_root, limit=limit, cache=cache, frames=frames)
    if name == "vidim":
        from eval.datasets import vidim

        return vidim.load(data_root, limit=limit)
    if name == "images":
        from eval.datasets import images

        return images.load(data_root, limit=limit)
    if name.startswith("vbench-i2v"):
        from eval.datasets import vbench_i2v

        ratio = name.removeprefix("vbench-i2v").removeprefix("-") or "1-1"
        return vbench_i2v.load(data_root, ratio=ratio, limit=limit)
    from eval.datasets import folder

    return folder.load(data_root, limit=limit, frames=frames)
