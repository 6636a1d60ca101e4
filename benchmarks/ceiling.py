"""What a perfect model would score: the true frames through a codec, as the pipeline decodes them.

That is, one whose every latent is the true frame's. Beside it ``repeat``, whose frames are real ones: where those are
ahead in a distance of sets, a model on this codec cannot be expected to pass them there, however well it moves things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import quality
from benchmarks.suite import Context, Outcome, Shown, Suite
from mardini.shipped import CODECS, shipped

if TYPE_CHECKING:
    import numpy as np

    from eval.datasets.base import Dataset
    from eval.systems.base import Task

WORK = 128
"""Pixels of the shorter side at which the pipeline works: that of ``mini``."""


@dataclass(frozen=True)
class Cell:
    """Clips of ``size`` pixels on the shorter side, ``clips`` of them (0: all), and a ``codec`` that ships.

    ``detail``: the share of given frames' detail that is carried over, as in the pipeline.
    """

    dataset: str
    size: int
    clips: int
    codec: str
    detail: float


class Coded:
    """The true clip, coded and decoded; not a method, since it sees what it has to complete."""

    name = variant = "coded"

    def __init__(self, dataset: Dataset, codec: str, detail: float) -> None:
        from mardini.codecs import load_codec

        self.clips = {clip.id: clip for clip in dataset.clips}
        self.codec_name, self.detail = codec, detail
        self.codec = load_codec(shipped(codec))

    def describe(self) -> dict[str, Any]:
        return {
            "system": self.name,
            "version": 1,
            "work": WORK,
            "detail": self.detail,
            **quality.weights(self.codec_name),
        }

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        return [self._coded(task) for task in tasks]

    def _coded(self, task: Task) -> np.ndarray:
        import numpy as np
        import torch

        from mardini.detail import carry_detail
        from mardini.vae import FACTOR
        from mardini.video import resize, to_float, to_uint8
        from mardini.windows import padded, working_size

        true = self.clips[task.clip_id].load()
        size = (true.shape[1], true.shape[2])
        work = working_size(size, WORK)
        with torch.no_grad():
            frames = to_float(padded(resize(true, work), FACTOR))
            decoded = self.codec.decode(self.codec.encode(frames))
        coded = resize(to_uint8(decoded)[:, : work[0], : work[1]], size)
        mask = np.isin(np.arange(len(true)), list(task.given), invert=True)
        if self.detail:
            coded[mask] = carry_detail(coded[mask], true[~mask], coded[~mask], mask, self.detail)
        return coded


def measure(cell: Cell, context: Context) -> Outcome:
    """Every column of the toolkit's tables for interpolation, of both: ``fvd_random`` and ``repeat_fvd_random``."""
    from eval.datasets import load_dataset
    from eval.protocols import protocol_for
    from eval.systems.baselines import Repeat

    limit = cell.clips or None
    dataset = load_dataset(cell.dataset, data_root=context.data_root, limit=limit, side=cell.size)
    protocol = protocol_for("interpolation", cell.dataset, side=cell.size)
    values: dict[str, Any] = {}
    clips = f"{cell.dataset}-{cell.size}-{cell.clips}"
    for prefix, name, system in (
        ("", f"{cell.codec}-{cell.detail:g}", Coded(dataset, cell.codec, cell.detail)),
        ("repeat_", "repeat", Repeat()),  # the same for all codecs: found done from the second cell on
    ):
        record = quality.score(
            dataset,
            protocol,
            system,
            context.cache / "ceiling" / clips / name,
            metrics=("psnr", "ssim", "lpips", "fid", "fvd"),
            limit=limit,
            device=context.device,
        )
        values |= {prefix + name: told for name, told in quality.values(record).items()}
    return Outcome(values, {"work": WORK, "dataset": dataset.fingerprint}, quality.weights(cell.codec))


def axes(device: str) -> dict[str, tuple[Any, ...]]:
    """Values of every field of a cell, where ``--with`` gives no others."""
    return {
        "dataset": ("synthetic",),
        "size": (64, 128),
        "clips": (64,),
        "codec": CODECS,
        "detail": (0.0, 1.0),
    }


SUITE = Suite(
    name="ceiling",
    line="what a perfect model on a shipped codec would score, beside the nearest given frame",
    cell=Cell,
    axes=axes,
    measure=measure,
    shown=(
        Shown("psnr_clip", "PSNR"),
        Shown("ssim_vidim_mid", "SSIM mid", 3),
        Shown("lpips_alex_random_all", "LPIPS random", 3),
        Shown("fvd_random", "FVD random"),
        Shown("repeat_fvd_random", "of repeat"),
    ),
    inputs=lambda cell: quality.weights(cell.codec),
    work=lambda cell: cell.size**2 * (cell.clips or 30),
)
