"""Latents by search: those that decode nearest to given frames, where an encoder only guesses them.

An encoder has learnt one answer to all pictures; of such as it never saw its latents are not the best ones. The
decoder's gradient leads from them to better ones (Campos et al. 2019, "Content adaptive optimization for neural image
compression"): some half a decibel with the shipped codecs, for the time of learning from a frame 20 times.

This is ours, not the paper's, and for reconstruction. Models are trained on an encoder's latents; given refined ones,
they generate no better frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mardini.codecs import Codec
from mardini.errors import UserError

RATE = 0.06
"""How far a latent (of about unit variance) moves in the first step; later ones are shorter. Chosen on procedural
pictures."""


def refined(codec: Codec, frames: Tensor, steps: int = 20) -> Tensor:
    """Latents of ``frames``, moved towards a smaller squared error of what they decode to (Adam, steps to zero).

    Works under ``torch.no_grad`` and ``torch.inference_mode`` too; the codec's weights get no gradients.

    Args:
        codec: any of :func:`mardini.codecs.load_codec`.
        frames: (B, 3, H, W) in [0, 1]; frames do not depend on each other. Memory is that of training on them, so
            give large ones a few at a time.
        steps: 0: ``codec.encode(frames)`` itself. 5 do three quarters of what 40 do, 20 nearly all.

    Returns:
        (B, channels, H / 8, W / 8).
    """
    if steps < 0:
        raise UserError(f"{steps} steps of refinement were asked for: choose 0 or more, such as 20")
    with torch.no_grad():
        start = codec.encode(frames)
    if steps == 0:
        return start
    with torch.inference_mode(False), torch.enable_grad():
        frames, latents = frames.clone(), start.clone().requires_grad_(True)
        search = torch.optim.Adam([latents])
        for step in range(steps):
            search.param_groups[0]["lr"] = RATE * (1 - step / steps)
            error = (codec.decode(latents) - frames).square().sum()
            (latents.grad,) = torch.autograd.grad(error, latents)
            search.step()
    return latents.detach()
