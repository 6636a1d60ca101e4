"""I3D: TensorFlow's padding, shapes, minimum length, names of the public weight files.

The whole network is also compared with a plain functional re-statement of the paper's figure 3.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from eval.networks.i3d import (
    I3D,
    WIDTHS,
    MaxPool,
    Unit,
    load_i3d,
    load_torchscript,
    preprocess,
    same_padding,
)
from eval.networks.initialize import randomize
from mardini.errors import UserError


@pytest.fixture(scope="module")
def network() -> I3D:
    return load_i3d(None)


@pytest.fixture(scope="module")
def perturbed() -> I3D:
    """Random weights with batch norms that are not the identity."""
    network = I3D().eval().requires_grad_(False)
    randomize(network)
    generator = torch.Generator().manual_seed(3)
    for name, value in network.state_dict().items():
        if name.endswith(("bn.weight", "bn.running_var")):
            value.uniform_(0.7, 1.4, generator=generator)
        elif name.endswith(("bn.bias", "bn.running_mean")):
            value.uniform_(-0.2, 0.2, generator=generator)
    return network


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (224, 7, 2, (2, 3)),
        (9, 7, 2, (3, 3)),
        (5, 3, 2, (1, 1)),
        (56, 3, 2, (0, 1)),
        (3, 2, 2, (0, 1)),
        (4, 2, 2, (0, 0)),
    ],
)
def test_same_padding_is_tensorflows(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


@pytest.mark.parametrize("length", [5, 6, 9])
def test_a_strided_unit_equals_a_convolution_written_out(length):
    unit = Unit(2, 3, kernel=3, stride=2).eval()
    x = torch.randn(1, 2, length, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        y = unit(x)[0].numpy()
        weight = unit.conv3d.weight.numpy()
    out = [-(-n // 2) for n in (length, 4, 4)]
    assert y.shape[1:] == tuple(out)
    before = [same_padding(n, 3, 2)[0] for n in (length, 4, 4)]
    for place in np.ndindex(*out):
        total = np.zeros(3)
        for tap in np.ndindex(3, 3, 3):
            at = [p * 2 + k - b for p, k, b in zip(place, tap, before, strict=True)]
            if all(0 <= i < n for i, n in zip(at, (length, 4, 4), strict=True)):
                total += weight[:, :, *tap] @ x[0, :, *at].numpy()
        np.testing.assert_allclose(y[:, *place], np.maximum(total, 0) / np.sqrt(1 + 1e-5), atol=1e-5)


def test_max_pool_pads_behind():
    x = torch.arange(4.0).reshape(1, 1, 1, 1, 4)
    assert MaxPool((1, 1, 3), (1, 1, 2))(x).flatten().tolist() == [2, 3]


def test_shapes_of_every_stage_for_nine_frames(network, clip):
    shapes = {}
    hooks = [
        stage.register_forward_hook(lambda m, i, o, name=name: shapes.__setitem__(name, tuple(o.shape[1:])))
        for name, stage in network.named_children()
    ]
    assert network.features(clip[None]).shape == (1, 400)
    for hook in hooks:
        hook.remove()
    assert shapes == {
        "Conv3d_1a_7x7": (64, 5, 112, 112),
        "MaxPool3d_2a_3x3": (64, 5, 56, 56),
        "Conv3d_2b_1x1": (64, 5, 56, 56),
        "Conv3d_2c_3x3": (192, 5, 56, 56),
        "MaxPool3d_3a_3x3": (192, 5, 28, 28),
        "Mixed_3b": (256, 5, 28, 28),
        "Mixed_3c": (480, 5, 28, 28),
        "MaxPool3d_4a_3x3": (480, 3, 14, 14),
        "Mixed_4b": (512, 3, 14, 14),
        "Mixed_4c": (512, 3, 14, 14),
        "Mixed_4d": (512, 3, 14, 14),
        "Mixed_4e": (528, 3, 14, 14),
        "Mixed_4f": (832, 3, 14, 14),
        "MaxPool3d_5a_2x2": (832, 2, 7, 7),
        "Mixed_5b": (832, 2, 7, 7),
        "Mixed_5c": (1024, 2, 7, 7),
        "logits": (400, 1, 1, 1),
    }


def test_parameter_count():
    """12.29 million in the trunk (paper, table 1: 12 M) and 1024 x 400 + 400 logits."""
    network = I3D()
    assert sum(p.numel() for p in network.parameters()) == 12_697_264
    assert sum(p.numel() for p in network.logits.parameters()) == 1024 * 400 + 400


@pytest.mark.parametrize("frames", [1, 8])
def test_fewer_than_nine_frames_are_refused(network, clip, frames):
    with pytest.raises(UserError, match=f"at least 9 frames .* got {frames}"):
        network.features(clip[None, :frames])


def test_sixteen_frames_still_give_one_feature(network, clip):
    assert network.features(np.concatenate([clip, clip])[None, :16]).shape == (1, 400)


def written_out(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """I3D as a chain of functions on a state dict, padding every operation explicitly."""

    def pad(x: torch.Tensor, kernel: int | tuple, stride: int | tuple) -> torch.Tensor:
        kernel, stride = np.broadcast_to(kernel, 3), np.broadcast_to(stride, 3)
        for axis in range(3):
            size = x.shape[2 + axis]
            total = max(0, kernel[axis] - (size % stride[axis] or stride[axis]))
            widths = [0] * 6
            widths[4 - 2 * axis], widths[5 - 2 * axis] = total // 2, total - total // 2
            x = F.pad(x, widths)
        return x

    def unit(x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        weight = state[f"{name}.conv3d.weight"]
        x = F.conv3d(pad(x, weight.shape[-1], stride), weight, stride=stride)
        shape = (1, -1, 1, 1, 1)
        mean, var = state[f"{name}.bn.running_mean"].view(shape), state[f"{name}.bn.running_var"].view(shape)
        x = (x - mean) / (var + 1e-5).sqrt()
        return (x * state[f"{name}.bn.weight"].view(shape) + state[f"{name}.bn.bias"].view(shape)).relu()

    def pool(x: torch.Tensor, kernel: tuple, stride: tuple) -> torch.Tensor:
        return F.max_pool3d(pad(x, kernel, stride), kernel, stride)

    x = pool(unit(x, "Conv3d_1a_7x7", 2), (1, 3, 3), (1, 2, 2))
    x = pool(unit(unit(x, "Conv3d_2b_1x1"), "Conv3d_2c_3x3"), (1, 3, 3), (1, 2, 2))
    for block in WIDTHS:
        if block == "Mixed_4b":
            x = pool(x, (3, 3, 3), (2, 2, 2))
        if block == "Mixed_5b":
            x = pool(x, (2, 2, 2), (2, 2, 2))
        x = torch.cat(
            [
                unit(x, f"{block}.b0"),
                unit(unit(x, f"{block}.b1a"), f"{block}.b1b"),
                unit(unit(x, f"{block}.b2a"), f"{block}.b2b"),
                unit(pool(x, (3, 3, 3), (1, 1, 1)), f"{block}.b3b"),
            ],
            dim=1,
        )
    x = F.avg_pool3d(x, (2, 7, 7), stride=1)
    logits = F.conv3d(x, state["logits.conv3d.weight"], state["logits.conv3d.bias"])
    return logits[:, :, :, 0, 0].mean(dim=2)


def test_a_videogpt_state_dict_loads_strictly_and_gives_the_network_of_the_paper(perturbed, tmp_path, clip):
    state = perturbed.state_dict()
    torch.save(state, tmp_path / "i3d.pt")
    with torch.inference_mode():
        expected = written_out(state, preprocess(clip)).numpy()
    ours = load_i3d(tmp_path / "i3d.pt").features(clip[None])
    assert np.abs(ours - expected).max() <= 1e-5 * np.abs(expected).max()
    torch.save({**state, "extra": torch.zeros(1)}, tmp_path / "extra.pt")
    with pytest.raises(RuntimeError, match="extra"):
        load_i3d(tmp_path / "extra.pt")


class Program(torch.nn.Module):
    """Stands for StyleGAN-V's TorchScript file: other names, logits registered first, its call signature."""

    def __init__(self, network: I3D) -> None:
        super().__init__()
        self.network = network
        state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
        names = sorted(state, key=lambda name: not name.startswith("logits"))
        self.listed = {f"layer{i}": state[name] for i, name in enumerate(names)}

    def state_dict(self, *args, **kwargs):  # type: ignore[override]
        return self.listed

    def forward(self, x, rescale: bool, resize: bool, return_features: bool):
        assert not rescale
        assert not resize
        assert return_features
        return self.network(x)


def test_torchscript_weights_are_mapped_by_order_and_proved_by_running(perturbed):
    ours = I3D()
    load_torchscript(ours, Program(perturbed))
    for name, value in perturbed.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name


def test_torchscript_weights_in_another_order_are_refused(perturbed):
    """Two tensors of one shape exchanged: only running both networks can tell."""
    program = Program(perturbed)
    batch_norm = [k for k, v in program.listed.items() if v.shape == (384,)]
    program.listed[batch_norm[0]], program.listed[batch_norm[2]] = (
        program.listed[batch_norm[2]],
        program.listed[batch_norm[0]],
    )
    with pytest.raises(UserError, match="logits differ"):
        load_torchscript(I3D(), program)


def test_a_torchscript_file_of_another_network_is_refused(network):
    program = Program(network)
    program.listed.popitem()
    with pytest.raises(UserError, match="do not fit"):
        load_torchscript(I3D(), program)


def test_square_clips_are_stretched_and_others_cropped_in_the_middle():
    frames = np.zeros((9, 100, 200, 3), np.uint8)
    frames[:, :, 60:140] = 255  # the crop is columns 50 to 150
    x = preprocess(frames)
    assert x.shape == (1, 3, 9, 224, 224)
    assert x[0, 0, 0, :, 0].tolist() == [-1.0] * 224
    assert x[0, 0, 0, 112, 112] == 1.0
    assert x[0, 0, 0, 0, 30:194].min() == 1.0
    square = preprocess(frames[:, :, 50:150])
    assert torch.allclose(x[..., 10:-10], square[..., 10:-10], atol=1e-5)
