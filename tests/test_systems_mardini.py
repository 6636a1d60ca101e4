"""The adapter of the model, against a small stand-in for the pipeline."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from eval.systems.base import Task
from eval.systems.mardini import Mardini
from mardini.errors import UserError
from mardini.guidance import Scales, scale_at
from mardini.shipped import SHIPPED, hash_of, shipped
from mardini.windows import FALLING


class Fake:
    """Answers like the pipeline: the seed's low byte in all missing frames."""

    loaded: ClassVar[list[object]] = []
    schedulers: ClassVar[list[str]] = []

    @classmethod
    def from_pretrained(cls, folder: Path | None, device: str) -> Fake:
        cls.loaded.append((folder, device))
        return cls()

    def fill(
        self,
        frames: np.ndarray,
        given: list[int],
        *,
        seed: int,
        steps: int,
        guidance: float | None,
        skip_guidance: Scales,
        detail: float,
        sharpness: float,
        scheduler: str,
    ) -> np.ndarray:
        assert given == sorted(given)
        self.schedulers.append(scheduler)
        made = np.full_like(frames, seed % 256)
        made[given] = frames[given]
        made[:, 0, 0, 0] = steps
        made[:, 0, 0, 1] = int(10 * (guidance or 0))
        made[:, 0, 0, 2] = int(10 * scale_at(skip_guidance, 1))
        made[:, 0, 1, 0] = int(10 * detail)
        made[:, 0, 1, 1] = int(10 * sharpness)
        return made


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    module = types.ModuleType("mardini.pipeline")
    module.MarDiniPipeline = Fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mardini.pipeline", module)
    Fake.loaded.clear()
    folder = tmp_path / "my model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    return folder


def test_each_clip_has_its_own_seed_and_the_network_is_loaded_once(checkpoint: Path) -> None:
    system = Mardini(checkpoint, steps=4)
    assert not Fake.loaded
    first = np.zeros((8, 8, 3), np.uint8)
    tasks = [Task(str(seed), {0: first, 8: first}, 9, seed) for seed in (3, 5)]
    clips = system.predict(tasks)
    assert Fake.loaded == [(checkpoint, "cpu")]
    assert [int(clip[4, 1, 1, 1]) for clip in clips] == [3, 5]
    assert clips[0][4, 0, 0].tolist() == [4, 0, 35] and clips[0][4, 0, 1, :2].tolist() == [10, 0]
    assert Mardini(checkpoint, task="i2v").predict(tasks)[0][4, 0, 0].tolist() == [25, 25, 30]
    np.testing.assert_array_equal(system.predict(tasks[1:])[0], clips[1])


def test_variant_and_description_tell_weights_and_steps_apart(checkpoint: Path) -> None:
    system = Mardini(checkpoint)
    assert system.variant == f"mardini-my_model-{hash_of(checkpoint)[:8]}"
    assert Mardini(checkpoint, steps=8).variant == system.variant + "-steps8"
    described = system.describe()
    assert described["steps"] == 25 and "guidance" not in described
    assert described["skip_guidance"] == list(FALLING) and described["detail"] == 1
    expanding, animating = (Mardini(checkpoint, task=task).describe() for task in ("expansion", "i2v"))
    assert expanding["guidance"] == animating["guidance"] == 2.5
    assert expanding["skip_guidance"] == 2 and animating["skip_guidance"] == [3, 0.5]
    assert Mardini(checkpoint, skip_guidance=FALLING).describe() == described
    assert Mardini(checkpoint, skip_guidance=(4.5, 1)).variant == system.variant + "-skip4.5to1"
    papers = Mardini(checkpoint, task="expansion", skip_guidance=0, detail=0)
    assert papers.variant == system.variant + "-skip0-detail0"
    assert not {"skip_guidance", "detail", "sharpness"} & papers.describe().keys()
    (checkpoint / "model.safetensors").write_bytes(b"others")
    other = Mardini(checkpoint)
    assert other.variant != system.variant
    assert other.describe()["weights_sha256"] != described["weights_sha256"]
    (checkpoint / "notes.txt").write_text("not part of the model")
    assert Mardini(checkpoint).describe() == other.describe()


@pytest.mark.parametrize(
    ("text", "steps"), [('{"steps": 7}', 7), ("{}", 25), ("[]", 25), ('{"steps": "x"}', 25), ("{", 25)]
)
def test_steps_are_those_of_the_checkpoint(checkpoint: Path, text: str, steps: int) -> None:
    """A damaged configuration is told of when the model is loaded."""
    (checkpoint / "config.json").write_text(text)
    assert Mardini(checkpoint).steps == steps
    assert Mardini(checkpoint, steps=steps).variant == Mardini(checkpoint).variant


def test_sampler_and_guidance_reach_the_model_and_tell_results_apart(checkpoint: Path) -> None:
    usual, other = (
        Mardini(checkpoint),
        Mardini(
            checkpoint,
            scheduler="UniPCMultistepScheduler",
            guidance=2,
            skip_guidance=0.5,
            detail=0.5,
            sharpness=1,
        ),
    )
    first = np.zeros((8, 8, 3), np.uint8)
    (clip,) = other.predict([Task("a", {0: first}, 9, 1)])
    assert Fake.schedulers[-1] == "UniPCMultistepScheduler" and clip[4, 0, 0, 1:].tolist() == [20, 5]
    assert clip[4, 0, 1, :2].tolist() == [5, 10]
    assert other.variant == usual.variant + "-UniPCMultistepScheduler-guidance2-skip0.5-detail0.5-sharpness1"
    assert other.describe() == {
        **usual.describe(),
        "guidance": 2,
        "skip_guidance": 0.5,
        "detail": 0.5,
        "sharpness": 1,
        "scheduler": "UniPCMultistepScheduler",
    }
    assert Mardini(checkpoint, task="i2v", guidance=0).describe()["guidance"] == 0


def test_missing_checkpoint_and_bad_steps_are_refused(checkpoint: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        Mardini(checkpoint / "nothing")
    with pytest.raises(UserError, match="at least 1"):
        Mardini(checkpoint, steps=0)


def test_shipped_checkpoints_have_names_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    default, other = Mardini(), Mardini(Path("nano-128"))
    assert (default.variant, other.variant) == ("mardini", "mardini-nano-128")
    assert default.weights != other.weights
    assert (default.steps, other.steps) == (6, 25)  # as their configurations say
    assert Mardini(steps=6).variant == "mardini" and Mardini(steps=25).variant == "mardini-steps25"
    for same in (Path(SHIPPED[0]), shipped()):  # a name or a path: the same weights, the same results
        assert Mardini(same).describe() == default.describe() and Mardini(same).variant == "mardini"
    (tmp_path / "nano-128").mkdir()  # a folder of that name goes first
    assert Mardini(Path("nano-128")).variant.startswith("mardini-nano_128-")
    monkeypatch.setattr("mardini.shipped.CHECKPOINTS", tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no checkpoint 'mini'"):
        Mardini()


def test_real_pipeline_fits_the_adapter(tmp_path: Path) -> None:
    """An untrained tiny model: scores mean nothing, but shapes, seeds and given frames must be right."""
    from mardini.checkpoint import save
    from mardini.config import preset
    from mardini.model import MarDini
    from mardini.vae import LatentCodec

    config = preset("tiny")
    save(tmp_path, MarDini(config), LatentCodec(config.codec))
    clip = np.random.default_rng(0).integers(0, 256, (9, 48, 40, 3), np.uint8)
    tasks = [Task(str(seed), {0: clip[0], 8: clip[8]}, 9, seed) for seed in (0, 2**63 - 1)]
    system = Mardini(tmp_path, steps=2)
    one, two = system.predict(tasks)
    assert one.shape == clip.shape and one.dtype == np.uint8
    np.testing.assert_array_equal(one[[0, 8]], clip[[0, 8]])
    np.testing.assert_array_equal(Mardini(tmp_path, steps=2).predict(tasks[1:])[0], two)
    (inner,) = system.predict([Task("c", {2: clip[2], 5: clip[5]}, 9, 0)])
    np.testing.assert_array_equal(inner[[2, 5]], clip[[2, 5]])
