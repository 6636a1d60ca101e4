"""The FID Inception network against pytorch-fid with the same injected weights."""

import numpy as np
import pytest
import skimage.data
import torch

from eval.networks.inception import Inception, load_inception
from eval.networks.initialize import randomize


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Seeded random weights, with batch norm statistics that are not the identity."""
    network = Inception()
    randomize(network, seed=7)
    generator = torch.Generator().manual_seed(7)
    state = network.state_dict()
    for name, value in state.items():
        if name.endswith(("bn.weight", "bn.running_var")):
            value.uniform_(0.7, 1.4, generator=generator)
        elif name.endswith(("bn.bias", "bn.running_mean")):
            value.uniform_(-0.2, 0.2, generator=generator)
    return state


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    astronaut = skimage.data.astronaut()
    return np.stack([astronaut[:128, 120:280], astronaut[200:328, 20:180]])


def test_fid_features_equal_pytorch_fid(state, frames, monkeypatch, tmp_path):
    reference = pytest.importorskip("pytorch_fid.inception")
    monkeypatch.setattr(reference, "load_state_dict_from_url", lambda *args, **kwargs: state)
    theirs = reference.InceptionV3([3]).eval()
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(frames).permute(0, 3, 1, 2) / 255)[0].flatten(1).numpy()
    torch.save(state, tmp_path / "inception.pth")
    ours = load_inception(tmp_path / "inception.pth").features(frames)
    assert ours.shape == (2, 2048)
    assert ours.dtype == np.float32
    assert np.abs(ours - expected).max() <= 1e-5 * np.abs(expected).max()
    assert np.abs(expected[0] - expected[1]).max() > 1e-2 * np.abs(expected).max()


def test_a_file_with_other_layers_is_not_loaded(state, tmp_path):
    torch.save({k: v for k, v in state.items() if not k.startswith("fc.")}, tmp_path / "other.pth")
    with pytest.raises(RuntimeError, match=r"fc\.weight"):
        load_inception(tmp_path / "other.pth")


def test_random_weights_are_the_same_each_time_and_see_the_input(frames):
    first, second = load_inception(None), load_inception(None)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert first.Conv2d_1a_3x3.conv.weight.std() == pytest.approx((2 / 27) ** 0.5, rel=0.1)
    features = first.features(frames)
    assert np.isfinite(features).all()
    assert 0.05 < features.std() < 50
    assert np.abs(features[0] - features[1]).mean() > 0.01 * np.abs(features).mean()
