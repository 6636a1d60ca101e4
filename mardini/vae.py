"""The shipped latent codec: 8x per side, 16 channels, frame by frame.

The paper's VAE was never released. Ours is a small convolutional auto-encoder built on the best *linear* one: a
PCA of 8 x 8 x 3 blocks gives the first projection and its inverse, and convolutional trunks add what a linear map
cannot: they see a block's neighbours, and code edges and textures. All of both trunks works at 1/8 resolution, where
a processor's matrix products are fastest; the encoder is narrow, since every training clip passes through it, and the
decoder wide. Normalisation is over channels alone, so what a patch becomes does not depend on distant ones. Instead
of a KL term, noise is added to latents in training; latents are shifted and scaled to about unit variance.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mardini.config import CodecConfig, Convolutions

FACTOR = 8
"""Pixels per latent, per side."""


KERNEL = 5
"""Side of the trunks' depth-wise convolutions, in latents."""


class ResidualBlock(nn.Module):
    """Depth-wise convolution, normalisation over channels and a two-layer MLP, added to the input (as ConvNeXt).

    The last layer starts at zero. The MLP takes channels last: there, its training is twice as fast as that of
    1 x 1 convolutions on CPUs.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w), best in the channels-last memory format -> the same."""
        y = self.norm(self.mix(x).movedim(1, -1))
        return x + self.down(F.silu(self.up(y))).movedim(-1, 1)


class DenseBlock(nn.Module):
    """Normalisation over channels and two 3 x 3 convolutions, added to the input; the last one starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Conv2d(width, width, 3, padding=1)
        self.down = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w), best in the channels-last memory format -> the same."""
        y = self.norm(x.movedim(1, -1)).movedim(-1, 1)
        return x + self.down(F.silu(self.up(y)))


BLOCKS: dict[Convolutions, type[ResidualBlock | DenseBlock]] = {
    "depth-wise": ResidualBlock,
    "dense": DenseBlock,
}


def _trunk(kind: Convolutions, first: nn.Conv2d, blocks: int, last: int) -> nn.Sequential:
    """``first``, blocks of its width, and a projection to ``last`` channels that starts at zero."""
    width = first.out_channels
    project = nn.Conv2d(width, last, 1)
    nn.init.zeros_(project.weight)
    nn.init.zeros_(project.bias)  # pyright: ignore[reportArgumentType]
    return nn.Sequential(first, *(BLOCKS[kind](width) for _ in range(blocks)), project)


class LatentCodec(nn.Module):
    """Frames (B, 3, H, W) in [0, 1] <-> latents (B, channels, H / 8, W / 8) of about unit variance.

    H and W must be multiples of 8.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        kind, channels, block = config.convolutions, config.channels, 3 * FACTOR**2
        self.analysis = nn.Conv2d(block, channels, 1)
        first = nn.Conv2d(block, config.encoder, 1)
        self.encoder = _trunk(kind, first, config.encoder_blocks, channels)
        self.synthesis = nn.Conv2d(channels, block, 1)
        first = nn.Conv2d(channels, config.decoder, 3, padding=1)
        self.decoder = _trunk(kind, first, config.decoder_blocks, block)
        self.register_buffer("shift", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    def encode(self, frames: Tensor) -> Tensor:
        """Frames in [0, 1] to normalised latents."""
        return (self.raw(frames) - self.shift[:, None, None]) * self.scale[:, None, None]

    def raw(self, frames: Tensor) -> Tensor:
        """Latents before normalisation, as :meth:`calibrate` measures them."""
        blocks = F.pixel_unshuffle(frames * 2 - 1, FACTOR).contiguous(memory_format=torch.channels_last)
        return self.analysis(blocks) + self.encoder(blocks)

    def decode(self, latents: Tensor) -> Tensor:
        """Normalised latents to frames; values may leave [0, 1] a little."""
        latents = latents.contiguous(memory_format=torch.channels_last)
        raw = latents / self.scale[:, None, None] + self.shift[:, None, None]
        pixels = F.pixel_shuffle(self.synthesis(raw) + self.decoder(latents), FACTOR)
        return (pixels.contiguous() + 1) / 2

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

        The decoder's trunk reads normalised latents, so call this before training it; after, :meth:`rescale`.
        """
        raw = self.raw(frames)
        self.shift.copy_(raw.mean(dim=(0, 2, 3)))
        self.scale.fill_(float(raw.var(dim=(0, 2, 3)).mean() ** -0.5))

    @torch.no_grad()
    def rescale(self, frames: Tensor) -> None:
        """Set ``scale`` so that latents of ``frames`` have unit variance again, and decode as before.

        Training lets latents grow: larger ones suffer less from the noise that is added to them.
        """
        ratio = self.encode(frames).var(dim=(0, 2, 3)).mean() ** 0.5
        self.scale.div_(ratio)
        self.decoder[0].weight.mul_(ratio)  # pyright: ignore[reportCallIssue]
