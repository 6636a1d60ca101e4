"""Scenes drawn on the device: the same picture as from ``synthetic.render`` where textures are the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mardini.data import to_batch
from mardini.light import Light
from mardini.scene_bank import LAYERS, DrawnScene, Painted, SceneBank, Scenes, drawn, quantised
from mardini.synthetic import make_scene, paint, render
from mardini.train import PROCEDURAL, main

SIZE = 64


def with_own_textures(seed: int, times: np.ndarray) -> tuple[DrawnScene, SceneBank]:
    """A scene, and a bank that holds the textures that ``synthetic.render`` gives it."""
    scene = make_scene(seed)
    side = 2 * SIZE
    painted = [quantised(paint(layer, SIZE), side) for layer in scene.layers]
    numbers = drawn(scene, times, 1)
    count = len(painted)
    entry = torch.tensor([max(0, place - 1) for place in range(LAYERS)])
    own = DrawnScene(
        numbers.maps,
        numbers.waves,
        numbers.radius,
        entry,
        torch.zeros(LAYERS, dtype=torch.int64),
        numbers.light,
    )
    tensors = [torch.from_numpy(one).permute(2, 0, 1) for one in painted]
    assert count > 1
    return own, SceneBank(tensors[0][None], torch.stack(tensors[1:]), SIZE)


def different(seed: int) -> float:
    times = np.linspace(0, 1, 5)
    scene, bank = with_own_textures(seed, times)
    ours = (bank.render([scene])[0] * 255).permute(0, 2, 3, 1).numpy()
    return float(np.abs(ours - render(make_scene(seed), times, (SIZE, SIZE))).mean())


def test_a_scene_looks_as_it_does_when_workers_render_it() -> None:
    """Rigid and non-rigid, in constant and in changing light; textures here are resampled once more."""
    seeds = range(24)
    scenes = [make_scene(seed) for seed in seeds]
    assert any(layer.motion.waves for scene in scenes for layer in scene.layers)
    assert any(scene.light != Light() for scene in scenes)
    errors = [different(seed) for seed in seeds]
    assert max(errors) < 4 and float(np.mean(errors)) < 2, errors


def test_a_clip_does_not_depend_on_its_batch() -> None:
    bank = SceneBank.painted(32, "cpu", 0, count=4)
    items = [Scenes(8, 5, 24.0, bank=4)[index] for index in range(4)]
    whole = to_batch(items, "cpu", bank)
    assert whole.shape == (4, 5, 3, 32, 32) and float(whole.min()) >= 0 and float(whole.max()) <= 1
    torch.testing.assert_close(whole[2:3], to_batch(items[2:3], "cpu", bank))
    assert len({tuple(clip.flatten()[:50].tolist()) for clip in whole}) == 4


def test_painted_layers_are_the_same_each_time() -> None:
    for sort, opaque in (("ground", True), ("shaped", False)):
        layer = Painted(sort, 2, 32)[1]
        assert np.array_equal(layer, Painted(sort, 2, 32)[1]) and layer.dtype == np.uint8
        assert bool((layer[..., 3] == 255).all()) is opaque


def test_training_on_scenes_ends_and_is_held_to_rendered_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mardini.scene_bank.BANK", 4)
    small = ["--preset", "tiny", "--clips", "8", "--batch", "4", "--workers", "0", "--log-every", "1"]
    held = []
    for data in PROCEDURAL:
        out = tmp_path / data
        assert main(["--chain", "initial-planner", "--data", data, "--out", str(out), *small]) == 0
        rows = [
            json.loads(line) for line in (out / "tiny/initial-planner/log.jsonl").read_text().splitlines()
        ]
        held.append([row["held_out"] for row in rows])
    assert held[0][0] == held[1][0] and held[0][-1] != held[1][-1]
