"""Strips of a held-out clip: what was filmed above what the model makes of its first and last frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from mardini.data import Item, to_batch
from mardini.image import write_png
from mardini.masks import mask_from_given
from mardini.model import MarDini
from mardini.sampling import sample
from mardini.stages import Stage
from mardini.strip import strip
from mardini.vae import LatentCodec
from mardini.video import to_uint8


@torch.no_grad()
def write_strip(path: Path, model: MarDini, codec: LatentCodec, item: Item, row: Stage) -> None:
    """Write a PNG with two rows: the frames of ``item``, and the same with all but first and last generated.

    A stage that trains the generator alone is sampled with ``Z_uncond`` as the plan. 25 DDIM steps, noise seed 0.
    """
    frames = to_batch([item])[0]
    mask = mask_from_given(len(frames), (0, len(frames) - 1))
    size = [side // model.config.low_ratio for side in frames.shape[-2:]]
    z, z_low = codec.encode(frames), codec.encode(F.interpolate(frames, size, mode="area"))
    noise = torch.randn(z[mask].shape, generator=torch.Generator().manual_seed(0))
    guidance = 0.0 if row.trains == "generator" else None
    made = sample(model, z[~mask][None], z_low[None], mask, noise[None], guidance=guidance)
    below = frames.clone()
    below[mask] = codec.decode(made[0])
    write_png(path, strip([to_uint8(part) for part in (frames, below)], np.flatnonzero(~mask.numpy())))
