"""DINO and CLIP's picture transformer against timm with the same injected weights; what VBench feeds them."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from eval.networks import clip
from eval.networks.clip import SHAPES, CLIPImage, Shape, load_clip, randomize_clip
from eval.networks.dino import DINO, load_dino, randomize_dino
from eval.networks.preparation import centre_crop, normalise, resize_longer, resize_shorter, to_tensor
from mardini.errors import UserError

TINY = Shape(width=64, layers=3, heads=4, patch=16, features=24, size=64)


def tiny_dino() -> DINO:
    network = DINO(width=48, depth=3, heads=3, patch=16, grid=4)
    randomize_dino(network, seed=1)
    return jolted(network)


def jolted(network: nn.Module) -> nn.Module:
    """Biases and norms away from zero and identity, so that none of them can be mixed up."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias") or "norm" in name or "ln_" in name:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


@pytest.fixture
def frames() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_dino_equals_timm(frames: torch.Tensor) -> None:
    timm = pytest.importorskip("timm.models.vision_transformer")
    ours = tiny_dino()
    theirs = timm.VisionTransformer(
        64, 16, embed_dim=48, depth=3, num_heads=3, num_classes=0, norm_layer=partial(nn.LayerNorm, eps=1e-6)
    ).eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    with torch.inference_mode():
        a, b = ours(frames), theirs(frames)
    assert a.shape == (2, 48)
    assert (a - b).abs().max() < 1e-5 * b.abs().max()
    assert (b[0] - b[1]).abs().max() > 0.05 * b.abs().max()


def test_dino_is_vit_b_16(tmp_path) -> None:
    """All names and shapes of the real network; another file is refused."""
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        ours = DINO().state_dict()
        theirs = timm.create_model("vit_base_patch16_224", num_classes=0).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
    torch.save({"cls_token": torch.zeros(1, 1, 768)}, tmp_path / "other.pth")
    with pytest.raises(RuntimeError, match=r"pos_embed"):
        load_dino(tmp_path / "other.pth")


def test_positions_of_other_sizes_are_dinos_own() -> None:
    """The steps of facebookresearch/dino's ``interpolate_pos_encoding``, written out here; 5x9 patches."""
    network = tiny_dino()
    width = network.pos_embed.shape[-1]
    grid = network.pos_embed[:, 1:].reshape(1, 4, 4, width).permute(0, 3, 1, 2)
    expected = F.interpolate(
        grid, scale_factor=((5 + 0.1) / math.sqrt(16), (9 + 0.1) / math.sqrt(16)), mode="bicubic"
    )
    expected = expected.permute(0, 2, 3, 1).view(1, -1, width)
    torch.testing.assert_close(network.positions(5, 9)[:, 1:], expected)
    torch.testing.assert_close(network.positions(5, 9)[:, :1], network.pos_embed[:, :1])
    assert network.positions(4, 4) is network.pos_embed
    x = torch.randn(1, 3, 80, 158)  # 158 is no multiple of 16: its last pixels are dropped
    assert torch.equal(network(x), network(x[..., :144]))


def test_clip_equals_timm(frames: torch.Tensor) -> None:
    """Weights in OpenAI's names, through timm's own conversion of them."""
    timm = pytest.importorskip("timm.models.vision_transformer")
    quick = pytest.importorskip("timm.layers").QuickGELU
    ours = jolted(randomized(TINY))
    theirs = timm.VisionTransformer(
        64, 16, embed_dim=64, depth=3, num_heads=4, num_classes=24, pre_norm=True, act_layer=quick,
        norm_layer=nn.LayerNorm,
    ).eval()  # fmt: skip
    state = {f"visual.{key}": value for key, value in ours.state_dict().items()}
    converted = timm._convert_openai_clip(state, theirs)
    theirs.load_state_dict(converted, strict=True)
    with torch.inference_mode():
        a, b = ours(frames), theirs(frames)
    assert a.shape == (2, 24)
    assert (a - b).abs().max() < 1e-5 * b.abs().max()
    assert (b[0] - b[1]).abs().max() > 0.05 * b.abs().max()


def randomized(shape: Shape) -> CLIPImage:
    network = CLIPImage(shape)
    randomize_clip(network, seed=3)
    return network.eval()


def test_clip_is_b_32_and_l_14() -> None:
    timm = pytest.importorskip("timm")
    models = {
        "ViT-B/32": "vit_base_patch32_clip_quickgelu_224",
        "ViT-L/14": "vit_large_patch14_clip_quickgelu_224",
    }
    for name, model in models.items():
        with torch.device("meta"):
            ours, theirs = (
                CLIPImage(SHAPES[name]),
                timm.create_model(model, num_classes=SHAPES[name].features),
            )
        biases = SHAPES[name].features  # timm's head has one each, CLIP's projection none
        count = sum(p.numel() for p in ours.parameters())
        assert count == sum(p.numel() for p in theirs.parameters()) - biases
        assert len(ours.transformer.resblocks) == len(theirs.blocks) == SHAPES[name].layers
        assert ours.positional_embedding.shape == theirs.pos_embed.shape[1:]


class Program(nn.Module):
    """Stands for OpenAI's file: a program with a picture side and more, in half precision."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual, self.logit_scale = visual, nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logit_scale * x


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_clip_is_loaded_out_of_a_program(
    tmp_path, monkeypatch: pytest.MonkeyPatch, frames: torch.Tensor
) -> None:
    monkeypatch.setitem(clip.SHAPES, "ViT-B/32", TINY)
    network = randomized(TINY)
    torch.jit.trace(Program(network).half().eval(), torch.zeros(1, dtype=torch.half)).save(
        tmp_path / "clip.pt"
    )
    loaded = load_clip("ViT-B/32", tmp_path / "clip.pt")
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in loaded.parameters())
    with torch.inference_mode():
        torch.testing.assert_close(loaded(frames), network.float()(frames))
    monkeypatch.setitem(clip.SHAPES, "ViT-B/32", Shape(64, 4, 4, 16, 24, 64))
    with pytest.raises(RuntimeError, match="resblocks"):
        load_clip("ViT-B/32", tmp_path / "clip.pt")
    with pytest.raises(UserError, match="did you mean 'ViT-L/14'"):
        load_clip("ViT-L/41", None)


def test_random_networks_are_the_same_each_time_and_see_the_input(frames: torch.Tensor) -> None:
    for network, again in ((tiny_dino(), tiny_dino()), (randomized(TINY), randomized(TINY))):
        with torch.inference_mode():
            a, b = network(frames), again(frames)
        assert torch.equal(a, b) and torch.isfinite(a).all()
        assert F.cosine_similarity(a[:1], a[1:]) < 0.999


@pytest.mark.parametrize("size", [(300, 300), (256, 410), (410, 300)])
def test_preparation_is_torchvisions(size: tuple[int, int]) -> None:
    """Every transform that VBench applies to float frames in [0, 255]."""
    from torchvision import transforms
    from torchvision.transforms import InterpolationMode

    frames = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    x = to_tensor(frames, "cpu")
    theirs = torch.Tensor(frames).permute(0, 3, 1, 2)
    assert torch.equal(x, theirs)
    for ours, transform in (
        (resize_shorter(x, 224, "bilinear", antialias=False), transforms.Resize(224, antialias=False)),
        (
            centre_crop(resize_shorter(x, 224, "bicubic", antialias=False), 224),
            transforms.Compose(
                [
                    transforms.Resize(224, InterpolationMode.BICUBIC, antialias=False),
                    transforms.CenterCrop(224),
                ]
            ),
        ),
        (
            centre_crop(resize_shorter(x, 256, "bicubic", antialias=True), 224),
            transforms.Compose(
                [transforms.Resize(256, InterpolationMode.BICUBIC), transforms.CenterCrop(224)]
            ),
        ),
        (
            normalise(x, clip.MEAN, clip.DEVIATION),
            lambda y: transforms.Normalize(clip.MEAN, clip.DEVIATION)(y / 255),
        ),
    ):
        torch.testing.assert_close(ours, transform(theirs), rtol=1e-5, atol=1e-4)


def test_the_longer_side_is_cut_down_to_512() -> None:
    from torchvision import transforms

    x = torch.rand(1, 3, 300, 700) * 255
    scale = 512.0 / 700
    expected = transforms.Resize((int(scale * 300), int(scale * 700)), antialias=False)(x)
    torch.testing.assert_close(resize_longer(x, 512), expected)
    assert resize_longer(x[..., :512], 512).shape == (1, 3, 300, 512)
