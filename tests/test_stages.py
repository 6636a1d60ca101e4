"""The training manual against the paper's table, its scaling to small models, and the temporal swap."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mardini.config import preset, register
from mardini.errors import UserError
from mardini.masks import MaskedFrames, mask_from_given
from mardini.model import MarDini
from mardini.stages import STAGES, chain, scaled, stage
from mardini.temporal import to_temporal

# Paper, Figure 4: trains, preserved %, frames, FPS, resolution, million clips.
MANUAL = [
    ("planner", 65, 100, 4, 8, 256, 200),
    ("generator", 45, 100, 4, 8, 256, 20),
    ("generator", 35, 100, 4, 4, 256, 80),
    ("generator", 35, 100, 9, 8, 256, 40),
    ("both", 35, 100, 9, 8, 256, 75),
    ("both", 15, 60, 9, 8, 512, 40),
    ("both", 6, 30, 17, 8, 512, 40),
    ("both", 6, 30, 17, 8, 512, 40),
    ("both", 6, 30, 17, 8, 768, 20),
    ("both", 6, 30, 17, 8, 1024, 5),
]


def test_every_row_of_the_manual_is_there() -> None:
    rows = [
        (
            s.trains,
            *(round(100 * share) for share in s.preserved),
            s.frames,
            s.fps,
            s.resolution,
            s.clips / 1e6,
        )
        for s in STAGES.values()
        if s.name != "codec"
    ]
    assert rows == MANUAL


def test_a_configuration_of_ones_own_becomes_a_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mardini.config.PRESETS", {"tiny": preset("tiny")})
    own = replace(preset("tiny"), name="own", frames=9)
    register(own)
    register(own)  # the same again
    assert preset("own") == own
    with pytest.raises(UserError, match="there is another preset named 'tiny': give yours a name of its own"):
        register(replace(own, name="tiny"))


def test_attention_turns_temporal_once_and_stays_so() -> None:
    kinds = [s.attention for s in STAGES.values()]
    assert kinds == ["spatio-temporal"] * 8 + ["temporal"] * 3


def test_every_stage_starts_from_earlier_ones() -> None:
    names = list(STAGES)
    for number, row in enumerate(STAGES.values()):
        assert all(names.index(name) < number for name in row.start)
        assert row.start or row.name == "codec"
    assert STAGES["joint-model"].start == ("initial-generator-9", "initial-planner")


def test_a_chain_holds_all_that_its_last_stage_builds_on() -> None:
    assert [row.name for row in chain("joint-task-1024")] == list(STAGES)
    assert [row.name for row in chain("initial-generator-4fps")] == [
        "codec",
        "initial-generator",
        "initial-generator-4fps",
    ]
    with pytest.raises(UserError, match="did you mean 'joint-task'"):
        chain("joint-tas")


def test_the_papers_models_get_the_papers_recipe() -> None:
    config = preset("L/ST")
    for name, batch in (("joint-model", 1024), ("joint-task", 720)):
        recipe = scaled(stage(name), config)
        assert (recipe.batch, recipe.lr) == (batch, 1.4e-4)
        assert recipe.clips == stage(name).clips and recipe.resolution == stage(name).resolution


@pytest.mark.parametrize("name", ["mini", "nano", "tiny"])
def test_small_models_get_a_recipe_that_fits_them(name: str) -> None:
    config = preset(name)
    for row in STAGES.values():
        recipe = scaled(row, config)
        assert recipe.resolution % (8 * config.low_ratio) == 0 and recipe.frames >= 2
        assert recipe.clips < row.clips / 100
    assert scaled(stage("joint-task"), config).frames == config.frames
    assert scaled(stage("joint-task"), config).resolution == config.resolution
    assert scaled(stage("joint-task-1024"), config).resolution == 2 * config.resolution


@pytest.fixture(scope="module")
def swapped() -> tuple[MarDini, MarDini]:
    torch.manual_seed(0)
    model = MarDini(preset("tiny"))
    with torch.no_grad():
        for parameter in model.parameters():  # zero gates would hide mistakes
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model, to_temporal(model)


def test_the_swap_keeps_every_weight_and_shares_none(swapped: tuple[MarDini, MarDini]) -> None:
    model, temporal = swapped
    old, new = model.state_dict(), temporal.state_dict()
    assert old.keys() == new.keys()
    for name, tensor in old.items():
        assert torch.equal(tensor, new[name]) and tensor.data_ptr() != new[name].data_ptr()
    assert temporal.config.generator.attention == "temporal"
    assert model.config.generator.attention == "spatio-temporal"
    assert temporal.config.planner == model.config.planner


def test_after_the_swap_a_position_sees_itself_alone_in_other_frames(
    swapped: tuple[MarDini, MarDini],
) -> None:
    masked = MaskedFrames.pack(mask_from_given(5, (0, 4))[None])
    x = torch.randn(1, 5, 6, 32)
    ropes = (torch.ones(5, 6, 8), torch.zeros(5, 6, 8))
    changed = x.clone()
    changed[:, 0, 2] += 1  # position 2 of a reference
    moved = []
    for model in swapped:
        layer = model.generator.blocks[0].temporal
        difference = (layer(changed, ropes, masked)[0] - layer(x, ropes, masked)[0]).abs().amax(-1)[0]
        moved.append(difference[2] > 1e-6)  # of a masked frame, by position
    assert moved[0].all()
    assert moved[1].tolist() == [False, False, True, False, False, False]


def test_the_swapped_model_runs_and_differs(swapped: tuple[MarDini, MarDini]) -> None:
    masked = MaskedFrames.pack(mask_from_given(5, (0, 4))[None])
    z, z_low, time = torch.randn(1, 5, 16, 4, 4), torch.randn(1, 5, 16, 2, 2), torch.arange(5.0)
    step = torch.tensor([500])
    outputs = [m.generator(z, step, m.plan(z_low, masked), masked, time) for m in swapped]
    assert outputs[1].isfinite().all() and outputs[1].shape == z.shape
    assert (outputs[0] - outputs[1]).abs().max() > 1e-4
