"""Frame masks: which frames of a window are generated (masked) and which are given (references).

A mask is boolean over frames, **True = masked**. Planner and generator share it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from mardini.errors import UserError


def mask_from_given(frames: int, given: Iterable[int]) -> Tensor:
    """Mask of a window of ``frames`` frames whose ``given`` indices (0-based) are references. Shape (K,), bool."""
    given = sorted(set(given))
    if not given or given[0] < 0 or given[-1] >= frames:
        raise UserError(
            f"given frames {given} do not fit a window of {frames}: name at least one of 0 to {frames - 1}"
        )
    if len(given) == frames:
        raise UserError(
            f"all {frames} frames are given: leave at least one out, there is nothing to generate"
        )
    mask = torch.ones(frames, dtype=torch.bool)
    mask[given] = False
    return mask


def sample_masks(
    batch: int,
    frames: int,
    preserved: tuple[float, float],
    generator: torch.Generator,
    keep_one: bool = True,
) -> Tensor:
    """Random masks of a training stage (Figure 4 of the paper), shape (batch, frames), bool, True = masked.

    For each clip a share is drawn uniformly from ``preserved`` (low, high), then as many whole frames as it holds, at
    random places, are kept as references. At least one frame is always masked (100% is clamped to K - 1), and at
    least one is preserved if ``keep_one`` (joint stages). The paper leaves both open; rounded to the nearest, 15% to
    60% of 9 frames would hardly ever be a single one, and image-to-video be left to chance.
    """
    low, high = preserved
    share = low + (high - low) * torch.rand(batch, generator=generator)
    kept = (share * frames).long().clamp(int(keep_one), frames - 1)
    order = torch.rand(batch, frames, generator=generator).argsort(dim=1).argsort(dim=1)
    return order >= kept[:, None]


@dataclass(frozen=True)
class MaskedFrames:
    """The masked frames of a batch, packed for attention with static shapes.

    Attributes:
        mask: (B, K), bool, True = masked.
        index: (B, K'), frame index of each sample's masked frames, in order; K' is the largest count in the
            batch, and samples with fewer repeat frame 0 there. The repeats are computed and never read.
        slot: (B, K), where in ``index`` a masked frame is found; 0 for references, whose slot is never read.
    """

    mask: Tensor
    index: Tensor
    slot: Tensor

    @staticmethod
    def pack(mask: Tensor) -> MaskedFrames:
        """From a mask (B, K), bool, with at least one masked frame in some sample."""
        slot = (mask.cumsum(dim=1) - 1).clamp(min=0)
        width = int(mask.sum(dim=1).max())
        index = torch.zeros(mask.shape[0], width + 1, dtype=torch.long, device=mask.device)
        frames = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
        index.scatter_(
            1, torch.where(mask, slot, width), frames
        )  # references land in the last column, cut off next
        return MaskedFrames(mask, index[:, :width], torch.where(mask, slot, 0))

    def to(self, device: torch.device) -> MaskedFrames:
        """The same on ``device``. Packed before it goes there, a mask costs no wait for a GPU."""
        return MaskedFrames(self.mask.to(device), self.index.to(device), self.slot.to(device))
