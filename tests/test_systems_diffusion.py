"""Systems through diffusers: what goes into a pipeline, what comes out, and each real pipeline, tiny and random."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_diffusers import TINY

from eval.datasets.base import Clip, Dataset
from eval.protocols import Protocol, protocol_for
from eval.systems import build_systems
from eval.systems.base import Task, keep_given
from eval.systems.diffusion import DIFFUSION, LTX_NEGATIVE, PROMPT, WAN_NEGATIVE, DiffusionSystem
from eval.systems.model_folder import MIB, fingerprint, load, locate
from eval.systems.resampling import Native
from eval.systems.rivals import RIVALS, Hub
from mardini.errors import UserError
from mardini.video import resize

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")
pytest.importorskip("ftfy")
pytest.importorskip("sentencepiece")

SMOOTH = np.random.default_rng(0).integers(0, 256, (9, 3, 3, 3), np.uint8)
CLIP = resize(SMOOTH, (24, 24))
DATA = Dataset("folder", [Clip("a", "a", lambda: CLIP)], "fingerprint", fps=24)
MASKS = {
    "svd": protocol_for("i2v", "folder"),
    "wan-flf2v": protocol_for("interpolation", "folder"),
    "wan-vace": protocol_for("interpolation", "folder", given=(0, 3, 8)),
    "ltx": protocol_for("expansion", "folder"),
}
SMALL = {  # a format that a tiny model answers in in a fraction of a second
    "svd": Native(10, 1, 5, 30, (32, 32), 32),
    "wan-flf2v": Native(17, 4, 16, 16, (32, 32), 16),
    "wan-vace": Native(17, 4, 16, 16, (32, 32), 16),
    "ltx": Native(17, 8, 25, 25, (32, 32), 32),
}


def system(name: str, where: str | None = None, protocol: Protocol | None = None) -> DiffusionSystem:
    text = name if where is None else f"{name}={where}"
    (built,) = build_systems([text], DATA, protocol or MASKS[name])
    assert isinstance(built, DiffusionSystem)
    return built


def task(name: str, seed: int = 1, protocol: Protocol | None = None) -> Task:
    given = (protocol or MASKS[name]).given
    return Task("a", {i: CLIP[i] for i in given}, 9, seed, DATA.fps)


class FakePipeline:
    """Checks a call against the real pipeline's signature and answers with frames that show their own index."""

    def __init__(self, name: str) -> None:
        self.signature = inspect.signature(getattr(diffusers, name).__call__)
        self.calls: list[dict[str, Any]] = []

    def __call__(self, **arguments: Any) -> Any:
        self.signature.bind(self, **arguments)
        self.calls.append(arguments)
        count, height, width = (arguments[key] for key in ("num_frames", "height", "width"))
        video = np.zeros((count, 1, 1, 3), np.float32)
        video[..., 0] = np.arange(count).reshape(-1, 1, 1) / 255
        video[..., 1] = torch.rand(1, generator=arguments["generator"]).item()
        return SimpleNamespace(frames=np.broadcast_to(video, (1, count, height, width, 3)))


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakePipeline]:
    pipelines: dict[str, FakePipeline] = {}

    def load(name: str, folder: Path, pipeline: str, *_: Any) -> FakePipeline:
        pipelines[name] = FakePipeline(pipeline)
        return pipelines[name]

    monkeypatch.setattr("eval.systems.diffusion.download", lambda *_: Path("models"))
    monkeypatch.setattr("eval.systems.diffusion.load", load)
    return pipelines


@pytest.mark.parametrize("name", DIFFUSION)
def test_what_goes_in_and_what_comes_out(name: str, fakes: dict[str, FakePipeline]) -> None:
    built = system(name)
    assert not fakes, "loaded before use"
    (made,) = built.predict([task(name)])
    (call,) = fakes[name].calls
    native = built.native
    assert made.shape == CLIP.shape and made.dtype == np.uint8
    assert made[:, 0, 0, 0].tolist() == list(built.times.places)
    assert call["num_frames"] == built.times.frames
    assert call["height"] * call["width"] <= native.size[0] * native.size[1]
    assert call["height"] % native.multiple == call["width"] % native.multiple == 0
    assert {key: call[key] for key in built.options} == built.options
    assert call["output_type"] == "np"


@pytest.mark.parametrize("name", DIFFUSION)
def test_each_clip_has_its_own_seed(name: str, fakes: dict[str, FakePipeline]) -> None:
    built = system(name)
    one, two, again = built.predict([task(name, 1), task(name, 2**63 - 1), task(name, 1)])
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(built.predict([task(name, 2**63 - 1)])[0], two)


def shown(picture: Image.Image) -> int | None:
    """Which frame of the clip a picture is, enlarged; ``None``: none of them."""
    small = np.asarray(picture.resize((24, 24), Image.Resampling.BOX)).astype(float)
    errors = np.abs(CLIP - small).mean(axis=(1, 2, 3))
    return int(errors.argmin()) if errors.min() < 3 else None


def test_svd_is_given_the_image_and_the_rate(fakes: dict[str, FakePipeline]) -> None:
    system("svd").predict([task("svd")])
    call = fakes["svd"].calls[0]
    assert shown(call["image"]) == 0
    assert call["image"].size == (768, 768)
    assert (call["fps"], call["num_frames"]) == (24, 25)


def test_wan_is_given_the_first_and_the_last_frame(fakes: dict[str, FakePipeline]) -> None:
    system("wan-flf2v").predict([task("wan-flf2v")])
    call = fakes["wan-flf2v"].calls[0]
    assert (shown(call["image"]), shown(call["last_image"])) == (0, 8)
    assert call["image"].size == call["last_image"].size == (960, 960)
    assert (call["prompt"], call["negative_prompt"], call["num_frames"]) == (PROMPT, WAN_NEGATIVE, 81)


def test_vace_is_given_frames_and_a_mask(fakes: dict[str, FakePipeline]) -> None:
    system("wan-vace").predict([task("wan-vace")])
    call = fakes["wan-vace"].calls[0]
    assert len(call["video"]) == len(call["mask"]) == 81
    known = {0: 0, 30: 3, 80: 8}
    for k, (frame, mask) in enumerate(zip(call["video"], call["mask"], strict=True)):
        assert frame.size == mask.size == (624, 624)
        assert mask.getextrema() == ((0, 0) if k in known else (255, 255))
        assert shown(frame) == known.get(k)
        assert k in known or frame.getextrema() == ((128, 128),) * 3


def test_ltx_is_given_conditions_at_their_places(fakes: dict[str, FakePipeline]) -> None:
    system("ltx").predict([task("ltx")])
    call = fakes["ltx"].calls[0]
    assert [condition.frame_index for condition in call["conditions"]] == [0, 1, 2, 3]
    assert [shown(condition.image) for condition in call["conditions"]] == [0, 1, 2, 3]
    assert (call["frame_rate"], call["num_frames"], call["negative_prompt"]) == (25, 121, LTX_NEGATIVE)
    between = protocol_for("interpolation", "folder")
    system("ltx", protocol=between).predict([task("ltx", protocol=between)])
    assert [c.frame_index for c in fakes["ltx"].calls[0]["conditions"]] == [0, 120]


@pytest.mark.parametrize("name", DIFFUSION)
def test_the_record_tells_all_that_changes_the_output(name: str) -> None:
    built = system(name)
    described = built.describe()
    json.dumps(described)
    hub = RIVALS[name].source
    assert isinstance(hub, Hub)
    copy = {"copy": "fp16"} if name == "svd" else {}
    assert described["model"] == {"hub": hub.repository, "revision": hub.revision, **copy}
    assert described["options"] == built.options
    assert described["packages"]["diffusers"] == diffusers.__version__
    assert described["precision"] == {"default": "float32"}
    assert described["resampling"]["frames"] == built.times.frames
    assert described["resampling"]["places"] == list(built.times.places)
    assert (built.name, built.variant) == (name, name)
    other = build_systems([name], DATA, MASKS[name], device="cuda")[0].describe()
    assert other["precision"] == built.precision
    slow = Dataset("folder", DATA.clips, "fingerprint", fps=2)
    assert (build_systems([name], slow, MASKS[name])[0].describe() != described) == (name in ("svd", "ltx"))


def test_a_model_that_answers_with_no_numbers_is_refused(fakes: dict[str, FakePipeline]) -> None:
    built = system("svd")
    built.predict([task("svd")])
    built._pipeline = lambda **_: SimpleNamespace(frames=np.full((1, 25, 32, 32, 3), np.nan, np.float32))
    with pytest.raises(
        UserError, match=r"'svd' failed on clip 'a' \(the model gave values that are no numbers\)"
    ):
        built.predict([task("svd")])


# -- where models lie ------------------------------------------------------------------------------------


def usual(name: str = "svd") -> Hub:
    hub = RIVALS[name].source
    assert isinstance(hub, Hub)
    return hub


def test_a_folder_is_told_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "my model"
    with pytest.raises(
        UserError, match=r"finds no model at .*my model: give a folder that exists, or a Hub id"
    ):
        locate("svd", str(folder), usual())
    (folder / "unet").mkdir(parents=True)
    with pytest.raises(UserError, match=r"holds no model_index\.json"):
        locate("svd", str(folder), usual())
    (folder / "model_index.json").write_text("{}")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(bytes(3 * MIB + 100))
    one = locate("svd", str(folder), usual())
    assert one.identity == {"folder": "my model", "fingerprint": fingerprint(folder)}
    assert one.tag == f"my_model-{fingerprint(folder)[:8]}" and one.revision is None
    (folder / "README.md").write_text("no part of the model")
    assert fingerprint(folder) == one.identity["fingerprint"]
    changed = bytearray(3 * MIB + 100)
    changed[2 * MIB : 3 * MIB] = b"\1" * MIB  # one tensor of a MiB
    weights.write_bytes(changed)
    two = fingerprint(folder)
    weights.write_bytes(bytes(3 * MIB + 101))
    assert len({one.identity["fingerprint"], two, fingerprint(folder)}) == 3


def test_a_model_on_the_hub_is_told_by_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("MARDINI_OFFLINE", "1")
    commit = "0123456789" * 4
    found = locate("svd", f"owner/other@{commit}", usual())
    assert (found.where, found.revision, found.tag) == ("owner/other", commit, "other-01234567")
    with pytest.raises(UserError, match="system 'svd': no model at owner/other: it is no folder here"):
        locate("svd", "owner/other", usual())
    cache = tmp_path / "models--owner--other"
    (cache / "snapshots" / commit).mkdir(parents=True)
    (cache / "snapshots" / commit / "model_index.json").write_text("{}")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    assert locate("svd", "owner/other", usual()) == found


@pytest.mark.parametrize("name", DIFFUSION)
def test_without_a_network_the_model_size_and_source_are_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("diffusers.pipelines.pipeline_utils.HF_HUB_CACHE", str(tmp_path), raising=False)
    monkeypatch.setenv("MARDINI_OFFLINE", "1")
    hub = usual(name)
    with pytest.raises(UserError) as failure:
        system(name).prepare()
    said = str(failure.value)
    assert "\n" not in said and said.startswith(f"the model of system '{name}' is missing (")
    assert f"{hub.repository} at revision {hub.revision}" in said
    assert f"https://huggingface.co/{hub.repository}, {hub.gigabytes:g} GB" in said
    assert said.endswith(f"name its folder by --systems {name}=DIR")


# -- the real pipelines, tiny and random -----------------------------------------------------------------


@pytest.mark.parametrize("name", DIFFUSION)
def test_the_real_pipeline_runs_from_a_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loaded from safetensors, on the clip's own seed; what is given matters, and nothing but it and the seed does."""
    monkeypatch.setenv("MARDINI_OFFLINE", "1")
    monkeypatch.setattr(DIFFUSION[name], "native", SMALL[name])
    monkeypatch.setattr(DIFFUSION[name], "options", {**DIFFUSION[name].options, "num_inference_steps": 2})
    torch.manual_seed(0)
    TINY[name]().save_pretrained(tmp_path / "tiny")
    built = system(name, str(tmp_path / "tiny"))
    built.prepare()
    first = task(name, 3)
    one, other = built.predict([first, task(name, 4)])
    assert one.shape == CLIP.shape and one.dtype == np.uint8
    targets = [i for i in range(9) if i not in first.given]
    assert len({one[i].tobytes() for i in targets}) > 1, "still"
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(built.predict([first])[0], one)
    moved = Task("a", {i: 255 - frame for i, frame in first.given.items()}, 9, 3, DATA.fps)
    assert not np.array_equal(built.predict([moved])[0], one)
    kept = keep_given(name, first, one)
    np.testing.assert_array_equal(kept[list(first.given)], CLIP[list(first.given)])
    assert built.variant.startswith(f"{name}-tiny-")
    assert built.describe()["model"]["fingerprint"] == fingerprint(tmp_path / "tiny")


@pytest.mark.parametrize("name", ["wan-flf2v", "wan-vace", "ltx"])
def test_the_real_pipeline_runs_in_the_precision_of_a_gpu(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of different types fit together, here on a CPU. (Half precision, as of svd, is slow on one.)"""
    monkeypatch.setattr(DIFFUSION[name], "native", SMALL[name])
    monkeypatch.setattr(DIFFUSION[name], "options", {**DIFFUSION[name].options, "num_inference_steps": 1})
    torch.manual_seed(0)
    TINY[name]().save_pretrained(tmp_path / "tiny")
    built = system(name, str(tmp_path / "tiny"))
    built._pipeline = load(name, tmp_path / "tiny", built.pipeline, built.precision, None, "cpu")
    assert built._pipeline.transformer.dtype == torch.bfloat16
    for part, kind in built.precision.items():
        assert part == "default" or getattr(built._pipeline, part).dtype == getattr(torch, kind)
    assert built.predict([task(name)])[0].shape == CLIP.shape


def test_the_half_precision_copy_is_taken_where_there_is_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tiny = TINY["svd"]()
    for folder, variant in (("plain", None), ("both", None), ("both", "fp16")):
        with torch.no_grad():
            tiny.unet.conv_in.bias.fill_(1.0 if variant else 0.0)
        tiny.save_pretrained(tmp_path / folder, variant=variant)
    for folder, expected in (("plain", 0.0), ("both", 1.0)):
        loaded = load("svd", tmp_path / folder, system("svd").pipeline, {"default": "float16"}, "fp16", "cpu")
        assert loaded.unet.dtype == torch.float16
        assert float(loaded.unet.conv_in.bias.detach().mean()) == expected


def test_a_folder_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    TINY["wan-vace"]().save_pretrained(tmp_path / "tiny")
    (tmp_path / "tiny" / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(
        UserError, match=r"cannot be loaded as WanVACEPipeline \(.*give system 'wan-vace' the"
    ):
        system("wan-vace", str(tmp_path / "tiny")).predict([task("wan-vace")])
