"""The report's tables say what the records say, mark what is reported, and refuse what does not belong together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import made_cells
import numpy as np
import pytest

from eval import comparison
from eval.command import parser
from eval.metrics import DEFAULT, expand
from eval.systems import SYSTEMS
from reports import paired
from reports.catalogue import find
from reports.groups import of_group, own_tables
from reports.records import METRICS, USUAL, ReportError, read_cells, read_groups, sha256_of
from reports.render import markdown
from reports.table import MISSING, Cell, Table
from reports.tables import paper_tables, table_3

ROOT = Path(__file__).parent.parent

RESULTS = ROOT / "benchmarks" / "results"


def write_system(
    results: Path,
    variant: str,
    scores: Sequence[float],
    folder: str = "interpolation/davis-7-v1-00000000",
    **more: Any,
) -> None:
    """A record and per-clip rows of one system, as the toolkit writes them; two clips a video."""
    clips = [f"v{number // 2}/{number:05d}" for number in range(len(scores))]
    rows = []
    for clip, score in zip(clips, scores, strict=True):
        row = {
            "clip": clip,
            "source": clip.split("/")[0],
            "tags": [],
            "prediction": sha256_of([variant, clip]),
        }
        row |= {"scores": {"psnr_mid": score, "psnr_clip": score + 1}, "frames": {"psnr": [score] * 7}}
        rows.append(row)
    metric = {"name": "psnr", "version": "1", "variant": {"peak": 255}, "weights": {}}
    shared = {"n": len(scores), "decimals": 2, "metric": metric}
    entries: dict[str, Any] = {}
    for name in ("psnr_mid", "psnr_clip"):
        mean = float(np.mean([row["scores"][name] for row in rows]))
        entries[name] = {"value": mean, "low": mean - 1, "high": mean + 1, "higher_is_better": True, **shared}
    replicates = [10 + 0.1 * score for score in scores]
    distance = {
        "value": 10 + 0.1 * float(np.mean(scores)),
        "low": 9.0,
        "high": 14.0,
        "replicates": replicates,
    }
    floor = {"value": 1.5, "n": 3.0}
    entries["fvd_random"] = distance | shared | {"higher_is_better": False, "dimensions": 400, "floor": floor}
    entries["fvd_random"]["metric"] = metric | {"name": "fvd_random"}
    generated = list(range(1, 8))
    record = {
        "schema": 1,
        "task": folder.split("/")[0],
        "variant": variant,
        "described": {"system": variant},
        "protocol": "davis-7/v1",
        "frames": {"clip": 9, "given": [0, 8], "generated": generated, "middle": 4, "size": [256, 256]},
        "dataset": {
            "name": "davis",
            "pixels_sha256": "0" * 64,
            "clips": len(clips),
            "sources": len({row["source"] for row in rows}),
            "limit": None,
        },
        "seed": 0,
        "predictions_sha256": sha256_of(part for row in rows for part in (row["clip"], row["prediction"])),
        "metrics": entries,
        "environment": {"commit": "0123456789ab"},
        **more,
    }
    place = results / folder / variant
    place.mkdir(parents=True, exist_ok=True)
    (place / "record.json").write_text(json.dumps(record))
    (place / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


SCORES = {
    "blend": [18.0, 19.0, 22.0, 23.0, 15.0, 16.0, 17.0, 18.0],
    "flow": [18.4, 19.1, 22.3, 23.2, 15.1, 16.6, 17.3, 18.1],
    "mardini": [18.1, 19.4, 22.2, 22.9, 15.6, 16.3, 17.6, 18.3],
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three systems on eight clips."""
    for variant, scores in SCORES.items():
        write_system(tmp_path / "results", variant, scores)
    return tmp_path / "results"


def cells(table: Table, column: str, block: int = 0) -> Mapping[str, Cell]:
    """Row label -> cell of a column."""
    found = table.blocks[block]
    place = [c.name for c in found.columns].index(column)
    return {row.labels[0]: row.cells[place] for row in found.rows}


def test_differences_are_those_that_the_toolkit_prints(results: Path) -> None:
    (group,) = read_groups([results])
    records = list(group.records.values())
    names = ["psnr_mid", "fvd_random"]
    rows = {variant: {row["clip"]: row for row in group.rows(variant)} for variant in group.records}
    theirs = comparison.compare(records, names, rows, dict.fromkeys(names, "flow"))
    for name in names:
        for variant in ("blend", "mardini"):
            assert paired.difference(group, name, variant, "flow") == tuple(theirs[name][variant])


def test_what_cannot_be_told_from_the_best_is_marked(results: Path) -> None:
    (group,) = read_groups([results])
    found = cells(of_group(group), "psnr")
    assert found["mardini"].value == max(cell.value for cell in found.values() if cell.value is not None)
    assert found["flow"].tied and not found["blend"].tied and not found["mardini"].tied
    table = of_group(group)
    less = next(n for n, block in enumerate(table.blocks) if block.title.startswith("mardini less"))
    gain = np.mean(SCORES["mardini"]) - np.mean(SCORES["flow"])
    assert cells(table, "psnr ↑ mid", less)["flow"].text(2) == f"{gain:+.2f}"
    assert any("fvd† 1.50" in note for note in table.notes)


def test_a_column_that_one_system_lacks_stays_with_a_gap(results: Path) -> None:
    path = results / "interpolation/davis-7-v1-00000000/mardini/record.json"
    record = json.loads(path.read_text())
    del record["metrics"]["fvd_random"]
    path.write_text(json.dumps(record))
    (group,) = read_groups([results])
    found = cells(of_group(group), "fvd†", 1)
    assert found["mardini"] == MISSING and found["flow"].value is not None
    (four,) = (
        block for block in paper_tables([results])[2].blocks if block.title.startswith("Ours: DAVIS-7")
    )
    assert four.missing == 3 * 3 + 1  # no SSIM, LPIPS and FID of three systems, no FVD of one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": "davis-7/v2"}, "different protocols or clips"),
        ({"dataset": {"name": "davis", "pixels_sha256": "1" * 64}}, "different protocols or clips"),
        ({"metrics.psnr_mid.metric.version": "2"}, "psnr_mid of"),
        ({"metrics.psnr_mid.n": 7}, "psnr_mid of"),
    ],
)
def test_records_that_do_not_belong_together_are_refused(
    results: Path, change: Mapping[str, Any], message: str
) -> None:
    path = results / "interpolation/davis-7-v1-00000000/mardini/record.json"
    record = json.loads(path.read_text())
    for name, value in change.items():
        *way, last = name.split(".")
        part = record
        for step in way:
            part = part[step]
        part[last] = value
    path.write_text(json.dumps(record))
    with pytest.raises(ReportError, match=message):
        read_groups([results])


def test_rows_that_are_not_the_records_are_refused(results: Path) -> None:
    path = results / "interpolation/davis-7-v1-00000000/flow/clips.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    (group,) = read_groups([results])
    with pytest.raises(ReportError, match=r"is not what record\.json beside it was made from"):
        group.rows("flow")


def test_fresh_records_stand_in_the_place_of_old_ones(results: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    write_system(fresh, "mardini", [score + 2 for score in SCORES["mardini"]])
    (group,) = read_groups([results, fresh])
    assert list(group.records) == ["blend", "flow", "mardini"]
    assert group.folders["mardini"].is_relative_to(fresh) and group.folders["flow"].is_relative_to(results)
    assert paired.difference(group, "psnr_mid", "mardini", "flow").value > 1  # type: ignore[union-attr]


def test_failures_of_a_benchmark_say_so_in_a_word() -> None:
    cell = {"model": "S", "attention": "T", "resolution": "symmetric", "frames": 9, "size": 512}
    record = {"machine": "m", "path": "efficiency/m/x.json", "cell": cell, "values": {}, "status": "failed"}
    for kind, word in (("OutOfMemory", "OOM"), ("Died", "failed")):
        table = table_3([{**record, "error": {"kind": kind, "sentence": "it ended"}}])
        assert table.blocks[-1].rows[0].cells[0].word == word


def test_scores_of_vbench_are_read(tmp_path: Path) -> None:
    """As ``python -m eval.vbench read --output`` writes them."""
    from eval.vbench_scores import DIMENSIONS
    from eval.vbench_scores import table_5 as scores_of

    made = scores_of({name: 0.9 for name in DIMENSIONS if name != "motion_smoothness"})
    columns = {name: {"value": score.value, "missing": list(score.missing)} for name, score in made.items()}
    path = tmp_path / "vbench" / "mardini" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"variant": "mardini", "resolution": "512x512", "columns": columns}))
    (_, ours) = paper_tables([tmp_path])[3].blocks
    (row,) = ours.rows
    assert row.labels == ("mardini", "512×512", "no")
    values = dict(zip([column.name for column in ours.columns], row.cells, strict=True))
    assert values["I2V-Subj"].value == pytest.approx(90) and values["VBench Avg."] == MISSING
    assert values["I2V-Subj"].origin == ("vbench/mardini/record.json#i2v_subject",)


def test_our_rows_are_those_of_the_records_and_never_in_a_reported_block() -> None:
    tables = {table.name: table for table in [*paper_tables([RESULTS]), *own_tables([RESULTS])]}
    record = json.loads((RESULTS / "interpolation/synthetic-7-v1/flow/record.json").read_text())
    table = tables["interpolation-synthetic-7-v1"]
    name = "interpolation/synthetic-7-v1/flow/record.json#psnr_clip"
    (cell,) = (c for b in table.blocks[:4] for r in b.rows for c in r.cells if c.origin == (name,))
    assert cell.value == record["metrics"]["psnr_clip"]["value"]
    for table in tables.values():
        for block in table.blocks:
            assert block.reported == ("arXiv" in block.source) == block.title.startswith("As reported")
            assert block.reported or block.command.startswith(("python -m ", "tox "))
            found = [cell for row in block.rows for cell in row.cells]
            assert all(bool(cell.origin) != (block.reported or cell.missing) for cell in found)


def test_every_record_says_how_to_make_it_again() -> None:
    """The group's command, or it once more with further options; the evaluation's own parser takes them."""
    for group in read_groups([RESULTS]):
        program, _, words = group.command.partition(" --")
        options = parser(program, "", given=True)
        for more in ("", *group.again):
            told = options.parse_args([*f"--{words}".split(), *more.split()])
            assert told.dataset == group.dataset and told.size == group.side
        assert len(group.again) == len([name for name in group.records if name.startswith("mardini-")])
    (group,) = (group for group in read_groups([RESULTS]) if group.name == "vidim-7-128px-v1-738fb66c")
    assert " --features random " in group.command
    assert {
        "--systems mardini --checkpoint mini --sharpness 1",
        "--systems mardini --checkpoint mini --skip-guidance 0 --detail 0",
        "--systems mardini --checkpoint mini --steps 25 --skip-guidance 0 --detail 0",
        "--systems mardini --checkpoint nano-128 --skip-guidance 0 --detail 0",
    } <= set(group.again)


def test_a_command_names_systems_and_metrics_where_they_are_not_those_scored_unasked() -> None:
    for task, usual in USUAL.items():
        assert set(usual) == {name for name, system in SYSTEMS.items() if task in system.usual}
    assert set(METRICS) == {name for name, _ in expand(DEFAULT, "random")}
    groups = {group.path: group for group in read_groups([RESULTS])}
    assert "--metrics" not in groups["interpolation/synthetic-7-v1"].command
    words = groups["interpolation/vidim-7-v1-274488c6"].command.split()
    assert set(words[words.index("--systems") + 1].split(",")) == {"amt", "film", "rife", "ldmvfi", "vidm"}
    assert {"ssim_3d", "warping_error"} <= set(words[words.index("--metrics") + 1].split(","))
    slow = groups["interpolation/synthetic-given-0.32.64.96-of-97-v1-limit1"].command
    assert "--systems blend,flow --predictions slow-motion=DIR --metrics psnr,psnr_clip" in slow
    for group in groups.values():
        asked = parser("python -m eval", "", given=True).parse_args(group.command.split(" ")[3:])
        kept = {name for name, record in group.records.items() if record["described"]["system"] != "mardini"}
        assert asked.metrics is None or expand(asked.metrics, "random")
        folders = {given.split("=")[0] for given in asked.predictions}
        assert asked.systems is None or kept <= {*asked.systems} | folders


def test_figures_of_many_lines_leave_out_what_differs_in_what_is_ours_alone() -> None:
    """With its counterpart beside it; alone it is shown."""
    groups = {group.path: group for group in read_groups([RESULTS])}
    embedded = groups["interpolation/synthetic-7-v1"]
    assert {"mardini-skip0-detail0", "mardini-nano-skip0-detail0"} <= embedded.records.keys()
    assert (
        not any("-skip" in name or "-detail" in name or "-sharpness" in name for name in embedded.pictured)
        and "mardini-steps25" in embedded.pictured
    )
    assert "mardini-steps25-skip0-detail0" in groups["interpolation/vidim-7-128px-v1-738fb66c"].pictured


def test_shrunk_clips_have_tables_of_their_own_and_no_part_in_the_papers() -> None:
    groups = {group.path: group for group in read_groups([RESULTS])}
    small = groups["interpolation/davis-7-64px-v1-43fc13a4"]
    assert small.side == 64 and " --size 64 " in small.command
    assert groups["interpolation/davis-7-v1-66f26905"].side is None
    table = next(table for table in paper_tables([RESULTS]) if table.name == "table-4")
    text = markdown(table)
    assert "davis-7-v1-66f26905" in text and "64px" not in text
    assert any(table.name.endswith("davis-7-64px-v1-43fc13a4") for table in own_tables([RESULTS]))
    embedded = find(list(groups.values()), "interpolation", "mardini")
    assert embedded is not None and embedded.path == "interpolation/synthetic-7-v1"


def test_a_cell_counts_once_by_the_last_folder_unless_machines_are_what_is_measured(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for suite in ("ablations", "scaling"):
        for machine, folder, value in (("a", two, 2.0), ("z", one, 1.0)):
            made_cells.write(folder, suite, machine, [made_cells.record({"seed": 0}, {"x": value})])
    (kept,) = read_cells([one, two], "ablations")
    assert (kept["values"]["x"]["value"], kept["machine"]) == (2.0, "a")
    assert [cell["machine"] for cell in read_cells([one, two], "scaling")] == ["a", "z"]
    made_cells.write(one, "ablations", "b", [made_cells.record({"seed": 1}, {"x": 1.0}, version="0")])
    with pytest.raises(ReportError, match="versions 0, 1 of the suite"):
        read_cells([one, two], "ablations")
