"""Frames in, frames out: the tasks of the model as one class.

pipeline = MarDiniPipeline.from_pretrained()              # the checkpoint that comes with the package
clip = pipeline.interpolate(first, last, 7, seed=0)       # 9 frames, first and last unchanged
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mardini import checkpoint
from mardini.errors import UserError
from mardini.masks import mask_from_given
from mardini.model import MarDini
from mardini.sampling import sample
from mardini.vae import FACTOR, LatentCodec
from mardini.video import resize, to_float, to_uint8


class MarDiniPipeline:
    """A model and its codec, from uint8 frames to uint8 frames.

    Frames of any size are accepted: they are resized so that the shorter side has the resolution that the model
    was trained at (or ``resolution``), and what is generated is resized back. Given frames return untouched.
    """

    def __init__(self, model: MarDini, codec: LatentCodec, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self.model = model.eval().to(self.device)
        self.codec = codec.eval().to(self.device)

    @classmethod
    def from_pretrained(
        cls, folder: str | Path | None = None, device: str | torch.device = "cpu"
    ) -> MarDiniPipeline:
        """From a checkpoint folder (``None``: the one that comes with the package)."""
        return cls(*checkpoint.load(None if folder is None else Path(folder)), device=device)

    def interpolate(self, first: np.ndarray, last: np.ndarray, n: int = 7, **options: object) -> np.ndarray:
        """``n`` frames between two: uint8 (H, W, 3) twice -> uint8 (n + 2, H, W, 3). Options as in :meth:`fill`."""
        if n < 1:
            raise UserError(f"{n} frames asked for between two: ask for at least 1")
        frames = np.zeros((n + 2, *first.shape), np.uint8)
        frames[0], frames[-1] = first, last
        return self.fill(frames, (0, n + 1), **options)  # pyright: ignore[reportArgumentType]

    def fill(
        self,
        frames: np.ndarray,
        given: Sequence[int],
        seed: int = 0,
        steps: int = 25,
        guidance: float | None = None,
        resolution: int | None = None,
    ) -> np.ndarray:
        """Generate all frames of a window that are not given.

        Args:
            frames: uint8 (K, H, W, 3); only the given ones are read.
            given: their indices, 0-based, at any places.
            seed: of the noise; the same seed gives the same frames.
            steps: DDIM steps, 1 to 1000.
            guidance: scale of classifier-free guidance on the plan; ``None``: none (paper: none to interpolate).
            resolution: pixels of the shorter side at which to work; default: as trained.

        Returns:
            uint8 (K, H, W, 3); given frames unchanged.
        """
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
            raise UserError(
                f"frames are {frames.dtype} of shape {frames.shape}: give uint8 RGB of shape (K, H, W, 3)"
            )
        mask = mask_from_given(len(frames), given)
        height, width = frames.shape[1:3]
        work = self._working_size(height, width, resolution or self.model.config.resolution)
        references = to_float(resize(frames[~mask.numpy()], work)).to(self.device)
        z_given, z_low = self._encode(references, mask)
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn((1, int(mask.sum()), *z_given.shape[2:]), generator=generator).to(self.device)
        z = sample(self.model, z_given, z_low, mask.to(self.device), noise, steps, guidance)
        with torch.no_grad():
            made = to_uint8(self.codec.decode(z[0]).cpu())
        result = frames.copy()
        result[mask.numpy()] = resize(made, (height, width))
        return result

    def _working_size(self, height: int, width: int, resolution: int) -> tuple[int, int]:
        """Size near ``resolution`` on the shorter side whose latents divide into the planner's grid."""
        unit = FACTOR * self.model.config.low_ratio
        scale = resolution / min(height, width)
        rows, columns = (max(unit, round(side * scale / unit) * unit) for side in (height, width))
        return rows, columns

    @torch.no_grad()
    def _encode(self, references: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Latents of the given frames (1, R, c, H, W), and of the whole window at low resolution (1, K, c, h, w)."""
        z_given = self.codec.encode(references)
        ratio = self.model.config.low_ratio
        low = torch.nn.functional.interpolate(
            references, [side // ratio for side in references.shape[-2:]], mode="area"
        )
        z = self.codec.encode(low)
        z_low = z.new_zeros(len(mask), *z.shape[1:])
        z_low[(~mask).to(z.device)] = z
        return z_given[None], z_low[None]
