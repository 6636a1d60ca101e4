"""FID's and FVD's conventions: what is done to frames, and that nothing else moves a feature."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F

from eval.metrics import METRICS
from eval.metrics.detectors import FID, FVD
from eval.metrics.frechet import frechet_distance
from eval.networks import resize
from eval.networks.i3d import I3D, preprocess
from eval.networks.inception import Inception
from eval.networks.inference import convolve, fold_batch_norms, full_precision
from mardini.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    astronaut = skimage.data.astronaut()
    return np.stack([astronaut[i : i + 60, 150 + i : 234 + i] for i in range(0, 90, 10)])


def test_bilinear_is_half_pixel(frames):
    ours = resize.bilinear(frames[:1], CPU)[0].permute(1, 2, 0).numpy()
    at = (np.arange(299) + 0.5) * np.array([[60], [84]]) / 299 - 0.5
    np.testing.assert_allclose(ours, sampled(frames[0], *at) / 127.5 - 1, atol=1e-5)


def test_tensorflow_1_puts_pixel_i_at_i_times_the_scale(frames):
    ours = resize.bilinear_tensorflow(frames[:1], CPU)[0].permute(1, 2, 0).numpy()
    at = np.arange(299) * np.array([[60], [84]]) / 299
    np.testing.assert_allclose(ours, (sampled(frames[0], *at) - 128) / 128, atol=2e-5)


def sampled(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear samples of (H, W, 3) on a grid, the border repeated."""
    image = image.astype(np.float64)
    for axis, at in ((0, rows), (1, columns)):
        last = image.shape[axis] - 1
        low, share = np.floor(at).astype(int), at - np.floor(at)
        first, second = (np.take(image, np.clip(low + k, 0, last), axis=axis) for k in (0, 1))
        share = share.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        image = (1 - share) * first + share * second
    return image


def test_bilinear_resizes_equal_torch_fidelity_and_antialiased_ones_clean_fid(frames):
    tensorflow = pytest.importorskip("torch_fidelity.interpolate_compat_tensorflow")
    x = torch.from_numpy(frames[:2]).permute(0, 3, 1, 2).float()
    theirs = tensorflow.interpolate_bilinear_2d_like_tensorflow1x(x, size=(299, 299), align_corners=False)
    ours = resize.bilinear_tensorflow(frames[:2], CPU) * 128 + 128
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=0)
    clean = pytest.importorskip("cleanfid.resize").build_resizer("clean")(frames[0])
    ours = resize.bicubic_pillow(frames[:1], CPU)[0].permute(1, 2, 0).numpy() * 128 + 128
    np.testing.assert_allclose(ours, clean, atol=1e-4)


@pytest.fixture(scope="module")
def jolted() -> Inception:
    """Random weights whose batch norms are not the identity, in float64 and as written: nothing folded."""
    from eval.networks.initialize import randomize

    network = Inception().eval().requires_grad_(False)
    randomize(network, seed=3)
    generator = torch.Generator().manual_seed(3)
    for name, value in network.state_dict().items():
        if name.endswith(("bn.weight", "bn.running_var")):
            value.uniform_(0.7, 1.4, generator=generator)
        elif name.endswith(("bn.bias", "bn.running_mean")):
            value.uniform_(-0.2, 0.2, generator=generator)
    return network.double()


def test_folding_layout_and_float32_move_features_by_rounding_only(frames, jolted, tmp_path):
    from eval.networks.inception import load_inception

    torch.save(jolted.float().state_dict(), tmp_path / "weights.pth")
    fast = load_inception(tmp_path / "weights.pth").features(frames[:2])
    with torch.inference_mode():
        exact = jolted.double()(resize.bilinear(frames[:2], CPU).double()).numpy()
    scale = np.abs(exact).max()
    assert np.abs(fast - exact).max() < 1e-5 * scale
    assert frechet_distance(fast, exact + 0.1 * scale) == pytest.approx(
        frechet_distance(exact, exact + 0.1 * scale), rel=1e-4
    )


def test_i3d_in_float32_equals_float64(frames):
    from eval.networks.i3d import load_i3d
    from eval.networks.initialize import randomize

    exact = I3D().eval().requires_grad_(False)
    randomize(exact)
    with torch.inference_mode():
        expected = exact.double()(preprocess(frames).double()).numpy()
    found = load_i3d(None).features(frames[None])
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_folded_pair_is_the_same_function():
    pair = torch.nn.Sequential(torch.nn.Conv3d(2, 3, 3), torch.nn.BatchNorm3d(3)).eval()
    generator = torch.Generator().manual_seed(0)
    for value in pair.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5, generator=generator)
    x = torch.randn(1, 2, 5, 6, 7, generator=generator)
    with torch.inference_mode():
        before = pair(x)
        fold_batch_norms(pair)
        assert isinstance(pair[1], torch.nn.Identity)
        torch.testing.assert_close(pair(x), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (7, 2)])
def test_convolutions_of_our_choice_equal_pytorchs(dtype, kernel, stride):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, 9, 10, 11, generator=generator, dtype=dtype)
    conv = torch.nn.Conv3d(4, 5, kernel, stride, padding=kernel // 2, dtype=dtype)
    with torch.inference_mode():
        torch.testing.assert_close(convolve(conv, x), conv(x), rtol=1e-5, atol=1e-5)


def test_clips_through_the_network_together_are_as_alone(frames):
    clips = [frames, frames[::-1].copy(), np.pad(frames, ((0, 0), (0, 8), (0, 0), (0, 0)))]
    for metric in (FID(None), FVD(None)):
        together = metric.features(clips, range(1, 8), 4)
        for clip, found in zip(clips, together, strict=True):
            (alone,) = metric.features([clip], range(1, 8), 4)
            assert found.keys() == alone.keys()
            for key, rows in alone.items():
                assert np.abs(found[key] - rows).max() < 1e-5 * np.abs(rows).max()


def test_features_depend_on_neither_batch_nor_thread(frames):
    metric = FID(None)
    frames = frames[:3]
    together = metric.network.features(frames)
    alone = np.concatenate([metric.network.features(frame[None]) for frame in frames])
    assert np.abs(together - alone).max() < 1e-5 * np.abs(together).max()
    with ThreadPoolExecutor(3) as pool:
        again = np.concatenate(list(pool.map(metric.network.features, frames[:, None])))
    np.testing.assert_array_equal(again, alone)


def test_the_order_of_clips_changes_no_distance():
    random = np.random.default_rng(0)
    a, b = random.random((2, 30, 50), dtype=np.float32)
    order = random.permutation(30)
    for name in ("fid", "kid", "fvd", "fvd_styleganv"):
        metric = METRICS[name].make(None, "cpu")
        value = metric.distance(a, b)  # type: ignore[union-attr]
        assert metric.distance(a[order], b[order]) == pytest.approx(value, rel=1e-9)  # type: ignore[union-attr]


def test_conventions_have_names_and_features_of_their_own(frames):
    names = ["fid", "fid_tf1", "fid_clean", "kid", "fvd", "fvd_styleganv", "fvd_cdfvd"]
    metrics = [METRICS[name].make(None, "cpu") for name in names]
    assert [metric.name for metric in metrics] == [name + "_random" for name in names]
    keys = [metric.detector for metric in metrics if metric.name != "kid_random"]  # type: ignore[union-attr]
    assert len(set(keys)) == len(keys)
    # StyleGAN-V's and cd-fvd's conventions differ by their weight files alone
    assert len({str(metric.variant) for metric in metrics}) == len(metrics) - 1
    assert [metric.ddof for metric in metrics[4:]] == [1, 0, 0]  # type: ignore[union-attr]


def test_other_conventions_crop_where_stylegan_v_stretches(frames):
    cropped, stretched = preprocess(frames), preprocess(frames, crop=False)
    assert cropped.shape == stretched.shape == (1, 3, 9, 224, 224)
    x = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    plain = F.interpolate(x, (224, 224), mode="bilinear", align_corners=False)
    torch.testing.assert_close(stretched[0].transpose(0, 1), plain, atol=1e-5, rtol=0)
    assert (cropped - stretched).abs().max() > 0.1
    square = frames[:, :, 12:72]
    assert torch.equal(preprocess(square), preprocess(square, crop=False))


def test_float_frames_are_refused(frames):
    for metric in (FID(None), FVD(None)):
        with pytest.raises(UserError, match="must be uint8 RGB"):
            metric.features([frames / 255], range(1, 8), 4)


def test_a_gpu_computes_in_float32_and_is_left_as_it_was():
    before = torch.backends.cudnn.allow_tf32
    with pytest.raises(KeyError), full_precision(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
        raise KeyError
    assert torch.backends.cudnn.allow_tf32 == before
    with full_precision(CPU):
        assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_features_on_a_gpu_equal_those_on_a_cpu(frames):
    for metric in (FID, FVD):
        cpu, gpu = (metric(None, device).features([frames], range(1, 8), 4)[0] for device in ("cpu", "cuda"))
        for key, values in cpu.items():
            assert np.abs(gpu[key] - values).max() < 1e-4 * np.abs(values).max()
