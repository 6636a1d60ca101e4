"""The figures: what is plotted is what the records say, for every suite of the benchmarks, and each can be drawn."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from made_cells import LAYOUTS, make_ablations, make_results, make_steps
from matplotlib.figure import Figure

from reports.catalogue import all_figures
from reports.figures import ablations, efficiency, masks, scaling, speed, steps
from reports.groups import own_tables
from reports.records import read_cells
from reports.style import COLOURS, look, styled
from reports.tables import paper_tables


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_results(tmp_path_factory.mktemp("results"))


NAMES = {
    "figure-6a-steps",
    "figure-6a-small",
    "figure-6b-training",
    "figure-6b-lpips",
    "figure-6c-identity",
    "mask-configs-synthetic",
    "efficiency-a-machine",
    "scaling-a-machine",
    "metric-speed-a-machine",
    "training-nano",
}


def test_every_suite_has_its_figures_and_tables(results: Path, tmp_path: Path) -> None:
    figures = {figure.name: figure for figure in all_figures([results], tmp_path)}
    assert {name for name, figure in figures.items() if figure.rows} >= NAMES
    tables = {table.name: table for table in [*paper_tables([results]), *own_tables([results])]}
    small = tables["table-2"].blocks[1]
    assert small.missing == 0 and small.is_best(small.rows[4], 0)
    (ours,) = (block for block in tables["table-3"].blocks if not block.reported)
    assert sum(cell.word == "OOM" for row in ours.rows for cell in row.cells) == 4
    (latency,) = (block for block in tables["table-5"].blocks if "seconds a frame" in block.title)
    assert [row.labels[0] for row in latency.rows][:2] == ["S/ST-9", "S/T-9"]
    speeds = tables["metric-speed"].blocks[0]
    assert [row.cells[0].word for row in speeds.rows if row.labels[-1] == "piq"] == ["failed"]


def test_figures_without_records_say_what_makes_them(tmp_path: Path) -> None:
    figures = {figure.name: figure for figure in all_figures([tmp_path], tmp_path)}
    for name in (
        *NAMES - {"training-nano"},
        "figure-5-planning",
        "figure-9-sharpness",
        "figure-11-slow-motion",
    ):
        figure = figures[name.replace("a-machine", "any-machine")]
        assert not figure.rows and figure.command.startswith(("python -m ", "tox "))


def test_plotted_numbers_are_those_of_the_records(results: Path) -> None:
    cells = {(c["arm"], c["seed"]): r for r in make_ablations() for c in [r["cell"]]}
    for row in ablations.identity(read_cells([results], "ablations")):
        arm = "generator" if row["line"].startswith("with ") else "generator-no-identity"
        assert {"clips": row["x"], "held_out": row["y"]} in cells[arm, row["seed"]]["details"]["curve"]
    at_end = {
        row["x"]: row["y"] for row in ablations.training(read_cells([results], "ablations"), ablations.LPIPS)
    }
    assert at_end[2400] == pytest.approx(0.22) and at_end[600] > at_end[2400]
    found = ablations.steps(read_cells([results], "ablations"))
    line = [(row["x"], row["y"]) for row in found if row["seed"] == 1]
    assert line == [(1, 41.0), (4, 18.5), (10, 14.0), (25, 12.2)]
    swept = steps.rows(read_cells([results], "inference-steps"))
    assert len(swept) == 64 and [row["task"] for row in swept[:32]] == ["interpolation"] * 32
    assert swept[0]["sampler"] == "ddim" and swept[0]["fvd_random.low"] == 0.9 * swept[0]["fvd_random"]
    layouts = masks.rows(read_cells([results], "mask-configs"), "synthetic")
    assert list(dict.fromkeys(row["given"] for row in layouts)) == list(LAYOUTS)
    failures = [row for row in efficiency.rows(read_cells([results], "efficiency")) if "failed" in row]
    assert {row["failed"] for row in failures} == {"OOM"} and len(failures) == 2
    assert {row["tool"] for row in speed.rows(read_cells([results], "metric-speed"))} >= {"mardini", "cd-fvd"}
    assert len(scaling.rows(read_cells([results], "scaling"))) == 10


def test_lines_of_a_name_look_alike_in_all_panels() -> None:
    """Though a checkpoint is measured in one task alone."""
    cells = [cell for cell in make_steps() if cell["cell"]["sampler"] == "ddim"]
    other = [c for c in cells if c["cell"]["task"] == "interpolation"]
    cells += [{**c, "cell": {**c["cell"], "checkpoint": "mini"}} for c in other]
    rows = steps.rows([{"machine": "a", **cell} for cell in cells])
    with styled():
        figure = Figure()
        axes = figure.subplots(1, len(steps.panels(rows)))
        steps.draw(rows, axes)
    seen: dict[str, set[Any]] = {}
    for line in (line for ax in axes for line in ax.get_lines()):
        seen.setdefault(str(line.get_label()), set()).add((line.get_color(), line.get_marker()))
    assert {"mini, DDIM", "nano, DDIM"} <= seen.keys()
    assert all(len(looks) == 1 for looks in seen.values()) and seen["mini, DDIM"] != seen["nano, DDIM"]


def test_figures_are_the_same_to_the_last_byte_when_drawn_again(results: Path, tmp_path: Path) -> None:
    figures = {figure.name: figure for figure in all_figures([results], tmp_path)}
    for name in ("scaling-a-machine", "figure-6c-identity"):
        for folder in ("one", "two"):
            figures[name].write(tmp_path / folder)
        one, two = (sorted((tmp_path / folder).glob(f"{name}.*")) for folder in ("one", "two"))
        assert [path.suffix for path in one] == [".csv", ".pdf", ".png"]
        assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
        pdf = one[1].read_bytes()
        assert b"CreationDate" not in pdf and b"/Type3" not in pdf and b"/FontFile2" in pdf
        with one[0].open(newline="") as file:
            assert len(list(csv.DictReader(file))) == len(figures[name].rows)


@pytest.mark.parametrize("name", sorted(NAMES - {"training-nano"}))
def test_nothing_in_a_figure_overlaps_or_is_cut_off(results: Path, tmp_path: Path, name: str) -> None:
    """Tick labels of an axis keep clear of each other, and all text lies on the page, in a size that can be read."""
    (figure,) = (figure for figure in all_figures([results], tmp_path) if figure.name == name)
    with styled() as pyplot:
        made = figure.drawn(pyplot)
        made.canvas.draw()
        page = made.bbox
        for ax in made.axes:
            for axis in (ax.xaxis, ax.yaxis):
                labels = [
                    label for label in axis.get_ticklabels() if label.get_text() and label.get_visible()
                ]
                inside = [label for label in labels if drawn(axis, label)]
                boxes = sorted(
                    (label.get_window_extent() for label in inside), key=lambda box: (box.x0, box.y0)
                )
                assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes)), name
            words = [ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
            for text in (text for text in words if text.get_text()):
                box = text.get_window_extent()
                assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1, text.get_text()
                assert page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1, text.get_text()
                assert text.get_fontsize() >= 6


def drawn(axis: Any, label: Any) -> bool:
    """Whether a tick label is within the view: Matplotlib keeps some beyond its ends."""
    place = label.get_position()[0 if axis.axis_name == "x" else 1]
    low, high = sorted(axis.get_view_interval())
    return low <= place <= high


def test_colours_are_told_apart() -> None:
    """Also where red and green look alike: in the plane that remains, no two systems come close."""
    values = {name: [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)] for name, code in COLOURS.items()}
    own = [values[name] for name in ("repeat", "blend", "flow", "minterpolate", "mardini")]
    for r, g, b in own:
        assert 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.75  # none is too light on white
    # Viénot, Brettel & Mollon 1999: what a deuteranope sees
    seen = [(0.29 * r + 0.71 * g, -0.03 * r + 0.03 * g + b) for r, g, b in own]
    assert min(math.dist(x, y) for x, y in itertools.combinations(seen, 2)) > 0.08
    assert len({json.dumps(look(name), sort_keys=True) for name in COLOURS}) == len(COLOURS)


def test_variants_of_a_system_share_its_colour_and_have_markers_of_their_own() -> None:
    own, *variants = (
        look(name, number) for number, name in enumerate(("mardini", "mardini-guidance0", "mardini-nano-128"))
    )
    assert {own["color"]} == {variant["color"] for variant in variants}
    assert len({own["marker"], *(variant["marker"] for variant in variants)}) == 3
    assert {variant["markerfacecolor"] for variant in variants} == {"white"} != {own["markerfacecolor"]}
