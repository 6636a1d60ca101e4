"""VBench's dimensions: its formulas written out frame by frame, closed forms, and what is refused."""

from __future__ import annotations

import importlib.util
import sys
import types
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eval.metrics import FAMILIES, METRICS, build_metrics, vbench
from eval.metrics.base import Video
from eval.networks import clip as clip_network
from eval.networks import dino as dino_network
from mardini.errors import UserError

TITLES = {name: entry for name, entry in METRICS.items() if name in FAMILIES["vbench"]}


def video(frames: int = 5, size: tuple[int, int] = (48, 64), seed: int = 0, fps: float = 8.0) -> Video:
    """Coarse squares under fine noise, both changing from frame to frame."""
    random = np.random.default_rng(seed)
    steps = random.normal(0, 40, (frames, 6, 8, 3)).cumsum(0) + random.uniform(60, 200, (6, 8, 3))
    rows, columns = np.arange(size[0]) * 6 // size[0], np.arange(size[1]) * 8 // size[1]
    clip = steps[:, rows][:, :, columns] + random.normal(0, 12, (frames, *size, 3))
    return Video(np.clip(clip, 0, 255).astype(np.uint8), (0,), None, fps)


class Colours(nn.Module):
    """Stands for a detector: a few fixed linear features of a small picture, different for each frame."""

    def forward(self, x: Tensor) -> Tensor:
        small = F.adaptive_avg_pool2d(x, 8).flatten(1)
        matrix = torch.randn(small.shape[1], 24, generator=torch.Generator().manual_seed(1))
        return small @ matrix


def cosine(a: Tensor, b: Tensor) -> float:
    return max(0.0, F.cosine_similarity(a[None], b[None]).item())


def consistency(features: Tensor) -> float:
    """VBench: over frames from the second on, the mean of likeness to the one before and to the first."""
    scores = [
        (cosine(features[i - 1], features[i]) + cosine(features[0], features[i])) / 2
        for i in range(1, len(features))
    ]
    return float(np.mean(scores))


def float_frames(clip: Video) -> Tensor:
    """As VBench's ``load_video`` gives them."""
    return torch.Tensor(clip.frames).permute(0, 3, 1, 2)


@pytest.fixture
def transforms():
    return pytest.importorskip("torchvision.transforms")


def test_temporal_flickering_by_hand() -> None:
    frames = np.zeros((3, 4, 4, 3), np.uint8)
    frames[1] = 255
    frames[2, :2] = 255
    score = vbench.TemporalFlickering()
    assert score(Video(frames, (0,), None, 8.0)) == {"": pytest.approx(1 - (1 + 0.5) / 2)}
    assert score(Video(np.full((3, 4, 4, 3), 7, np.uint8), (0,), None, 8.0)) == {"": 1.0}
    clip = video()
    differences = np.abs(clip.frames[1:].astype(np.float32) - clip.frames[:-1].astype(np.float32))
    expected = (255.0 - np.mean([d.mean() for d in differences])) / 255.0
    assert score(clip)[""] == pytest.approx(expected, abs=1e-7)


def test_i2v_subject_follows_vbench(transforms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vbench, "dino", lambda file, device: Colours())
    clip = video(size=(300, 400))
    prepare = transforms.Compose(
        [
            transforms.Resize(256, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.Lambda(lambda x: x.float().div(255.0)),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    features = Colours()(prepare(float_frames(clip)))
    conformity = [cosine(features[0], f) for f in features]
    neighbours = [cosine(features[i], features[i + 1]) for i in range(4)]
    expected = 0.4 * np.max(conformity) + 0.3 * np.mean(neighbours) + 0.3 * np.min(neighbours)
    assert vbench.I2VSubject()(clip)[""] == pytest.approx(expected, abs=1e-5)
    assert expected < 0.999


def test_subject_consistency_follows_vbench(transforms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vbench, "dino", lambda file, device: Colours())
    clip = video(size=(300, 400))
    prepare = transforms.Compose(
        [
            transforms.Resize(size=224, antialias=False),
            transforms.Lambda(lambda x: x.float().div(255.0)),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    expected = consistency(Colours()(prepare(float_frames(clip))))
    assert vbench.SubjectConsistency()(clip)[""] == pytest.approx(expected, abs=1e-5)
    assert expected < 0.999


def clip_preparation(transforms):
    return transforms.Compose(
        [
            transforms.Resize(224, interpolation=transforms.InterpolationMode.BICUBIC, antialias=False),
            transforms.CenterCrop(224),
            transforms.Lambda(lambda x: x.float().div(255.0)),
            transforms.Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
        ]
    )


def test_background_consistency_follows_vbench(transforms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vbench, "clip", lambda name, file, device: Colours())
    clip = video(size=(240, 320))
    expected = consistency(Colours()(clip_preparation(transforms)(float_frames(clip))))
    assert vbench.BackgroundConsistency()(clip)[""] == pytest.approx(expected, abs=1e-5)


def test_aesthetic_quality_follows_vbench(
    transforms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(vbench, "clip", lambda name, file, device: Padded())
    head = nn.Linear(768, 1).requires_grad_(False)
    torch.save(head.state_dict(), tmp_path / "head.pth")
    clip = video(size=(240, 320))
    features = F.normalize(Padded()(clip_preparation(transforms)(float_frames(clip))), dim=-1)
    expected = float((head(features).squeeze(-1) / 10).mean())
    (tmp_path / "page.pth").write_text("<html>")
    with pytest.raises(UserError, match=r"page\.pth is not LAION's predictor \(UnpicklingError\)"):
        _ = vbench.AestheticQuality(Path("clip"), "cpu", tmp_path / "page.pth").network
    metric = vbench.AestheticQuality(Path("clip"), "cpu", tmp_path / "head.pth")
    assert metric.name == "aesthetic_quality" and metric.weights == ("clip_vit_l_14", "laion_aesthetic")
    assert metric(clip)[""] == pytest.approx(expected, abs=1e-6)
    torch.save(nn.Linear(512, 1).state_dict(), tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other\.pth is not LAION's predictor \(RuntimeError\)"):
        vbench.AestheticQuality(Path("clip"), "cpu", tmp_path / "other.pth")(clip)


class Padded(nn.Module):
    """768 features."""

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(Colours()(x), (0, 744), value=0.5)


def test_imaging_quality_follows_vbench(transforms, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for MUSIQ; the real one is tested where ``pyiqa`` is installed."""
    metric = vbench.ImagingQuality()
    metric.network = Brightness()  # type: ignore[misc]
    clip = video(2, size=(300, 700))
    scale = 512.0 / 700
    resized = transforms.Resize(size=(int(scale * 300), int(scale * 700)), antialias=False)(
        float_frames(clip)
    )
    expected = np.mean([float(Brightness()((frame / 255.0)[None])) for frame in resized]) / 100
    assert metric(clip)[""] == pytest.approx(expected, rel=1e-6)


class Brightness(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        assert x.ndim == 4 and x.max() <= 1 + 1e-6
        return 100 * x.square().mean()


@pytest.mark.skipif(importlib.util.find_spec("pyiqa") is None, reason="pyiqa is optional")
def test_musiq_of_pyiqa() -> None:
    clip = video(1, size=(64, 64))
    assert np.isfinite(vbench.ImagingQuality()(clip)[""])


class Motion(vbench.DynamicDegree):
    """With flows given instead of RAFT's."""

    def __init__(self, flows: list[float]) -> None:
        super().__init__()
        self.flows, self.seen = flows, 0

    def motions(self, frames: np.ndarray):
        self.seen = len(frames)
        return iter(self.flows)


@pytest.mark.parametrize(
    ("frames", "fps", "size", "flows", "score"),
    [
        (9, 8.0, 256, [6.1, 6.1, 0, 0, 0, 0, 0, 0], 1.0),  # round(4 * 9 / 16) = 2 of 8 must move
        (9, 8.0, 256, [6.1, 5.9, 5.9, 0, 0, 0, 0, 0], 0.0),
        (9, 8.0, 512, [11.9] * 8, 0.0),  # the threshold grows with the frames
        (9, 8.0, 512, [12.1] * 8, 1.0),
        (17, 8.0, 256, [7] * 3 + [0] * 13, 0.0),  # round(4 * 17 / 16) = 4
        (17, 8.0, 256, [7] * 4 + [0] * 12, 1.0),
        (17, 24.0, 256, [7, 0, 0, 0, 0], 0.0),  # every third frame: 6 frames, round(1.5) = 2
        (17, 24.0, 256, [0, 7, 0, 0, 7], 1.0),
    ],
)
def test_dynamic_degree_by_hand(frames: int, fps: float, size: int, flows: list[float], score: float) -> None:
    metric = Motion(flows)
    clip = Video(np.zeros((frames, size, size, 3), np.uint8), (0,), None, fps)
    assert metric(clip) == {"": score}
    assert metric.seen == len(flows) + 1


def test_flow_is_averaged_over_its_largest_part(monkeypatch: pytest.MonkeyPatch) -> None:
    class Network(nn.Module):
        def forward(self, a: Tensor, b: Tensor, num_flow_updates: int) -> list[Tensor]:
            assert a.min() >= -1 and a.max() <= 1 and num_flow_updates == 20
            assert a.shape == (1, 3, 136, 144)  # padded to multiples of 8
            flow = torch.zeros(1, 2, *a.shape[2:])
            count = int(136 * 144 * 0.05)
            flow[0, 0].view(-1)[:count], flow[0, 1].view(-1)[:count] = 3.0, 4.0
            return [flow * 0, flow]

    metric = vbench.DynamicDegree()
    metric.network = Network()  # type: ignore[misc]
    assert list(metric.motions(video(3, size=(130, 140)).frames)) == pytest.approx([5.0, 5.0])


def test_small_frames_are_refused() -> None:
    with pytest.raises(UserError, match="needs frames of at least 128x128 pixels, these have 64x48"):
        vbench.DynamicDegree()(video())
    with pytest.raises(UserError, match="dynamic_degree_torchvision_random needs frames of at least 128x128"):
        build_metrics(["dynamic_degree_torchvision"], "random", size=(64, 64))


@pytest.mark.slow
def test_raft_is_torchvisions() -> None:
    metric = vbench.DynamicDegree()
    moved = video(3, size=(128, 128))
    assert metric.name == "dynamic_degree_torchvision_random"
    assert all(np.isfinite(value) for value in metric.motions(moved.frames))


def test_the_networks_are_wired_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones of the real kinds: DINO serves two dimensions; a still clip is wholly like itself."""
    monkeypatch.setattr(dino_network, "DINO", partial(dino_network.DINO, width=48, depth=2, heads=3))
    for name, features in (("ViT-B/32", 24), ("ViT-L/14", 768)):
        monkeypatch.setitem(clip_network.SHAPES, name, clip_network.Shape(32, 2, 2, 32, features))
    vbench.dino.cache_clear(), vbench.clip.cache_clear()
    still = Video(np.repeat(video(1, size=(64, 80)).frames, 2, axis=0), (0,), None, 8.0)
    subject, consistent = vbench.I2VSubject(), vbench.SubjectConsistency()
    assert subject.network is consistent.network
    for metric in (subject, consistent, vbench.BackgroundConsistency()):
        assert metric(still)[""] == pytest.approx(1, abs=1e-5)
        assert metric(video(3, size=(64, 80)))[""] < 1 - 1e-4
    assert np.isfinite(vbench.AestheticQuality()(still)[""])
    vbench.dino.cache_clear(), vbench.clip.cache_clear()


def test_the_family_and_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without truth, weights and package, the default is what can be computed; the rest is named, with a remedy."""
    monkeypatch.setenv("MARDINI_OFFLINE", "1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    metrics = build_metrics(None, "pretrained", truth=False, middle=False)
    assert [column.name for column in metrics.columns] == ["temporal_flickering", "warping_error"]
    sentences = {missing.metric: missing.sentence for missing in metrics.missing}
    assert set(sentences) == {*FAMILIES["vbench"], "clip"} - {"temporal_flickering"}
    assert "ViT-L-14.pt is missing" in sentences["aesthetic_quality"]
    assert all("get https://" in s and "put it into" in s for s in sentences.values())
    with pytest.raises(UserError) as error:
        build_metrics(["aesthetic_quality", "imaging_quality"], "pretrained", truth=False)
    lines = str(error.value).splitlines()
    assert [line.split()[0] for line in lines] == [
        "ViT-L-14.pt", "sa_0_4_vit_l_14_linear.pth", "musiq_spaq_ckpt-358bb6af.pth", "imaging_quality"
    ]  # fmt: skip
    assert "needs the package pyiqa: pip install pyiqa" in lines[-1]
    with pytest.raises(UserError, match="imaging_quality needs the package pyiqa"):
        build_metrics(["imaging_quality_random"], truth=False)


def test_random_columns_carry_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", types.ModuleType("pyiqa"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    columns = build_metrics(["vbench"], "random", truth=False).columns
    assert [c.name.removesuffix("_random") for c in columns] == list(FAMILIES["vbench"])
    for column in columns:
        assert column.name.endswith("_random") == (
            METRICS[column.name.removesuffix("_random")].weight is not None
        )
        assert column.kind == "video" and column.higher_is_better and column.weights == {}
