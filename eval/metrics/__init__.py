"""The metrics by name. ``build_metrics`` turns names into a ``MetricSet``; see ``base`` for what a metric is.

Importing this package is cheap: networks and their libraries are loaded when a score is first asked for.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mardini.errors import UserError, unknown

if TYPE_CHECKING:
    from eval.metrics.base import AnyMetric, FrameMetric, SetMetric, VideoMetric
    from eval.metrics.collection import MetricSet

RANDOM = "_random"  # ends the name of every metric whose detector has random weights
FEATURES = ("pretrained", "random")


@dataclass(frozen=True)
class Entry:
    """A metric that can be asked for: a line of description, the weight file it needs, how to make it.

    ``make(path, device)`` takes the verified weight file (``None``: random weights, or no detector at all), and after
    it those of ``more`` weights. ``package``: an optional one that it needs.
    """

    description: str
    weight: str | None
    make: Callable[..., AnyMetric]
    more: tuple[str, ...] = ()
    package: str = ""

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of all weight files it needs."""
        return (self.weight, *self.more) if self.weight else ()


def _psnr(path: Path | None, device: str) -> FrameMetric:
    from eval.metrics.pixel import PSNR

    return PSNR()


def _psnr_clip(path: Path | None, device: str) -> FrameMetric:
    from eval.metrics.pixel import ClipPSNR

    return ClipPSNR()


def _ssim(name: str, shifted: bool) -> Callable[[Path | None, str], FrameMetric]:
    def make(path: Path | None, device: str) -> FrameMetric:
        from eval.metrics.pixel import SSIM

        return SSIM(name, shifted)

    return make


def _ssim_3d(path: Path | None, device: str) -> FrameMetric:
    from eval.metrics.pixel import SSIM3D

    return SSIM3D()


def _lpips(net: str) -> Callable[[Path | None, str], FrameMetric]:
    def make(path: Path | None, device: str) -> FrameMetric:
        from eval.metrics.lpips import LPIPS

        return LPIPS(net, path, device)

    return make


def _dists(path: Path | None, device: str) -> FrameMetric:
    from eval.metrics.dists import DISTS

    return DISTS(path, device)


def _fid(convention: str = "") -> Callable[[Path | None, str], SetMetric]:
    def make(path: Path | None, device: str) -> SetMetric:
        from eval.metrics.detectors import FID

        return FID(path, device, convention=convention)

    return make


def _kid(path: Path | None, device: str) -> SetMetric:
    from eval.metrics.kid import KID

    return KID(path, device)


def _fvd(convention: str = "") -> Callable[[Path | None, str], SetMetric]:
    def make(path: Path | None, device: str) -> SetMetric:
        from eval.metrics.detectors import FVD

        return FVD(path, device, convention=convention)

    return make


def _clip(path: Path | None, device: str) -> VideoMetric:
    from eval.metrics.clip import ClipSimilarity

    return ClipSimilarity(path, device)


def _warping_error(path: Path | None, device: str) -> VideoMetric:
    from eval.metrics.temporal import WarpingError

    return WarpingError()


def _warping_error_raft(path: Path | None, device: str) -> VideoMetric:
    from eval.metrics.temporal import RaftWarpingError

    return RaftWarpingError(path, device)


def _vbench(name: str) -> Callable[..., VideoMetric]:
    def make(*arguments: Path | str | None) -> VideoMetric:
        from eval.metrics import vbench

        return getattr(vbench, name)(*arguments)

    return make


METRICS: dict[str, Entry] = {
    "psnr": Entry("PSNR of the middle frame and mean over frames, dB", None, _psnr),
    "psnr_clip": Entry("PSNR from the error pooled over a clip's generated frames, dB", None, _psnr_clip),
    "ssim_vidim": Entry("SSIM, Gaussian 11/1.5 on [-1, 1], L = 2", None, _ssim("ssim_vidim", shifted=True)),
    "ssim_std": Entry("SSIM, Gaussian 11/1.5 on [0, 1], L = 1", None, _ssim("ssim_std", shifted=False)),
    "ssim_3d": Entry("SSIM with channels as a third dimension, as RIFE and AMT compute it", None, _ssim_3d),
    "lpips_alex": Entry("LPIPS v0.1, AlexNet", "alexnet", _lpips("alex")),
    "lpips_vgg": Entry("LPIPS v0.1, VGG-16", "vgg16", _lpips("vgg")),
    "lpips_squeeze": Entry("LPIPS v0.1, SqueezeNet 1.1", "squeezenet", _lpips("squeeze")),
    "dists": Entry("DISTS, VGG-16", "vgg16", _dists, package="DISTS_pytorch"),
    "fid": Entry("FID of generated frames (pytorch-fid's convention)", "inception", _fid()),
    "fid_tf1": Entry("FID, torch-fidelity's convention: TensorFlow 1's resize", "inception", _fid("_tf1")),
    "fid_clean": Entry("FID, clean-fid's convention: antialiased resize", "inception", _fid("_clean")),
    "kid": Entry("KID on the features of fid, subsets of at most 1000", "inception", _kid),
    "fvd": Entry("FVD of whole clips, VideoGPT's I3D, ddof 1", "i3d", _fvd()),
    "fvd_styleganv": Entry("FVD, StyleGAN-V's I3D file, ddof 0", "i3d_torchscript", _fvd("_styleganv")),
    "fvd_cdfvd": Entry("FVD, I3D mode of cd-fvd: VideoGPT's I3D, stretched, ddof 0", "i3d", _fvd("_cdfvd")),
    "clip": Entry("CLIP ViT-B/32: of consecutive frames, and with the given ones", "clip_vit_b_32", _clip),
    "warping_error": Entry("error of frames warped onto one another by DIS flow", None, _warping_error),
    "warping_error_raft": Entry("the same by RAFT's flow", "raft_large_skht", _warping_error_raft),
    "i2v_subject": Entry("VBench: likeness to the given frame, DINO", "dino_vitb16", _vbench("I2VSubject")),
    "subject_consistency": Entry(
        "VBench: likeness of frames to one another, DINO", "dino_vitb16", _vbench("SubjectConsistency")
    ),
    "background_consistency": Entry(
        "VBench: likeness of frames to one another, CLIP", "clip_vit_b_32", _vbench("BackgroundConsistency")
    ),
    "temporal_flickering": Entry(
        "VBench: 1 minus the mean difference of neighbouring frames", None, _vbench("TemporalFlickering")
    ),
    "aesthetic_quality": Entry(
        "VBench: LAION's aesthetic predictor",
        "clip_vit_l_14",
        _vbench("AestheticQuality"),
        ("laion_aesthetic",),
    ),
    "imaging_quality": Entry(
        "VBench: MUSIQ, package pyiqa", "musiq_spaq", _vbench("ImagingQuality"), package="pyiqa"
    ),
    "dynamic_degree_torchvision": Entry(
        "VBench: share of clips that move, torchvision's RAFT", "raft_large", _vbench("DynamicDegree")
    ),
}

# Short names for the usual choice of a family, and for all of its conventions.
FAMILIES: dict[str, tuple[str, ...]] = {
    "psnr": ("psnr", "psnr_clip"),
    "ssim": ("ssim_vidim", "ssim_std"),
    "lpips": ("lpips_alex",),
    "temporal": ("warping_error", "temporal_flickering"),
    "every_ssim": ("ssim_vidim", "ssim_std", "ssim_3d"),
    "every_lpips": ("lpips_alex", "lpips_vgg", "lpips_squeeze"),
    "every_fid": ("fid", "fid_tf1", "fid_clean"),
    "every_fvd": ("fvd", "fvd_styleganv", "fvd_cdfvd"),
    "vbench": (
        "i2v_subject",
        "subject_consistency",
        "background_consistency",
        "temporal_flickering",
        "aesthetic_quality",
        "imaging_quality",
        "dynamic_degree_torchvision",
    ),
}

PACKAGES = {
    "pyiqa": "pip install pyiqa (its licence forbids commercial use)",
    "DISTS_pytorch": "pip install 'mardini[dists]'",
}
"""Optional package -> how to get it."""

DEFAULT: tuple[str, ...] = ("psnr", "ssim", "lpips", "fid", "fvd")
DEFAULT_WITHOUT_TRUTH: tuple[str, ...] = ("vbench", "clip", "warping_error")
"""What is computed when the user does not say and there are no true clips."""


def place_of(metric: str) -> int:
    """Where a metric, by the name in its columns, stands among all: the order of tables."""
    name = metric.removesuffix(RANDOM)
    return list(METRICS).index(name) if name in METRICS else len(METRICS)


@dataclass(frozen=True)
class Missing:
    """A metric of the default set that this run goes without: its columns, and one sentence on why."""

    metric: str
    columns: tuple[str, ...]
    sentence: str


def expand(names: Sequence[str], features: str) -> list[tuple[str, bool]]:
    """Metric names and families to (name in ``METRICS``, with random weights) pairs, each once, in order.

    ``features`` is ``pretrained`` or ``random``; a name ending in ``_random`` means random weights anyway.
    Raises ``UserError`` for an unknown name (did you mean ...) and for an empty list.
    """
    if features not in FEATURES:
        raise unknown("kind of features", features, FEATURES)
    chosen: dict[tuple[str, bool], None] = {}
    for asked in names:
        name = asked.removesuffix(RANDOM)
        if name not in METRICS and name not in FAMILIES:
            raise unknown("metric", asked, {*METRICS, *FAMILIES})
        for member in FAMILIES.get(name, (name,)):
            detector = METRICS[member].weight is not None
            if asked != name and not detector:
                raise UserError(f"unknown metric '{asked}': {name} has no random weights, ask for {name}")
            chosen[member, detector and (features == "random" or asked != name)] = None
    if not chosen:
        raise UserError(f"no metric was named: choose from {', '.join(sorted({*METRICS, *FAMILIES}))}")
    return list(chosen)


def build_metrics(
    names: Sequence[str] | None = None,
    features: str = "pretrained",
    weights_dir: Path | None = None,
    device: str = "cpu",
    *,
    frames: int | None = None,
    size: tuple[int, int] | None = None,
    truth: bool = True,
    middle: bool = True,
    progress: bool = True,
) -> MetricSet:
    """The metrics to compute, with every weight file found (or fetched) and verified, no network loaded yet.

    Args:
        names: metrics or families as the user gave them; ``None``: the default set, in which a metric
            whose weights cannot be had is left out and listed in ``MetricSet.missing``.
        features: ``pretrained``, or ``random`` for seeded random detectors under other names.
        weights_dir: folder to look in first, and to download into.
        device: where detectors run.
        frames, size: frames per clip and (height, width), where known, to refuse early what cannot be scored.
        truth: whether there are true clips to compare with.
        middle: whether there is a middle frame to score by itself.
        progress: show download progress on stderr.

    Raises:
        UserError: unknown name; a named metric cannot be had: one line for each missing file; a clip too
            short or too small; no truth to compare with; a weight file with a wrong hash.
    """
    from eval.metrics.collection import MetricSet
    from eval.weights import availability

    chosen = expand((DEFAULT if truth else DEFAULT_WITHOUT_TRUTH) if names is None else names, features)
    needed = [w for name, random in chosen if not random for w in METRICS[name].weights]
    weights = availability(needed, weights_dir, progress=progress)
    lacking = [found.sentence for found in weights.values() if found.path is None]
    lacking += [sentence for name, _ in chosen if (sentence := _no_package(METRICS[name], name))]
    if names is not None and lacking:
        raise UserError("\n".join(lacking))
    built: list[AnyMetric] = []
    missing: list[Missing] = []
    for name, random in chosen:
        entry = METRICS[name]
        found = [] if random else [weights[weight] for weight in entry.weights]
        first, *more = [one.path for one in found] or [None]
        metric = entry.make(first, device, *more)
        sentence = next((one.sentence for one in found if one.path is None), "")
        sentence = (
            sentence
            or _no_package(entry, name)
            or _no_truth(metric, truth)
            or _too_small(metric, frames, size)
        )
        if not sentence:
            built.append(metric)
        elif names is not None:
            raise UserError(sentence)
        else:
            label = name + (RANDOM if random else "")
            columns = tuple(label + suffix for suffix in metric.suffixes if middle or suffix != "_mid")
            missing.append(Missing(name, columns, sentence))
    return MetricSet(built, missing, with_middle=middle)


def _no_package(entry: Entry, name: str) -> str:
    """One sentence on the optional package that a metric lacks; empty where it lacks none."""
    if not entry.package or importlib.util.find_spec(entry.package) is not None:
        return ""
    return f"{name} needs the package {entry.package}: {PACKAGES[entry.package]}, or choose other --metrics"


def _no_truth(metric: AnyMetric, truth: bool) -> str:
    """One sentence on why a metric cannot be had without true clips; empty where it can."""
    if truth or not getattr(metric, "needs_reference", True):
        return ""
    return f"{metric.name} compares with true clips, and there are none: choose other --metrics, or another dataset"


def _too_small(metric: AnyMetric, frames: int | None, size: tuple[int, int] | None) -> str:
    """One sentence on why clips of this many frames of this size cannot be scored; empty where they can."""
    least = getattr(metric, "min_frames", 1)
    if frames is not None and frames < least:
        return (
            f"{metric.name} needs clips of at least {least} frames, these have {frames}: "
            "use longer clips or choose other --metrics"
        )
    least = getattr(metric, "min_size", 1)
    if size is not None and min(size) < least:
        return (
            f"{metric.name} needs frames of at least {least}x{least} pixels, these have {size[1]}x{size[0]}: "
            "use larger frames or choose other --metrics"
        )
    return ""
