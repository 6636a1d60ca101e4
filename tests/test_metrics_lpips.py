"""LPIPS: parity with the lpips package, and the loading of its two kinds of weights."""

import warnings

import numpy as np
import pytest
import skimage.data
import torch

from eval.metrics import lpips as ours
from eval.metrics.base import Pair
from mardini.errors import UserError


@pytest.fixture(scope="module")
def pair() -> Pair:
    astronaut = skimage.data.astronaut()
    a = np.stack([astronaut[i : i + 64, 150:214] for i in (0, 60)])
    b = np.stack([astronaut[i + 2 : i + 66, 151:215] for i in (0, 60)])
    return Pair(a, b)


def torchvision_backbone(net: str) -> dict[str, torch.Tensor]:
    """A seeded random state dict in torchvision's names, as its weight files hold."""
    import torchvision

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = {"alex": "alexnet", "squeeze": "squeezenet1_1", "vgg": "vgg16"}
        model = getattr(torchvision.models, names[net])(weights=None)
    return model.state_dict()


@pytest.mark.parametrize("net", ["alex", "squeeze", pytest.param("vgg", marks=pytest.mark.slow)])
def test_lpips_equals_the_package_with_the_same_weights(net, pair, tmp_path):
    """Backbone injected on both sides; the linear layers are the package's own, trained ones."""
    package = pytest.importorskip("lpips")
    backbone = torchvision_backbone(net)
    torch.save(backbone, tmp_path / "backbone.pth")
    metric = ours.LPIPS(net, tmp_path / "backbone.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = package.LPIPS(net=net, version="0.1", pnet_rand=True, verbose=False)
    for name, value in reference.net.named_parameters():
        value.data.copy_(backbone["features." + name.split(".", 1)[1]])
    expected = []
    for a, b in zip(pair.prediction, pair.reference, strict=True):
        x, y = (torch.from_numpy(frame).permute(2, 0, 1)[None] / 127.5 - 1 for frame in (a, b))
        with torch.inference_mode():
            expected.append(reference(x, y).item())
    assert metric.name == f"lpips_{net}"
    np.testing.assert_allclose(metric(pair), expected, atol=1e-6, rtol=0)
    assert min(expected) > 1e-4


def test_random_weights_have_another_name_and_behave(pair):
    first, second = ours.LPIPS("alex", None), ours.LPIPS("alex", None)
    assert first.name == first.row == "lpips_alex_random"
    assert first.weights == ()
    values = first(pair)
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, second(pair))
    assert (values > 1e-4).all()
    np.testing.assert_array_equal(first(Pair(pair.reference, pair.reference)), 0)
    assert all((layer.model[-1].weight >= 0).all() for layer in first.network.lins)  # type: ignore[union-attr]


def test_changed_linear_layers_are_refused(tmp_path, monkeypatch):
    torch.save(torchvision_backbone("squeeze"), tmp_path / "backbone.pth")
    monkeypatch.setitem(ours.LINEAR_SHA256, "squeeze", "0" * 64)
    with pytest.raises(UserError, match=r"is not LPIPS v0\.1 for squeeze"):
        ours.load_lpips("squeeze", tmp_path / "backbone.pth")


def test_frames_too_small_for_the_network_are_refused():
    metric = ours.LPIPS("alex", None)
    fits, small = (np.zeros((1, n, n, 3), np.uint8) for n in (31, 30))
    assert metric(Pair(fits, fits)) == 0
    with pytest.raises(UserError, match="at least 31x31 pixels, got 30x30"):
        metric(Pair(small, small))
