"""The picture side of CLIP (Radford et al. 2021, arXiv:2103.00020): ViT-B/32 and ViT-L/14.

Parameter names are those below ``visual.`` in OpenAI's files (MIT), which are TorchScript programs: after their hash
matched, their weights are taken out and load strictly here; their program is not run.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from eval.networks.initialize import randomize
from mardini.errors import unknown

SIZE = 224
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Shape:
    """Widths and counts of one of CLIP's picture transformers."""

    width: int
    layers: int
    heads: int
    patch: int
    features: int
    size: int = SIZE


SHAPES = {"ViT-B/32": Shape(768, 12, 12, 32, 512), "ViT-L/14": Shape(1024, 24, 16, 14, 768)}


class QuickGELU(nn.Module):
    """CLIP's own approximation of GELU."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class MLP(nn.Module):
    """A block's MLP, named as in OpenAI's files."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.gelu = QuickGELU()
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(self.gelu(self.c_fc(x)))


class Block(nn.Module):
    """Pre-norm attention and MLP on (N, L, C)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = MLP(width)
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """The blocks, one after the other: (N, L, width) -> (N, L, width)."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))

    def forward(self, x: Tensor) -> Tensor:
        return self.resblocks(x)


class CLIPImage(nn.Module):
    """From (N, 3, 224, 224), normalised by ``MEAN`` and ``DEVIATION``, to embeddings (N, features), not normalised."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, scale = shape.width, shape.width**-0.5
        self.conv1 = nn.Conv2d(3, width, shape.patch, shape.patch, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros((shape.size // shape.patch) ** 2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, shape.layers, shape.heads)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.zeros(width, shape.features))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.conv1(x).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(x), 1, -1)
        tokens = torch.cat([first, tokens], dim=1) + self.positional_embedding
        return self.ln_post(self.transformer(self.ln_pre(tokens))[:, 0]) @ self.proj


def load_clip(name: str, file: Path | None, device: str = "cpu") -> CLIPImage:
    """``ViT-B/32`` or ``ViT-L/14`` in evaluation mode, in float32.

    Args:
        name: a key of ``SHAPES``.
        file: OpenAI's verified weight file; ``None``: seeded random weights.
        device: where to run.

    Raises:
        UserError: an unknown name.
    """
    if name not in SHAPES:
        raise unknown("CLIP model", name, SHAPES)
    network = CLIPImage(SHAPES[name])
    if file is None:
        randomize_clip(network)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of TorchScript, which OpenAI's files are
            state = torch.jit.load(file, map_location="cpu").state_dict()
        visual = {
            key.removeprefix("visual."): value.float()
            for key, value in state.items()
            if key.startswith("visual.")
        }
        network.load_state_dict(visual, strict=True)
    return network.eval().requires_grad_(False).to(device)


def randomize_clip(network: CLIPImage, seed: int = 0) -> None:
    """Seeded weights: He-normal layers, attention and projections of unit gain, positions as trained ones' size."""
    randomize(network, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("in_proj_weight", "proj", "class_embedding", "positional_embedding")):
                gain = 1 / math.sqrt(parameter.shape[0] if name == "proj" else parameter.shape[-1])
                parameter.copy_(gain * torch.randn(parameter.shape, generator=generator))
