"""DISTS: parity with the authors' package with the same weights, the channel weights of the package, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import torch

from eval.metrics import dists as module
from eval.metrics.base import Pair
from eval.metrics.dists import DISTS, channel_weights
from mardini.errors import UserError


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> tuple[object, object]:
    """A seeded random VGG-16 of torchvision's, and its state saved as its weight files are, without a classifier."""
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    features = models.vgg16(weights=None).features
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save({f"features.{name}": value for name, value in features.state_dict().items()}, path)
    return features, path


@pytest.fixture(scope="module")
def pair() -> Pair:
    astronaut = skimage.data.astronaut()
    a = np.stack([astronaut[i : i + 48, 150:202] for i in (0, 40, 80)])
    b = np.stack([astronaut[i + 2 : i + 50, 151:203] for i in (0, 40, 80)])
    return Pair(a, b)


def test_dists_equals_the_authors_package(backbone, pair, monkeypatch):
    package = pytest.importorskip("DISTS_pytorch.DISTS_pt")
    features, path = backbone

    class Vgg16:
        def __init__(self) -> None:
            self.features = features

    monkeypatch.setattr(package.models, "vgg16", lambda pretrained: Vgg16())
    theirs = package.DISTS(load_weights=False)
    state = torch.load(channel_weights(), map_location="cpu", weights_only=True)
    theirs.alpha.data, theirs.beta.data = state["alpha"], state["beta"]
    x, y = (torch.from_numpy(f).permute(0, 3, 1, 2).float() / 255 for f in (pair.prediction, pair.reference))
    expected = theirs(x, y).detach().numpy()
    metric = DISTS(path)
    assert (metric.name, metric.weights) == ("dists", ("vgg16",))
    found = metric(pair)
    np.testing.assert_allclose(found, expected, atol=2e-6, rtol=0)
    assert found.min() > 1e-3
    np.testing.assert_allclose(metric(Pair(pair.reference, pair.reference)), 0, atol=1e-6)


def test_random_weights_have_another_name_and_need_no_package(pair, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    metric = DISTS(None)
    assert (metric.name, metric.weights) == ("dists_random", ())
    small = Pair(pair.prediction[:1, :16, :16], pair.reference[:1, :16, :16])
    assert 0 < metric(small)[0] < 1
    with pytest.raises(UserError, match=r"pip install 'mardini\[dists\]'"):
        DISTS(module.Path("vgg16.pth"))
    with pytest.raises(UserError, match="at least 16x16 pixels, got 15x16"):
        metric(Pair(pair.prediction[:, :16, :15], pair.reference[:, :16, :15]))


def test_other_channel_weights_are_refused(monkeypatch):
    monkeypatch.setattr(module, "CHANNELS_SHA256", "0" * 64)
    with pytest.raises(UserError, match=r"is not DISTS 0\.1"):
        channel_weights()
