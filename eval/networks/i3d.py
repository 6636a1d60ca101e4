"""I3D: Inception-v1 inflated to three dimensions (Carreira & Zisserman 2017, arXiv:1705.07750), for FVD.

FVD (Unterthiner et al. 2018) takes the 400 class logits of the Kinetics-400 RGB network on TensorFlow Hub.
Two conversions of those weights are in use, and both load here:

- ``i3d_pretrained_400.pt`` (VideoGPT, MIT): a state dict in the names of piergiaj/pytorch-i3d, which are the
  names of this module, with a batch-norm epsilon of 1e-5;
- ``i3d_torchscript.pt`` (StyleGAN-V): a TorchScript program; see ``load_torchscript``.

All convolutions and pools pad as TensorFlow's SAME: the surplus pixel goes behind and below.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eval.networks.inference import convolve, fold_batch_norms, full_precision
from eval.networks.initialize import randomize
from mardini.errors import UserError

SIZE = 224
FEATURES = 400
MINIMUM_FRAMES = 9  # 9 -> 5 -> 3 -> 2, and the last pool spans 2

# Mixed block -> widths of: branch 0; branch 1 (1x1, 3x3); branch 2 (1x1, 3x3); branch 3 (paper, figure 3).
WIDTHS = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding (before, after) that makes the output ``ceil(size / stride)`` long."""
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def pad_same(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """Zero-pad (N, C, T, H, W) so that an unpadded operation gives TensorFlow's SAME output."""
    sizes = x.shape[2:]
    pads = [same_padding(s, k, d) for s, k, d in zip(sizes, kernel, stride, strict=True)]
    flat = [amount for pair in reversed(pads) for amount in pair]  # F.pad starts at the last dimension
    return F.pad(x, flat) if any(flat) else x


class Unit(nn.Module):
    """3-D convolution with SAME padding, then batch norm (eps 1e-5) and ReLU, except for the logits."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, logits: bool = False
    ) -> None:
        super().__init__()
        self.kernel, self.stride = (kernel, kernel, kernel), (stride, stride, stride)
        # At stride 1 SAME is symmetric and the convolution pads by itself, which saves a copy.
        self.own_padding = kernel // 2 if stride == 1 else 0
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, padding=self.own_padding, bias=logits)
        self.bn = None if logits else nn.BatchNorm3d(outputs, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        if not self.own_padding:
            x = pad_same(x, self.kernel, self.stride)
        x = convolve(self.conv3d, x)
        return x if self.bn is None else F.relu(self.bn(x), inplace=True)


class MaxPool(nn.Module):
    """Max pool with SAME padding; padding never wins.

    First over each frame, then over time: the same maxima as a pool in three dimensions, in half the time.
    """

    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same, each of the last three sizes divided by its stride and rounded up."""
        clips, channels, times, *size = x.shape
        pads = [same_padding(s, k, d) for s, k, d in zip(size, self.kernel[1:], self.stride[1:], strict=True)]
        frames = F.max_pool2d(
            x.transpose(1, 2).reshape(clips * times, channels, *size),
            self.kernel[1:],
            self.stride[1:],
            padding=(pads[0][0], pads[1][0]),
            ceil_mode=any(after > before for before, after in pads),  # the surplus pixel behind and below
        )
        x = frames.reshape(clips, times, channels, *frames.shape[2:]).transpose(1, 2)
        length, stride = self.kernel[0], self.stride[0]
        if length == 1:
            return x
        first = -same_padding(times, length, stride)[0]
        starts = range(first, first + -(-times // stride) * stride, stride)
        windows = [x[:, :, max(0, start) : start + length].unbind(2) for start in starts]
        return torch.stack([functools.reduce(torch.maximum, window) for window in windows], dim=2)


class Mixed(nn.Module):
    """Inception block: 1x1x1, two 3x3x3 branches and a pooled branch, concatenated."""

    def __init__(self, inputs: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        self.b0 = Unit(inputs, widths[0])
        self.b1a = Unit(inputs, widths[1])
        self.b1b = Unit(widths[1], widths[2], 3)
        self.b2a = Unit(inputs, widths[3])
        self.b2b = Unit(widths[3], widths[4], 3)
        self.b3a = MaxPool((3, 3, 3), (1, 1, 1))
        self.b3b = Unit(inputs, widths[5])
        self.outputs = widths[0] + widths[2] + widths[4] + widths[5]

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))]
        return torch.cat(branches, dim=1)


class I3D(nn.Module):
    """From clips (N, 3, T, 224, 224) in [-1, 1], T >= 9, to 400 class logits averaged over time."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, stride=2)
        self.MaxPool3d_2a_3x3 = MaxPool((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit(64, 64)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        self.MaxPool3d_3a_3x3 = MaxPool((1, 3, 3), (1, 2, 2))
        channels = 192
        for name, widths in WIDTHS.items():
            if name == "Mixed_4b":
                self.MaxPool3d_4a_3x3 = MaxPool((3, 3, 3), (2, 2, 2))
            if name == "Mixed_5b":
                self.MaxPool3d_5a_2x2 = MaxPool((2, 2, 2), (2, 2, 2))
            block = Mixed(channels, widths)
            self.add_module(name, block)
            channels = block.outputs
        self.logits = Unit(channels, FEATURES, logits=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, T, 224, 224) in [-1, 1] -> (N, 400). Raises ``UserError`` for T < 9."""
        if x.shape[2] < MINIMUM_FRAMES:
            raise UserError(
                f"FVD needs clips of at least {MINIMUM_FRAMES} frames (I3D's last pool spans them), got "
                f"{x.shape[2]}: score longer clips or leave fvd out of --metrics"
            )
        for name, stage in self.named_children():
            if name != "logits":
                x = stage(x)
        x = F.avg_pool3d(x, kernel_size=(2, 7, 7), stride=1)
        return self.logits(x).mean(dim=(2, 3, 4))

    @torch.inference_mode()
    def features(self, clips: np.ndarray, *, crop: bool = True) -> np.ndarray:
        """Features of ``uint8`` RGB clips (N, T, H, W, 3), T >= 9: float32 (N, 400). ``crop``: see ``preprocess``."""
        device = self.logits.conv3d.weight.device
        x = torch.cat([preprocess(frames, crop=crop) for frames in clips]).to(device)
        with full_precision(device):
            return self(x.contiguous(memory_format=torch.channels_last_3d)).float().cpu().numpy()


def preprocess(frames: np.ndarray, *, crop: bool = True) -> Tensor:
    """``uint8`` (T, H, W, 3) -> float32 (1, 3, T, 224, 224) in [-1, 1], bilinear without antialiasing.

    With ``crop`` the shorter side becomes 224 and the middle is kept, as in VideoGPT; without, the whole frame is
    stretched to a square, as in StyleGAN-V, TATS and cd-fvd. For square clips both are the same.
    """
    x = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255
    height, width = x.shape[2:]
    short = min(height, width)
    size = (-(-height * SIZE // short), -(-width * SIZE // short)) if crop else (SIZE, SIZE)  # rounded up
    x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
    top, left = (x.shape[2] - SIZE) // 2, (x.shape[3] - SIZE) // 2
    x = x[:, :, top : top + SIZE, left : left + SIZE]
    return (2 * x - 1).permute(1, 0, 2, 3).unsqueeze(0)


def load_i3d(weights: Path | None, device: str = "cpu", *, torchscript: bool = False) -> I3D:
    """The detector in evaluation mode.

    Args:
        weights: verified weight file; ``None``: seeded random weights.
        device: where to run.
        torchscript: ``weights`` is StyleGAN-V's TorchScript program, whose hash the caller has checked:
            loading one runs code from the file.
    """
    network = I3D()
    if weights is None:
        randomize(network)
    elif torchscript:
        load_torchscript(network, torch.jit.load(str(weights), map_location="cpu").eval())
    else:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), strict=True)
    network = network.eval().requires_grad_(False).to(device)
    fold_batch_norms(network)
    # Channels last is faster on CPUs and moves the logits by 5e-6 of their size.
    return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def load_torchscript(network: I3D, program: torch.nn.Module, tolerance: float = 1e-3) -> None:
    """Copy the weights of StyleGAN-V's I3D program into ``network``, and prove it by running both.

    The names inside that file are not documented, so its tensors are matched in order: layers from the input
    to the last block, the branches of a block in the order of the paper, in each a convolution followed by
    its batch norm. The logits layer, the only one with 400 outputs, may stand anywhere. Every tensor must be
    used once and fit in shape, and both networks must then give the same logits on a random clip.

    Raises:
        UserError: the file holds other layers, or the outputs differ by more than ``tolerance`` (relative).
    """
    source = [v for k, v in program.state_dict().items() if not k.endswith("num_batches_tracked")]
    source.sort(key=lambda tensor: tensor.shape[:1] == (FEATURES,))  # stable: only moves the logits last
    target = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    pairs = list(zip(source, target.values(), strict=False))
    if len(source) != len(target) or any(a.shape != b.shape for a, b in pairs):
        raise UserError(
            f"the I3D TorchScript file holds {len(source)} tensors that do not fit the {len(target)} of I3D: "
            "use metric fvd with i3d_pretrained_400.pt instead of fvd_styleganv"
        )
    network.load_state_dict(dict(zip(target, source, strict=True)), strict=False)  # all but the counters
    network.eval()
    clip = torch.rand(1, 3, MINIMUM_FRAMES, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        theirs = program(clip, rescale=False, resize=False, return_features=True).reshape(1, -1)
        ours = network(clip)
    error = (
        float((theirs - ours).abs().max() / theirs.abs().max())
        if theirs.shape == ours.shape
        else float("inf")
    )
    if not error <= tolerance:
        raise UserError(
            f"the I3D TorchScript file's logits differ from this I3D's by {error:.1e} with its own weights: "
            "use metric fvd with i3d_pretrained_400.pt instead of fvd_styleganv"
        )
