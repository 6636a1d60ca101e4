"""PSNR and SSIM: parity with scikit-image, closed forms, refusals."""

import numpy as np
import pytest
import skimage.data
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from eval.metrics.base import Pair
from eval.metrics.pixel import CHANNELS, PSNR, SSIM, SSIM3D, ClipPSNR
from mardini.errors import UserError

VIDIM, STD = SSIM("ssim_vidim", shifted=True), SSIM("ssim_std", shifted=False)


def natural_pair() -> tuple[np.ndarray, np.ndarray]:
    astronaut = skimage.data.astronaut()
    frames = np.stack([astronaut[i : i + 96, 150 : 150 + 120] for i in (0, 40, 80)])
    shifted = np.stack([astronaut[i + 1 : i + 97, 152 : 152 + 120] for i in (0, 40, 80)])
    return frames, shifted


def random_pair() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 256, (2, 2, 40, 33, 3), dtype=np.uint8)
    return a, b


def flat_pair() -> tuple[np.ndarray, np.ndarray]:
    return np.full((1, 16, 16, 3), 10, np.uint8), np.full((1, 16, 16, 3), 240, np.uint8)


def reference_ssim(a: np.ndarray, b: np.ndarray, shifted: bool) -> float:
    a, b = a / 255.0, b / 255.0
    if shifted:
        a, b = 2 * a - 1, 2 * b - 1
    value = structural_similarity(
        a,
        b,
        data_range=2.0 if shifted else 1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1,
    )
    return float(value)


@pytest.mark.parametrize("pair", [natural_pair, random_pair, flat_pair])
@pytest.mark.parametrize("metric", [VIDIM, STD], ids=["vidim", "std"])
def test_ssim_equals_scikit_image(pair, metric):
    a, b = pair()
    ours = metric(Pair(a, b))
    expected = [reference_ssim(x, y, metric.shifted) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ours, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("pair", [natural_pair, random_pair, flat_pair])
def test_psnr_equals_scikit_image(pair):
    a, b = pair()
    expected = [peak_signal_noise_ratio(x, y, data_range=255) for x, y in zip(b, a, strict=True)]
    np.testing.assert_allclose(PSNR()(Pair(a, b)), expected, atol=1e-5, rtol=0)


def dense_3d_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """``ssim_matlab`` restated: one dense 11x11x11 convolution over (C, H, W), replicated 5 in every direction."""
    import torch
    import torch.nn.functional as F

    line = torch.exp(-((torch.arange(11.0, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    line /= line.sum()
    window = torch.einsum("i,j,k->ijk", line, line, line)[None, None]

    def mean(volume: torch.Tensor) -> torch.Tensor:
        return F.conv3d(F.pad(volume, (5,) * 6, mode="replicate"), window)

    x, y = (torch.from_numpy(image).double().permute(2, 0, 1)[None, None] / 255 for image in (a, b))
    mu_x, mu_y = mean(x), mean(y)
    var_x, var_y = mean(x * x) - mu_x**2, mean(y * y) - mu_y**2
    covariance = mean(x * y) - mu_x * mu_y
    numerator = (2 * mu_x * mu_y + 0.01**2) * (2 * covariance + 0.03**2)
    return float((numerator / ((mu_x**2 + mu_y**2 + 0.01**2) * (var_x + var_y + 0.03**2))).mean())


@pytest.mark.parametrize("pair", [natural_pair, random_pair, flat_pair])
def test_ssim_3d_equals_a_dense_convolution_over_channels_too(pair):
    a, b = (frames[:1, :40, :33] for frames in pair())
    assert SSIM3D()(Pair(a, b))[0] == pytest.approx(dense_3d_ssim(a[0], b[0]), abs=1e-9)


def test_the_window_over_channels_repeats_the_outer_two():
    np.testing.assert_allclose(CHANNELS.sum(axis=1), 1)
    np.testing.assert_allclose(CHANNELS, CHANNELS[::-1, ::-1])
    weights = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    assert CHANNELS[0].tolist() == pytest.approx([weights[:6].sum(), weights[6], weights[7:].sum()])


def test_forms_of_ssim_on_real_results_are_ordered_as_published(shared):
    """AMT's middle frames of the VIDIM site: 0.6706, 0.5474 and 0.4929 over all 400 clips."""
    from mardini.video import read_video

    scores: dict[str, list[float]] = {"ssim_3d": [], "ssim_std": [], "ssim_vidim": []}
    for number in (0, 7, 13):
        amt, truth = (read_video(shared / "vidim" / f"{number}_{who}.mp4") for who in ("amt", "gt"))
        pair = Pair(amt[3:4], truth[3:4])
        for metric in (SSIM3D(), STD, VIDIM):
            scores[metric.name].append(float(metric(pair)[0]))
    three, std, vidim = (np.mean(values) for values in scores.values())
    assert three > std > vidim
    assert 0.05 < three - std < 0.2


def test_the_two_ssims_differ():
    a, b = natural_pair()
    assert abs(VIDIM(Pair(a, b)) - STD(Pair(a, b))).min() > 1e-3


def test_identical_frames_score_the_cap_and_one():
    frames = natural_pair()[0]
    pair = Pair(frames, frames)
    assert PSNR()(pair).tolist() == [100.0] * 3
    assert ClipPSNR().forms(ClipPSNR()(pair), 1) == {"": 100.0}
    np.testing.assert_allclose(STD(pair), 1, atol=1e-12)
    np.testing.assert_allclose(VIDIM(pair), 1, atol=1e-12)


def test_clip_psnr_pools_the_error_before_the_logarithm():
    reference = np.zeros((2, 16, 16, 3), np.uint8)
    prediction = reference.copy()
    prediction[0] += 1  # MSE 1
    prediction[1] += 7  # MSE 49, pooled 25
    pair = Pair(prediction, reference)
    assert ClipPSNR().forms(ClipPSNR()(pair), 0)[""] == pytest.approx(20 * np.log10(255 / 5))
    assert PSNR().forms(PSNR()(pair), 1)["_mid"] == pytest.approx(20 * np.log10(255 / 7))
    assert PSNR().forms(PSNR()(pair), 0)["_all"] == pytest.approx(20 * np.log10(255) - 10 * np.log10(7))


images = hnp.arrays(np.uint8, st.tuples(st.just(1), st.integers(11, 20), st.integers(11, 20), st.just(3)))


@settings(max_examples=25, deadline=None)
@given(a=images, seed=st.integers(0, 2**31))
def test_ssim_is_symmetric_and_at_most_one(a, seed):
    assume(a.max() != 1)  # refused, see below
    b = np.random.default_rng(seed).integers(0, 256, a.shape, dtype=np.uint8)
    for metric in (VIDIM, STD):
        forward, backward = metric(Pair(a, b)), metric(Pair(b, a))
        np.testing.assert_allclose(forward, backward, atol=1e-12)
        assert -1 - 1e-9 <= forward[0] <= 1 + 1e-9


def test_frames_in_0_to_1_cast_to_8_bits_are_refused():
    reference = natural_pair()[0]
    with pytest.raises(UserError, match="no grey level but 0 and 1"):
        Pair((reference / 255).round().astype(np.uint8), reference)
    dark = np.ones_like(reference)
    Pair(dark, dark)  # a dark scene is none
    Pair(0 * dark, reference)  # nor is a black prediction


def test_a_frame_scores_alike_alone_and_in_a_clip():
    a, b = natural_pair()
    for metric in (VIDIM, STD, PSNR()):
        assert metric(Pair(a, b))[1] == metric(Pair(a[1:2], b[1:2]))[0]


def test_frames_smaller_than_the_window_are_refused():
    tiny = np.zeros((1, 10, 64, 3), np.uint8)
    with pytest.raises(UserError, match="at least 11x11 pixels, got 64x10"):
        STD(Pair(tiny, tiny))


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((1, 16, 16, 3), np.float32), "must be uint8"),
        (np.zeros((1, 3, 16, 16), np.uint8), r"\(T, H, W, 3\)"),
        (np.zeros((2, 16, 16, 3), np.uint8), "does not match"),
    ],
)
def test_wrong_arrays_are_refused(frames, message):
    with pytest.raises(UserError, match=message):
        Pair(frames, np.zeros((1, 16, 16, 3), np.uint8))
