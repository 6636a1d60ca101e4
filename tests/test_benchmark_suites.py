"""What each suite measures, on the smallest cells."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import (
    ablations,
    efficiency,
    inference_steps,
    mask_configs,
    metric_speed,
    peers,
    quality,
    scaling,
)
from benchmarks.suite import Context
from benchmarks.timing import Timing, peak_memory, timed
from mardini.errors import UserError
from mardini.tasks import Draw, seed_of


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(cache=tmp_path / "cache", records=tmp_path / "records")


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores without networks."""
    monkeypatch.setattr(quality, "METRICS", ("psnr",))
    monkeypatch.setattr(
        quality.score, "__kwdefaults__", {**quality.score.__kwdefaults__, "metrics": ("psnr",)}
    )


def test_timing_leaves_out_the_warm_calls() -> None:
    calls: list[int] = []
    timing = timed(lambda: (calls.append(1), time.sleep(0.06)), repeats=3, warm=2)
    assert len(calls) == 5 and len(timing.seconds) == 3 and min(timing.seconds) >= 0.06
    assert Timing((3.0, 1.0, 8.0)).entry(2) == {
        "value": 1.5,
        "low": 0.5,
        "high": 4.0,
        "interval": "fastest and slowest of 3",
    }


def test_long_calls_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.timing.LONG", 0.1)
    assert len(timed(lambda: time.sleep(0.06), repeats=5).seconds) == 2


def test_short_calls_are_repeated_until_the_clock_can_tell() -> None:
    calls: list[int] = []
    timing = timed(lambda: calls.append(1), repeats=2)
    assert len(calls) > 1000 and 0 < timing.median < 1e-3


def test_peak_memory_counts_what_was_held() -> None:
    before = peak_memory()
    held = np.ones(2**27 + max(0, before // 8), np.uint8)  # touched, so that it is resident
    assert peak_memory() >= before > 10 * 2**20 and held[-1] == 1


# -- masks and steps ----------------------------------------------------------------------------------------------


def test_places_of_given_frames() -> None:
    assert mask_configs.places("0..3", 0) == (0, 1, 2, 3)
    assert mask_configs.places("5+2", 0) == (2, 5)
    for name, kept in (("random-0.1", 1), ("random-0.3", 3), ("random-0.9", 8)):
        drawn = mask_configs.places(name, 0)
        assert len(drawn) == kept == len(set(drawn)) and drawn == tuple(sorted(drawn))
        assert drawn == mask_configs.places(name, 0)
    assert len({mask_configs.places("random-0.3", seed) for seed in range(5)}) > 1
    with pytest.raises(UserError, match="given=third: choose from"):
        mask_configs.places("third", 0)


def test_mask_configs_score_the_frames_that_are_not_given(context: Context, cheap: None) -> None:
    outcome = mask_configs.measure(mask_configs.Cell("synthetic", "0+4+8", "blend", 2, 0), context)
    assert outcome.details["places"] == (0, 4, 8)
    assert {"psnr_all", "psnr_clip"} <= outcome.values.keys() and "psnr_mid" not in outcome.values
    assert outcome.values["psnr_clip"]["value"] > 10 and outcome.values["psnr_clip"]["n"] == 2
    assert outcome.provenance["protocol"] == "synthetic-given-0.4.8-of-9/v1"
    hard = mask_configs.measure(mask_configs.Cell("synthetic", "4", "blend", 2, 0), context)
    assert hard.values["psnr_clip"]["value"] < outcome.values["psnr_clip"]["value"]


def test_afresh_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for before in (None, "somewhere"):
        monkeypatch.delenv("MARDINI_FEATURES", raising=False)
        if before:
            monkeypatch.setenv("MARDINI_FEATURES", before)
        with quality.afresh():
            assert os.environ["MARDINI_FEATURES"] == "off"
        assert os.environ.get("MARDINI_FEATURES") == before


def test_only_the_model_depends_on_its_weights() -> None:
    cells = [mask_configs.Cell("synthetic", "0", system, 2, 0) for system in ("blend", "mardini")]
    assert [list(mask_configs.SUITE.inputs(cell)) for cell in cells] == [[], ["weights_sha256"]]


def test_inference_steps_are_scored_and_timed(context: Context, cheap: None) -> None:
    cell = inference_steps.Cell("synthetic", "i2v", "UniPCMultistepScheduler", 2.0, 2, 1, "nano")
    outcome = inference_steps.measure(cell, context)
    assert outcome.values["seconds_per_frame"]["value"] > 0 and outcome.values["psnr_clip"]["value"] > 5
    described = outcome.provenance["system"]
    assert (described["scheduler"], described["guidance"], described["steps"]) == (cell.sampler, 2.0, 2)


# -- cost ---------------------------------------------------------------------------------------------------------


def test_efficiency_measures_time_memory_and_operations(context: Context) -> None:
    outcome = efficiency.measure(efficiency.Cell("tiny", "T", "asymmetric", 3, 32), context)
    value = {name: found["value"] for name, found in outcome.values.items()}
    assert value["latency"] > 0 and value["seconds_per_frame"] == pytest.approx(value["latency"] / 2)
    assert value["flops"] > value["flops_networks"] > 0 and value["mfu"] is None
    assert value["memory"] >= value["memory_weights"] > 0
    assert outcome.details["precision"] == "float32" and outcome.details["model"]["low_ratio"] == 2


def test_asymmetry_is_in_the_configuration_and_saves_operations() -> None:
    def cost(attention: str, resolution: str) -> float:
        cell = efficiency.Cell("L", attention, resolution, 13, 512)
        config = efficiency.configuration(cell)
        assert config.low_ratio == (4 if resolution == "asymmetric" else 1)
        return efficiency.operations(config, cell)[0]

    assert cost("T", "asymmetric") < cost("ST", "asymmetric") < cost("ST", "symmetric")
    with pytest.raises(UserError, match="unknown model 'XL'"):
        efficiency.configuration(efficiency.Cell("XL", "T", "asymmetric", 9, 256))


def test_scaling_measures_and_writes_its_fits(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "METRICS", ("psnr",))
    monkeypatch.setattr(scaling, "STEPS", 1)
    for cell in (scaling.Cell("clips", 2), scaling.Cell("resolution", 32)):
        outcome = scaling.measure(cell, context)
        assert outcome.values["size"]["value"] == cell.size and outcome.values["seconds"]["value"] > 0
    rows = [
        {
            "cell": {"over": "clips", "size": n},
            "status": "done",
            "values": {"seconds": {"value": n}, "memory": {"value": 1}},
        }
        for n in (2, 4)
    ]
    scaling.finish(tmp_path, rows)
    (first, _) = json.loads((tmp_path / "fits.json").read_text())["fits"]
    assert (first["over"], first["column"], first["standard_error"]) == ("clips", "seconds", None)
    assert first["exponent"] == pytest.approx(1)


# -- metrics and their peers --------------------------------------------------------------------------------------

CELL = metric_speed.Cell("psnr", "mardini", 2, 9, 32)


def values_of(metric: str, context: Context) -> dict[str, float]:
    """Tool -> value, for ours and the peers on this machine."""
    clips = metric_speed.pairs(CELL)
    found = {}
    for tool in (metric_speed.OURS, *metric_speed.PEERS[metric]):
        try:
            found[tool] = metric_speed.together({metric: tool}, context)(*clips)[metric]
        except UserError as error:
            assert "not installed" in str(error) or "fewer than 10 frames" in str(error)
    return found


@pytest.mark.parametrize("metric", ["psnr", "ssim", "lpips_alex"])
def test_peers_of_frame_metrics_see_the_same_frames_and_weights(metric: str, context: Context) -> None:
    found = values_of(metric, context)
    ours, others = found.pop("mardini"), {**found}
    if metric == "ssim":
        others.pop("torchmetrics", None)  # averages the padded border too
    assert others
    for tool, value in others.items():
        assert value == pytest.approx(ours, rel=1e-3), tool


def test_weight_files_hold_the_weights_of_our_random_detectors(context: Context) -> None:
    from eval.networks.i3d import load_i3d
    from eval.networks.inception import load_inception

    clip = metric_speed.pairs(CELL)[0][0]
    for kind, load, frames in (("inception", load_inception, clip[:1]), ("i3d", load_i3d, clip[None])):
        path = peers.tools.weight_file(kind, context.cache)
        np.testing.assert_array_equal(load(path).features(frames), load(None).features(frames))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "tool", "tolerance"),
    [
        ("fid", "torch-fidelity", 0.1),  # TensorFlow's resize
        ("fvd", "cd-fvd", 0.5),  # divides covariances by n, here 2, not by n - 1
    ],
)
def test_peers_of_set_metrics_have_the_same_weights(
    metric: str, tool: str, tolerance: float, context: Context
) -> None:
    clips = metric_speed.pairs(CELL)
    try:
        theirs = metric_speed.together({metric: tool}, context)(*clips)[metric]
    except UserError as error:
        pytest.skip(str(error))
    ours = metric_speed.together({metric: "mardini"}, context)(*clips)[metric]
    assert theirs == pytest.approx(ours, rel=tolerance)


@pytest.mark.parametrize("tool", metric_speed.PEERS["frechet-357x400"])
def test_peers_of_the_frechet_step_agree(tool: str) -> None:
    a, b = metric_speed.features("frechet-40x12")
    try:
        value = peers.sets.frechet(tool)(a, b)
    except UserError as error:
        pytest.skip(str(error))
    assert value == pytest.approx(metric_speed.our_distance(a, b), rel=0.05 if tool == "cd-fvd" else 1e-4)


def test_a_peer_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        UserError, match="clean-fid is not installed: pip install clean-fid to compare with it"
    ):
        peers.make("clean-fid", "fid", Path())


def test_the_chain_of_peers_is_made_of_the_fastest(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def record(metric: str, tool: str, seconds: float, clips: int = 2) -> dict:
        cell = {"metric": metric, "tool": tool, "clips": clips, "frames": 9, "size": 32}
        values = {"seconds": {"value": seconds}, "memory": {"value": seconds}, "value": {"value": 0}}
        return {"cell": cell, "status": "done", "values": values}

    rows = [
        record(metric, tool, 9 - n)
        for metric in metric_speed.SET
        for n, tool in enumerate(metric_speed.PEERS[metric])
    ]
    rows += [record("psnr", "scikit-image", 0.1, clips=5), record("psnr", "mardini", 0.5)]
    monkeypatch.setattr("benchmarks.records.read_all", lambda folder: rows)
    chain = metric_speed.fastest(metric_speed.Cell("set", "fastest-peers", 2, 9, 32), context)
    assert chain == {metric: metric_speed.PEERS[metric][-1] for metric in metric_speed.SET}
    told = metric_speed.summary(rows)
    assert "psnr, 2 clips of 9 x 32 px: 14.00 times as fast as common_metrics" in told


# -- ablations ----------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BATCH": 4,
        "CODEC_CLIPS": 4,
        "SCORED_CLIPS": 2,
        "STEPS": 1,
        "SWEEP": (2,),
        "POINTS": 2,
    }.items():
        monkeypatch.setattr(ablations, name, value)
    monkeypatch.setattr(ablations, "COLUMNS", {"psnr_clip": "psnr_clip"})


def test_the_arm_of_reference_is_scored_along_training(context: Context, small: None) -> None:
    cell = ablations.Cell("both-small", 0, 8)
    outcome = ablations.measure(cell, context)
    assert set(outcome.values) == {"psnr_clip", "i2v_psnr_clip"}
    assert [point["clips"] for point in outcome.details["points"]] == [4, 8]
    assert list(outcome.details["sweep"]) == ["1", "2"]
    assert [row["clips"] for row in outcome.details["curve"]] == [0, 8]
    again = ablations.measure(cell, context)  # trained before: nothing is done again
    assert again.values == outcome.values and again.provenance == outcome.provenance


def test_the_planner_alone_and_the_curriculum(context: Context, small: None) -> None:
    outcome = ablations.measure(ablations.Cell("planner-small", 0, 4), context)
    assert outcome.values["psnr_clip"]["value"] > 5 and list(outcome.details["sweep"]) == ["1"]
    arm = ablations.ARMS["both-small-curriculum"]
    folder, curve = ablations.train(
        ablations.Cell("both-small-curriculum", 0, 8), arm, context.cache / "ablations"
    )
    assert folder.parent.name == "part-2-of-2"
    assert [row["clips"] for row in curve] == [0, 4, 4, 8]


def test_what_is_said_of_the_training_is_what_the_trainer_was_told(context: Context, small: None) -> None:
    outcome = ablations.measure(ablations.Cell("planner-large", 0, 4), context)
    (path,) = context.cache.rglob("planner-large/**/part-1-of-1/options.json")
    told = json.loads(path.read_text())
    assert told["lr"] == outcome.details["learning_rate"] == ablations.LR
    assert told["optimizer"] == outcome.details["optimizer"] == ablations.OPTIMIZER
    assert (told["batch"], told["clips"], told["seed"]) == (outcome.details["batch"], 4, 0)
    assert told["frames"] == outcome.details["frames"] and told["resolution"] == outcome.details["size"]


def test_arms_differ_in_what_is_said_and_in_nothing_else() -> None:
    configs = {name: ablations.configuration(arm) for name, arm in ablations.ARMS.items()}
    assert not configs["generator-no-identity"].generator.identity and configs["generator"].generator.identity
    assert configs["both-small"] == configs["generator"] == configs["planner-small"]
    assert configs["both-large"].planner.depth > configs["both-small"].planner.depth
    for name, arm in ablations.ARMS.items():
        rows = ablations.stages(ablations.Cell(name, 0, 800), arm)
        assert sum(row.clips for row in rows) == 800 and rows[0].start == ("codec",)
        assert rows[-1].preserved == (0.15, 0.6)


def test_losses_of_arms_are_of_the_same_draws() -> None:
    """Masks, diffusion steps and noise come from seed and stage name: pairs that are compared must share both."""
    draws = []
    for name in ("generator", "generator-no-identity"):
        (row,) = ablations.stages(ablations.Cell(name, 0, 800), ablations.ARMS[name])
        draws.append(Draw.of(row, 4, ablations.FRAMES, seed_of(0, row.name, -1)))
    first, second = draws
    assert torch.equal(first.mask, second.mask) and torch.equal(first.step, second.step)
    assert first.seed == second.seed


def test_a_context_crosses_processes_as_json(context: Context, tmp_path: Path) -> None:
    for given in (context, Context("cuda:1", data_root=tmp_path)):
        assert Context.from_dict(json.loads(json.dumps(given.to_dict()))) == given
