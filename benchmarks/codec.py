"""Reconstruction by the shipped codecs against the best linear one of equal size: a PCA of 8 x 8 x 3 blocks.

The PCA is fitted to the very frames it is judged on, so no linear code of such blocks does better on them. Ours has
not seen them; its latents are those of the encoder, or refined (``mardini/refinement.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import quality
from benchmarks.suite import Context, Outcome, Shown, Suite, entry
from mardini.errors import UserError
from mardini.shipped import CODECS, shipped

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from mardini.vae import LatentCodec

FRAMES_AT_ONCE = 8
EMBEDDED = 128
"""Pixels a side of the embedded clips."""


@dataclass(frozen=True)
class Cell:
    """Squares of ``size`` pixels a side from the frames of ``clips`` clips; 0: of all. A shipped ``codec``, and so many
    steps of ``refinement`` of its latents."""

    dataset: str
    size: int
    clips: int
    codec: str
    refinement: int


def measure(cell: Cell, context: Context) -> Outcome:
    """PSNR of both, error pooled over all frames, and their difference with an interval over source videos."""
    import numpy as np
    import torch

    from eval.datasets import load_dataset
    from eval.metrics.pixel import psnr_from_mse
    from eval.statistics import draw_sources
    from mardini.codecs import load_codec
    from mardini.vae import LatentCodec

    dataset = load_dataset(cell.dataset, data_root=context.data_root, limit=cell.clips or None)
    codec = load_codec(shipped(cell.codec))
    assert isinstance(codec, LatentCodec)
    clips = [squares(clip.load(), cell.size) for clip in dataset.clips]
    with torch.no_grad():
        ours = [float(((clip - reconstructed(codec, clip, cell.refinement)) ** 2).mean()) for clip in clips]
        linear = pca_errors(clips, codec.config.channels)
    sources = [clip.source for clip in dataset.clips]
    ours, linear = ([255**2 * error for error in side] for side in (ours, linear))
    own, other = (float(psnr_from_mse(float(np.mean(side)))) for side in (ours, linear))
    draws = [
        draw_sources(side, sources) for side in (ours, linear)
    ]  # of the same sources: the seed is the same
    gains = [psnr_from_mse(means) for means in draws if means is not None]
    low, high = np.quantile(gains[0] - gains[1], [0.025, 0.975]).tolist() if gains else (None, None)
    values = {
        "psnr": entry(own),
        "psnr_pca": entry(other),
        "gain": entry(own - other, low=low, high=high, n=len(clips)),
    }
    details = {
        "frames": sum(map(len, clips)),
        "channels": codec.config.channels,
        "dataset": dataset.fingerprint,
    }
    return Outcome(values, details, quality.weights(cell.codec))


def squares(frames: np.ndarray, size: int) -> Tensor:
    """The middle square of every frame by averaging, float32 (T, 3, size, size) in [0, 1]."""
    import cv2
    import numpy as np

    from mardini.video import to_float

    side = min(frames.shape[1:3])
    if size > side:
        raise UserError(f"frames of {side} px hold no squares of {size}: choose --with size={side} or less")
    top, left = ((length - side) // 2 for length in frames.shape[1:3])
    cut = frames[:, top : top + side, left : left + side]
    return to_float(
        np.stack([cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA) for frame in cut])
    )


def reconstructed(codec: LatentCodec, clip: Tensor, refinement: int = 0) -> Tensor:
    """Encoded, refined, decoded, and cut to [0, 1]."""
    from mardini.codecs import in_slices
    from mardini.refinement import refined

    return in_slices(
        lambda part: codec.decode(refined(codec, part, refinement)).clamp(0, 1), clip, FRAMES_AT_ONCE
    )


def pca_errors(clips: list[Tensor], channels: int) -> list[float]:
    """Mean squared error of each clip by the ``channels`` principal components of all blocks."""
    import torch
    from torch.nn.functional import pixel_unshuffle

    from mardini.vae import FACTOR

    blocks = [pixel_unshuffle(clip.double(), FACTOR).movedim(1, -1).flatten(0, -2) for clip in clips]
    mean = torch.cat(blocks).mean(0)
    centred = [part - mean for part in blocks]
    moments = sum(
        (part.T @ part for part in centred), start=torch.zeros(len(mean), len(mean), dtype=mean.dtype)
    )
    basis = torch.linalg.eigh(moments)[1][:, -channels:]
    return [float(((part - part @ basis @ basis.T) ** 2).mean()) for part in centred]


def axes(device: str) -> dict[str, tuple[Any, ...]]:
    """Values of every field of a cell, where ``--with`` gives no others."""
    return {
        "dataset": ("synthetic",),
        "size": (64, 128, 256),
        "clips": (0,),
        "codec": CODECS,
        "refinement": (0, 20),
    }


def allowed(cell: Cell) -> bool:
    """Embedded clips are of 128 px; enlarged ones would be of pixels that stand four by four."""
    return cell.dataset != "synthetic" or cell.size <= EMBEDDED


SUITE = Suite(
    name="codec",
    line="reconstruction by the shipped codecs against a PCA of equal size",
    cell=Cell,
    axes=axes,
    measure=measure,
    on_gpu=False,
    shown=(Shown("psnr", "PSNR"), Shown("psnr_pca", "PCA"), Shown("gain", "gain")),
    inputs=lambda cell: quality.weights(cell.codec),
    allowed=allowed,
    work=lambda cell: cell.size**2 * (1 + 3 * cell.refinement),
    alike=("codec",),
)
