"""CLIP's image encoder ViT-B/32 (Radford et al. 2021, arXiv:2103.00020).

Parameter names are those of OpenAI's file ``ViT-B-32.pt`` without its leading ``visual.``. That file is a
TorchScript program of which only the tensors are used; the text encoder is left out. The authors' package is not
needed: it asks for parts of setuptools that are gone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eval.networks.inference import full_precision
from mardini.errors import UserError

SIZE, PATCH, WIDTH, LAYERS, HEADS, FEATURES = 224, 32, 768, 12, 12, 512
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


class QuickGELU(nn.Module):
    """``x sigmoid(1.702 x)``, with which CLIP was trained."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    """Transformer layer, normalised before attention and MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.ln_1 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(WIDTH, 4 * WIDTH))
        self.mlp.add_module("gelu", QuickGELU())
        self.mlp.add_module("c_proj", nn.Linear(4 * WIDTH, WIDTH))
        self.ln_2 = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class ClipImage(nn.Module):
    """From images (N, 3, 224, 224), normalised, to 512 features; compare them by their cosine."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(WIDTH))
        self.positional_embedding = nn.Parameter(torch.zeros((SIZE // PATCH) ** 2 + 1, WIDTH))
        self.ln_pre = nn.LayerNorm(WIDTH)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.ln_post = nn.LayerNorm(WIDTH)
        self.proj = nn.Parameter(torch.zeros(WIDTH, FEATURES))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 224, 224) -> (N, 512)."""
        patches = self.conv1(x).flatten(2).transpose(1, 2)  # (N, 49, 768)
        first = self.class_embedding.expand(len(x), 1, WIDTH)
        x = self.ln_pre(torch.cat([first, patches], dim=1) + self.positional_embedding)
        x = self.transformer.resblocks(x)  # type: ignore[operator]
        return self.ln_post(x[:, 0]) @ self.proj

    @torch.inference_mode()
    def features(self, frames: np.ndarray) -> np.ndarray:
        """Unit features of ``uint8`` RGB frames (T, H, W, 3): float32 (T, 512)."""
        device = self.proj.device
        with full_precision(device):
            return F.normalize(self(preprocess(frames).to(device)), dim=-1).float().cpu().numpy()


def preprocess(frames: np.ndarray) -> Tensor:
    """``uint8`` (T, H, W, 3) -> float32 (T, 3, 224, 224), as the authors do it.

    Pillow's bicubic of the shorter side to 224 (with antialiasing, in 8 bits), the middle square, then mean and
    standard deviation of CLIP's training images.
    """
    from PIL import Image

    height, width = frames.shape[1:3]
    short = min(height, width)
    size = (SIZE * width // short, SIZE * height // short)
    left, top = round((size[0] - SIZE) / 2), round((size[1] - SIZE) / 2)
    squares = [
        np.asarray(Image.fromarray(frame).resize(size, resample=Image.Resampling.BICUBIC))[
            top : top + SIZE, left : left + SIZE
        ]
        for frame in frames
    ]
    x = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def load_clip(weights: Path | None, device: str = "cpu") -> ClipImage:
    """The encoder in evaluation mode.

    ``weights``: OpenAI's TorchScript file, whose hash the caller has checked: loading one runs code from the file.
    ``None``: seeded random weights.
    """
    network = ClipImage()
    if weights is None:
        randomize_clip(network)
    else:
        load_image_encoder(network, torch.jit.load(str(weights), map_location="cpu").state_dict())
    return network.eval().requires_grad_(False).to(device)


def load_image_encoder(network: ClipImage, state: dict[str, Tensor]) -> None:
    """Copy the image half of CLIP's ``state`` into ``network``, every tensor once, in float32.

    Raises:
        UserError: the file holds another encoder.
    """
    visual = {k.removeprefix("visual."): v.float() for k, v in state.items() if k.startswith("visual.")}
    wanted = {name: value.shape for name, value in network.state_dict().items()}
    if {name: value.shape for name, value in visual.items()} != wanted:
        raise UserError(
            f"the CLIP file holds {len(visual)} tensors of its image encoder that do not fit the {len(wanted)} of "
            "ViT-B/32: fetch it again with python -m eval weights --fetch"
        )
    network.load_state_dict(visual, strict=True)


def randomize_clip(network: ClipImage, seed: int = 0) -> None:
    """Seeded normal weights that keep the scale of activations; layer norms stay the identity."""
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.ndim > 1 or name == "class_embedding":
                fan_in = (
                    WIDTH if name in ("proj", "class_embedding", "positional_embedding") else value[0].numel()
                )
                drawn = random.standard_normal(tuple(value.shape), dtype=np.float32) / np.float32(fan_in**0.5)
                value.copy_(torch.from_numpy(drawn))
            elif name.endswith("bias"):
                value.zero_()
