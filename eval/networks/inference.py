"""How detectors are run: exactly, and as fast as that allows.

Nothing here changes a feature by more than rounding (1e-5 of the features' size; the tests and the calibration
table hold it). Half precision is not among the means: bfloat16 moves Inception's and I3D's features by percents.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(network: nn.Module) -> None:
    """Multiply every batch norm into the convolution beside it, in place; ``network`` is in evaluation mode.

    A pair is a module that holds one convolution and one batch norm, applied in that order.
    """
    for module in network.modules():
        convs = {n: m for n, m in module.named_children() if isinstance(m, nn.Conv2d | nn.Conv3d)}
        norms = {n: m for n, m in module.named_children() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm3d)}
        if len(convs) == len(norms) == 1:
            (conv, norm) = (*convs, *norms)
            setattr(module, conv, fuse_conv_bn_eval(convs[conv], norms[norm]))
            setattr(module, norm, nn.Identity())


def convolve(conv: nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
    """``conv(x)``. On a CPU by oneDNN, whatever PyTorch would choose.

    For a single clip on a single thread PyTorch falls back to an unfolded matrix product, which is two to three
    times slower in I3D and forgets the channels-last layout, so that all that follows is slower too.
    """
    if (
        x.device.type != "cpu"
        or x.dtype != torch.float32
        or conv.groups != 1
        or conv.padding_mode != "zeros"
        or isinstance(conv.padding, str)
        or not torch.backends.mkldnn.is_available()
    ):
        return conv(x)
    return torch.ops.aten.mkldnn_convolution(
        x, conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, 1
    )


@contextlib.contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """On a GPU: float32 products, not TensorFloat-32, which PyTorch lets cuDNN use by default (10 bits)."""
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
