"""PSNR, SSIM, flicker and warping error against scikit-image and formulas written out."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np

from eval.calibration.inputs import NOISE, PROCEDURAL, clips, generated_frames, noise_frames
from eval.calibration.rows import WRITTEN_OUT, Check, Values
from eval.metrics.base import Pair, Video


def checks() -> list[Check]:
    """All rows of this kind."""
    rows = []
    for inputs, frames in ((PROCEDURAL, generated_frames), (NOISE, noise_frames)):
        for name, convention in (
            ("psnr", "per frame"),
            ("ssim_vidim", "images in [-1, 1], data_range 2"),
            ("ssim_std", "images in [0, 1], data_range 1"),
        ):
            measure = functools.partial(_scikit_image, name, frames)
            function = (
                "peak_signal_noise_ratio" if name == "psnr" else "structural_similarity, gaussian_weights"
            )
            rows.append(Check(name, convention, "scikit-image", function, inputs, 1e-5, measure))
        rows.append(
            Check(
                "ssim_3d",
                "11x11x11 over (C, H, W), replicated border",
                WRITTEN_OUT,
                "dense conv3d after ssim_matlab of RIFE and AMT, float64",
                inputs,
                1e-6,
                functools.partial(_ssim_3d, frames),
            )
        )
    rows.append(
        Check(
            "psnr_clip",
            "error pooled per clip",
            "scikit-image",
            "peak_signal_noise_ratio of a clip as one image",
            PROCEDURAL,
            1e-5,
            _psnr_clip,
        )
    )
    rows.append(
        Check(
            "temporal_flickering",
            "(255 - MAE) / 255",
            WRITTEN_OUT,
            "after VBench temporal_flickering.py",
            PROCEDURAL,
            1e-6,
            _flicker,
        )
    )
    rows.append(
        Check(
            "warping_error",
            "masked mean squared error, DIS flow",
            "scipy",
            "ndimage.map_coordinates, masks after fast_blind_video_consistency, same flows",
            PROCEDURAL,
            1e-6,
            _warping,
            relative=True,
        )
    )
    return rows


def _scikit_image(name: str, frames: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Values:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    from eval.metrics import METRICS

    a, b = frames()
    ours = METRICS[name].make(None, "cpu")(Pair(a, b))  # type: ignore[operator]
    if name == "psnr":
        return ours, [peak_signal_noise_ratio(y, x, data_range=255) for x, y in zip(a, b, strict=True)]
    shifted = name == "ssim_vidim"
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1}
    images = [[frame / 127.5 - 1 if shifted else frame / 255 for frame in stack] for stack in (a, b)]
    return ours, [
        structural_similarity(x, y, data_range=2.0 if shifted else 1.0, **settings)
        for x, y in zip(*images, strict=True)
    ]


def _ssim_3d(frames: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Values:
    import torch
    import torch.nn.functional as F

    from eval.metrics.pixel import SSIM3D

    a, b = (stack[:4] for stack in frames())
    line = torch.tensor([np.exp(-((i - 5) ** 2) / 4.5) for i in range(11)], dtype=torch.float64)
    line /= line.sum()
    window = torch.einsum("i,j,k->ijk", line, line, line)[None, None]
    x, y = (torch.from_numpy(s).double().permute(0, 3, 1, 2)[:, None] / 255 for s in (a, b))
    mean_x, mean_y, xx, yy, xy = (
        F.conv3d(F.pad(v, (5,) * 6, mode="replicate"), window) for v in (x, y, x * x, y * y, x * y)
    )
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_x * mean_y + c1) * (2 * (xy - mean_x * mean_y) + c2)
    bottom = (mean_x**2 + mean_y**2 + c1) * (xx - mean_x**2 + yy - mean_y**2 + c2)
    return SSIM3D()(Pair(a, b)), (top / bottom).mean(dim=(1, 2, 3, 4)).numpy()


def _psnr_clip() -> Values:
    from skimage.metrics import peak_signal_noise_ratio

    from eval.metrics.pixel import ClipPSNR

    metric, (prediction, reference) = ClipPSNR(), clips()
    pairs = [(a[1:-1], b[1:-1]) for a, b in zip(prediction, reference, strict=True)]
    ours = [metric.forms(metric(Pair(a, b)), None)[""] for a, b in pairs]
    return ours, [peak_signal_noise_ratio(b, a, data_range=255) for a, b in pairs]


def _videos() -> list[Video]:
    return [Video(frames, (0, 8), None, 24.0) for frames in clips()[0]]


def _flicker() -> Values:
    from eval.metrics.vbench import TemporalFlickering

    theirs = []
    for video in _videos():
        errors = []
        for a, b in itertools.pairwise(video.frames):
            errors.append(np.mean(np.abs(np.array(a, np.float32) - np.array(b, np.float32))))
        theirs.append((255.0 - np.mean(errors)) / 255.0)
    return [TemporalFlickering()(video)[""] for video in _videos()], theirs


def _warping() -> Values:
    from eval.metrics.temporal import WarpingError

    metric = WarpingError()
    videos = _videos()[:4]
    return [metric(video)[""] for video in videos], [
        warping_error(video.frames, metric.flow) for video in videos
    ]


def warping_error(frames: np.ndarray, flow: Callable[..., list[np.ndarray]]) -> float:
    """Warping error of a clip (T, H, W, 3), restated with SciPy's interpolation."""
    from scipy.ndimage import map_coordinates

    before, after = list(frames[:-1]), list(frames[1:])
    errors = []
    for a, b, there, back in zip(before, after, flow(before, after), flow(after, before), strict=True):
        height, width = a.shape[:2]
        y, x = np.mgrid[:height, :width] + np.array([there[..., 1], there[..., 0]], np.float64)

        def at(image: np.ndarray, y: np.ndarray = y, x: np.ndarray = x) -> np.ndarray:
            planes = [
                map_coordinates(image[..., c].astype(np.float64), [y, x], order=1, mode="nearest")
                for c in range(image.shape[2])
            ]
            return np.stack(planes, axis=-1)

        returned = at(back)
        strength = (there.astype(np.float64) ** 2).sum(-1)
        occluded = ((there + returned) ** 2).sum(-1) > 0.01 * (strength + (returned**2).sum(-1)) + 0.5
        step = np.zeros((height, width))
        step[:, :-1] += ((there[:, 1:] - there[:, :-1]).astype(np.float64) ** 2).sum(-1)
        step[:-1] += ((there[1:] - there[:-1]).astype(np.float64) ** 2).sum(-1)
        outside = (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)
        seen = ~(occluded | (step > 0.01 * strength + 0.002) | outside)
        squared = (((at(b) - a) / 255.0) ** 2).mean(-1)
        errors.append(squared[seen].mean() if seen.any() else squared.mean())
    return float(np.mean(errors))
