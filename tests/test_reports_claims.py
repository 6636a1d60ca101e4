"""The claims table: differences paired by seed, verdicts by where their intervals lie, nothing missing in silence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.claims import HOLDS, NOT, OPEN, UNKNOWN, Difference, claims, overall
from reports.latex import document
from reports.render import markdown
from reports.table import Cell

ARMS = ("planner-small", "planner-large", "generator", "generator-no-identity", "both-small", "both-large")
FVD = {"planner-small": 20.0, "planner-large": 18.0, "generator": 9.0, "both-small": 6.0, "both-large": 5.0}
NOISE = {0: 0.0, 1: 0.3, 2: -0.2}
SCORES = ("fvd_random", "lpips_alex_random_all")


def put(folder: Path, suite: str, name: str, record: dict[str, Any]) -> None:
    path = folder / suite / "machine" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {"suite": suite, "machine": "machine", "status": "done"}
    path.write_text(json.dumps({**known, **record}), encoding="utf-8")


def ablation(arm: str, seed: int, fvd: float) -> dict[str, Any]:
    """A record whose seeds differ by the same amount in every arm: only paired differences are certain."""
    fvd += 10 * NOISE[seed]
    sweep = {steps: {"fvd_random": fvd + 40 / int(steps)} for steps in ("1", "10", "100")}
    points = [
        {task: dict.fromkeys(SCORES, fvd + more) for task in ("interpolation", "i2v")} for more in (7.0, 1.0)
    ]
    loss = 0.5 if arm == "generator" else 0.6
    curve = [{"clips": 8, "held_out": 1.0}, {"clips": 16, "held_out": loss + NOISE[seed]}]
    values = {task + name: {"value": fvd} for task in ("", "i2v_") for name in SCORES}
    details = {"sweep": sweep, "points": points, "curve": curve}
    return {"cell": {"arm": arm, "seed": seed, "clips": 16}, "values": values, "details": details}


@pytest.fixture
def records(tmp_path: Path) -> Path:
    for seed in NOISE:
        for arm in ARMS:
            put(tmp_path, "ablations", f"{arm}-{seed}", ablation(arm, seed, FVD.get(arm, 9.0)))
        put(
            tmp_path, "ablations", f"masks-{seed}", ablation("both-small-curriculum", seed, 6.0 + NOISE[seed])
        )
    for attention, resolution, seconds in (("T", "asymmetric", 1.0), ("ST", "symmetric", 3.0)):
        cell = {"model": "nano", "attention": attention, "resolution": resolution, "frames": 13, "size": 128}
        latency = {"value": seconds, "low": seconds - 0.5, "high": seconds + 0.5}
        values = {"latency": latency, "memory": {"value": seconds}}
        put(tmp_path, "efficiency", attention, {"cell": cell, "values": values, "details": {}})
    return tmp_path


def test_verdicts_follow_the_intervals(records: Path) -> None:
    together, few, improve, identity, asymmetry, masks = claims([records]).blocks
    for block in (together, few, improve, identity, asymmetry):
        assert block.title.endswith(f": {HOLDS}")
    assert masks.title.endswith(f": {OPEN}")
    (cell,) = together.rows[0].cells
    assert (cell.value, cell.n) == (pytest.approx(-14), 3) and len(cell.origin) == 6
    latency, memory = (row.cells[0] for row in asymmetry.rows)
    assert (latency.low, latency.high) == (-3.0, -1.0) and (memory.low, memory.high) == (-2.0, -2.0)


def test_half_of_a_comparison_claims_nothing(records: Path) -> None:
    before = claims([records]).blocks[4]
    cell = {"cell": {"model": "L", "attention": "ST", "resolution": "symmetric", "frames": 9, "size": 256}}
    folder = records / "efficiency" / "another"
    folder.mkdir(parents=True)
    record = {"schema": 1, "suite": "efficiency", "status": "done", "values": {}, "details": {}, **cell}
    (folder / "one.json").write_text(json.dumps(record))
    assert claims([records]).blocks[4] == before


def test_models_are_compared_with_themselves_alone(records: Path) -> None:
    """Another model's symmetric cell, small and fast, changes nothing; a larger cell of one kind alone neither."""
    before = claims([records]).blocks[4]
    for path in sorted((records / "efficiency").rglob("*.json")):
        record = json.loads(path.read_text())
        if record["cell"]["resolution"] == "symmetric":
            for name, change in (("other", {"model": "other"}), ("longer", {"frames": 99})):
                changed = {**record, "cell": {**record["cell"], **change}}
                changed["values"] = {"latency": {"value": 0.1}, "memory": {"value": 0.1}}
                path.with_name(f"{name}.json").write_text(json.dumps(changed))
    assert claims([records]).blocks[4] == before


def test_notes_stand_beside_the_records_that_they_are_about(records: Path) -> None:
    plain = claims([records])
    (records / "ablations" / "notes.md").write_text("Measured\nat sea.\n\n\nTwice.\n")
    assert claims([records]) == replace(plain, notes=(*plain.notes, "Measured at sea.", "Twice."))


def test_arms_of_another_number_of_clips_are_left_out(records: Path) -> None:
    before = claims([records])
    for seed in list(NOISE)[:2]:
        longer = ablation("both-large", seed, 30.0)
        longer["cell"]["clips"] = 32
        put(records, "ablations", f"both-large-{seed}-32", longer)
    assert claims([records]) == before


def test_a_claim_that_is_turned_around_does_not_hold(records: Path) -> None:
    for seed in NOISE:
        put(records, "ablations", f"both-large-{seed}", ablation("both-large", seed, 30.0))
    block = claims([records]).blocks[0]
    assert block.title.endswith(f": {NOT}") and block.rows[-1].labels[-1] == NOT


def test_every_measure_has_a_say(records: Path) -> None:
    """FVD as before, LPIPS turned around: the claim holds by one alone, and the table says by which."""
    for seed in NOISE:
        record = ablation("both-large", seed, FVD["both-large"])
        record["values"]["lpips_alex_random_all"]["value"] += 30
        put(records, "ablations", f"both-large-{seed}", record)
    block = claims([records]).blocks[0]
    assert block.title.endswith(f": {HOLDS} by FVD†, {NOT} by LPIPS†")
    assert {row.labels[1]: row.labels[2] for row in block.rows[-2:]} == {"FVD†": HOLDS, "LPIPS†": NOT}


def test_few_steps_may_lack_little(records: Path) -> None:
    slow = ablation("both-small", 0, 6.0)
    for seed in NOISE:
        slow["cell"]["seed"] = seed
        slow["details"]["sweep"]["10"]["fvd_random"] = slow["details"]["sweep"]["100"]["fvd_random"] + 30
        put(records, "ablations", f"both-small-{seed}", slow)
    assert [row.labels[-1] for row in claims([records]).blocks[1].rows] == [HOLDS, NOT]


def test_what_is_not_measured_is_said(tmp_path: Path) -> None:
    table = claims([tmp_path])
    assert all(
        block.title.endswith(f": {UNKNOWN}") and block.missing == len(block.rows) for block in table.blocks
    )
    assert markdown(table).count("Made by `python -m benchmarks run") == 6 and "−" not in document([table])


@pytest.mark.parametrize(
    "cells, verdict",
    [
        ([(-2, -1), (-3, -0.1)], HOLDS),
        ([(-2, -1), (-1, 1)], OPEN),
        ([(-2, 1), (1, 2)], NOT),
        ([(1, 2), (None, None)], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_a_claim_is_as_good_as_its_weakest_difference(cells: list[tuple[float, float]], verdict: str) -> None:
    assert overall([Difference("", "", Cell(0.0, low, high)) for low, high in cells]) == verdict
