"""The shipped latent codec: 8x per side, 16 channels, frame by frame.

The paper's VAE was never released. Ours is a small convolutional auto-encoder built on the best *linear* one: a
PCA of 8 x 8 x 3 blocks gives the first projection and its inverse, and convolutional trunks add what a linear map
cannot. No normalisation layers, so what a patch becomes does not depend on the rest of the frame. Instead of a KL
term, noise is added to latents in training; latents are shifted and scaled to about unit variance.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mardini.config import CodecConfig

FACTOR = 8
"""Pixels per latent, per side."""


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions added to the input; the second starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


def _trunk(width: int, blocks: int) -> list[nn.Module]:
    return [ResidualBlock(width) for _ in range(blocks)]


class LatentCodec(nn.Module):
    """Frames (B, 3, H, W) in [0, 1] <-> latents (B, channels, H / 8, W / 8) of about unit variance.

    H and W must be multiples of 8.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        channels, fine, coarse = config.channels, config.fine, config.coarse
        fine_blocks = max(1, config.blocks // 2)
        self.analysis = nn.Conv2d(3 * FACTOR**2, channels, 1)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, fine, 3, padding=1),
            *_trunk(fine, fine_blocks),
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * fine, coarse, 1),
            *_trunk(coarse, config.blocks),
            nn.Conv2d(coarse, channels, 1),
        )
        self.synthesis = nn.Conv2d(channels, 3 * FACTOR**2, 1)
        self.decoder = nn.Sequential(
            nn.Conv2d(channels, coarse, 3, padding=1),
            *_trunk(coarse, config.blocks),
            nn.Conv2d(coarse, 4 * fine, 1),
            nn.PixelShuffle(2),
            *_trunk(fine, fine_blocks),
            nn.Conv2d(fine, 48, 3, padding=1),
            nn.PixelShuffle(4),
        )
        for trunk in (self.encoder, self.decoder):
            last = [layer for layer in trunk if isinstance(layer, nn.Conv2d)][-1]
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # pyright: ignore[reportArgumentType]
        self.register_buffer("shift", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    def encode(self, frames: Tensor) -> Tensor:
        """Frames in [0, 1] to normalised latents."""
        return (self.raw(frames) - self.shift[:, None, None]) * self.scale[:, None, None]

    def raw(self, frames: Tensor) -> Tensor:
        """Latents before normalisation, as :meth:`calibrate` measures them."""
        pixels = frames * 2 - 1
        return self.analysis(F.pixel_unshuffle(pixels, FACTOR)) + self.encoder(pixels)

    def decode(self, latents: Tensor) -> Tensor:
        """Normalised latents to frames; values may leave [0, 1] a little."""
        raw = latents / self.scale[:, None, None] + self.shift[:, None, None]
        pixels = F.pixel_shuffle(self.synthesis(raw), FACTOR) + self.decoder(latents)
        return (pixels + 1) / 2

    @torch.no_grad()
    def start_linear(self, frames: Tensor) -> None:
        """Start from PCA of the 8 x 8 blocks of ``frames`` (N, 3, H, W): the best linear codec of this size.

        Components are scaled by the square root of their deviation: fully whitened, noise-like detail would weigh
        as much as colour in the diffusion loss; unscaled, it would count for nothing.
        """
        blocks = F.pixel_unshuffle(frames * 2 - 1, FACTOR).movedim(1, -1).flatten(0, -2).double()
        mean = blocks.mean(dim=0)
        covariance = (blocks - mean).T @ (blocks - mean) / len(blocks)
        variances, vectors = torch.linalg.eigh(covariance)
        variances, vectors = (part.flip(-1)[..., : self.config.channels] for part in (variances, vectors))
        gain = variances.clamp(min=1e-8) ** -0.25
        forward = (vectors * gain).T
        backward = vectors / gain
        self.analysis.weight.copy_(forward[:, :, None, None])
        self.analysis.bias.copy_(-forward @ mean)  # pyright: ignore[reportOptionalMemberAccess]
        self.synthesis.weight.copy_(backward[:, :, None, None])
        self.synthesis.bias.copy_(mean)  # pyright: ignore[reportOptionalMemberAccess]
        self.calibrate(frames)

    @torch.no_grad()
    def calibrate(self, frames: Tensor) -> None:
        """Set ``shift`` (per channel) and ``scale`` (one for all) so that latents of ``frames`` have unit variance.

        The decoder's trunk reads normalised latents, so call this before training it, not after.
        """
        raw = self.raw(frames)
        self.shift.copy_(raw.mean(dim=(0, 2, 3)))
        self.scale.fill_(float(raw.var(dim=(0, 2, 3)).mean() ** -0.5))
