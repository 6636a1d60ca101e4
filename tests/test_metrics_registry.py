"""Names, families, random features, missing weights, and the metric set on clips."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eval.metrics import METRICS, build_metrics, expand
from eval.metrics.base import Pair, Video
from mardini.errors import UserError

GIVEN, TARGETS, MIDDLE = (0, 8), range(1, 8), 4


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MARDINI_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MARDINI_WEIGHTS", raising=False)


def make_clips(count: int, size: int = 32) -> list[tuple[np.ndarray, np.ndarray]]:
    """(prediction, reference) pairs of 9 frames; the prediction holds the given frames unchanged."""
    clips = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        reference = random.integers(0, 256, (9, size, size, 3), dtype=np.uint8)
        noise = random.integers(-30, 31, reference.shape)
        noise[list(GIVEN)] = 0
        clips.append((np.clip(reference + noise, 0, 255).astype(np.uint8), reference))
    return clips


def test_families_expand_and_each_metric_comes_once():
    assert expand(["ssim", "psnr", "ssim_std", "lpips"], "pretrained") == [
        ("ssim_vidim", False),
        ("ssim_std", False),
        ("psnr", False),
        ("psnr_clip", False),
        ("lpips_alex", False),
    ]
    assert expand(["psnr", "fid", "fvd_styleganv"], "random") == [
        ("psnr", False),
        ("psnr_clip", False),
        ("fid", True),
        ("fvd_styleganv", True),
    ]
    assert expand(["fid_random", "fid"], "pretrained") == [("fid", True), ("fid", False)]


@pytest.mark.parametrize(
    ("names", "features", "message"),
    [
        (["pnsr"], "random", "unknown metric 'pnsr': did you mean 'psnr'"),
        (["lpips_vg"], "random", "did you mean 'lpips_vgg'"),
        (["psnr_random"], "random", "psnr has no random weights"),
        ([], "random", "no metric was named"),
        (["psnr"], "pretrainde", "unknown kind of features 'pretrainde': did you mean 'pretrained'"),
    ],
)
def test_wrong_names_are_refused(names, features, message):
    with pytest.raises(UserError, match=message):
        expand(names, features)


def test_random_columns_carry_another_name_everywhere():
    metrics = build_metrics(None, "random")
    assert [column.name for column in metrics.columns] == [
        "psnr_mid",
        "psnr_all",
        "psnr_clip",
        "ssim_vidim_mid",
        "ssim_vidim_all",
        "ssim_std_mid",
        "ssim_std_all",
        "lpips_alex_random_mid",
        "lpips_alex_random_all",
        "fid_random_mid",
        "fid_random_all",
        "fvd_random",
    ]
    assert metrics.detectors == ["inception_random_mid", "inception_random_all", "i3d_random"]
    assert not metrics.missing
    for column in metrics.columns:
        assert column.weights == {}
        assert ("_random" in column.name) == (column.variant.get("weights") == "seeded random")
        assert column.kind == ("set" if column.name.startswith(("fid", "fvd")) else "frame")
        assert column.higher_is_better == column.name.startswith(("psnr", "ssim"))


def test_a_named_metric_without_weights_stops_with_a_line_for_each_file():
    with pytest.raises(UserError) as failure:
        build_metrics(["psnr", "lpips_vgg", "fid", "fvd"], "pretrained")
    lines = str(failure.value).splitlines()
    assert [line.split()[0] for line in lines] == [
        "vgg16-397923af.pth",
        "pt_inception-2015-12-05-6726825d.pth",
        "i3d_pretrained_400.pt",
    ]
    assert all("get https://" in line and "put it into" in line for line in lines)


def test_the_default_set_goes_on_without_them_and_says_so():
    metrics = build_metrics(None, "pretrained")
    assert {column.metric for column in metrics.columns} == {"psnr", "psnr_clip", "ssim_vidim", "ssim_std"}
    assert [(entry.metric, entry.columns) for entry in metrics.missing] == [
        ("lpips_alex", ("lpips_alex_mid", "lpips_alex_all")),
        ("fid", ("fid_mid", "fid_all")),
        ("fvd", ("fvd",)),
    ]
    assert all("is missing" in entry.sentence for entry in metrics.missing)


def test_columns_with_weights_name_the_file_and_its_hash(tmp_path, monkeypatch):
    import dataclasses

    from eval.weight_files import WEIGHTS

    digest = hashlib.sha256(b"content").hexdigest()
    monkeypatch.setitem(WEIGHTS, "i3d", dataclasses.replace(WEIGHTS["i3d"], sha256=digest))
    (tmp_path / WEIGHTS["i3d"].file).write_bytes(b"content")
    (column,) = build_metrics(["fvd"], "pretrained", tmp_path).columns
    assert column.name == "fvd"
    assert column.weights == {"i3d_pretrained_400.pt": digest}
    assert column.variant["ddof"] == 1


def test_clips_that_are_too_short_or_small_are_refused_before_any_work():
    with pytest.raises(UserError, match="fvd_random needs clips of at least 9 frames, these have 8"):
        build_metrics(["fvd"], "random", frames=8)
    with pytest.raises(UserError, match="ssim_vidim needs frames of at least 11x11 pixels, these have 64x10"):
        build_metrics(["ssim"], "random", size=(10, 64))
    missing = build_metrics(None, "random", frames=5).missing
    assert [entry.metric for entry in missing] == ["fvd"]


def test_scores_look_at_the_generated_frames_only():
    metrics = build_metrics(["psnr", "ssim"], "random")
    ((prediction, reference),) = make_clips(1)
    columns, per_frame = metrics.score(Video(prediction, GIVEN, reference, 24.0), MIDDLE)
    assert list(columns) == [column.name for column in metrics.columns]
    assert {name: len(values) for name, values in per_frame.items()} == {
        "psnr": 7,
        "mse": 7,
        "ssim_vidim": 7,
        "ssim_std": 7,
    }
    changed = prediction.copy()
    changed[list(GIVEN)] = 0
    assert metrics.score(Video(changed, GIVEN, reference, 24.0), MIDDLE) == (columns, per_frame)
    assert columns["psnr_mid"] == per_frame["psnr"][3]
    assert columns["psnr_all"] == np.mean(per_frame["psnr"])
    alone = METRICS["ssim_vidim"].make(None, "cpu")
    assert alone(Pair(prediction[4:5], reference[4:5]))[0] == columns["ssim_vidim_mid"]  # type: ignore[operator]


def test_a_clip_of_another_length_is_refused():
    metrics = build_metrics(["psnr"], "random")
    ((prediction, reference),) = make_clips(1)
    with pytest.raises(UserError, match="does not match"):
        metrics.score(Video(prediction[:8], GIVEN, reference, 24.0), MIDDLE)


class Pooled:
    """Stands for a detector: means over an 8x8 grid of each frame, or of the clip."""

    def __init__(self, whole_clip: bool) -> None:
        self.whole_clip = whole_clip

    def features(self, frames: np.ndarray, convention: str = "", *, crop: bool = True) -> np.ndarray:
        grid = frames.reshape(*frames.shape[:-3], 8, 4, 8, 4, 3).mean(axis=(-5 + 1, -2, -1))
        return grid.reshape(len(frames), -1).astype(np.float32)


def test_fid_sees_generated_frames_and_fvd_whole_clips():
    metrics = build_metrics(["fid", "fvd"], "random")
    fid, fvd = metrics.set_metrics
    fid.network, fvd.network = Pooled(whole_clip=False), Pooled(whole_clip=True)  # type: ignore[attr-defined]
    clips = make_clips(5)
    ours = [metrics.features(prediction, TARGETS, MIDDLE) for prediction, _ in clips]
    real = [metrics.features(reference, TARGETS, MIDDLE) for _, reference in clips]
    assert {key: rows.shape for key, rows in ours[0].items()} == {
        "inception_random_mid": (1, 64),
        "inception_random_all": (7, 64),
        "i3d_random": (1, 9 * 64),
    }
    np.testing.assert_array_equal(ours[0]["inception_random_mid"][0], ours[0]["inception_random_all"][3])
    changed = clips[0][0].copy()
    changed[0] = 0
    again = metrics.features(changed, TARGETS, MIDDLE)
    np.testing.assert_array_equal(again["inception_random_all"], ours[0]["inception_random_all"])
    assert (again["i3d_random"] != ours[0]["i3d_random"]).any()

    def gather(found: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return {key: np.concatenate([clip[key] for clip in found]) for key in metrics.detectors}

    sources = ["a", "a", "b", "c", "d"]
    distances = metrics.distances(gather(ours), gather(real), sources)
    assert {name: estimate.n for name, estimate in distances.items()} == {
        "fid_random_mid": 5,
        "fid_random_all": 35,
        "fvd_random": 5,
    }
    for estimate in distances.values():
        assert estimate.value > 0
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low <= estimate.value <= estimate.high
    same = metrics.distances(gather(real), gather(real), sources)
    assert all(abs(estimate.value) < 1e-6 for estimate in same.values())
    one_source = metrics.distances(gather(ours), gather(real), ["a"] * 5)["fvd_random"]
    assert one_source == (distances["fvd_random"].value, None, None, None, 5, ())
    with pytest.raises(UserError, match="at least 2 samples"):
        metrics.distances(gather(ours[:1]), gather(real[:1]), ["a"])


def test_naming_metrics_loads_no_network_library():
    code = (
        "import sys; from eval.metrics import build_metrics; build_metrics(None, 'random'); "
        "print(*sorted({'torch', 'torchvision', 'lpips', 'scipy'} & set(sys.modules)))"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("", "scipy")
