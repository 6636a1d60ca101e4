"""Everything that is drawn and printed, from records alone. A figure whose records are missing says so."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.figures import ablations, efficiency, masks, per_frame, scaling, steps, worst
from reports.records import Group, read_cells, read_groups, read_json
from reports.render import as_csv, latex, markdown
from reports.style import COLUMN, PAGE, save, styled
from reports.table import Table
from reports.tables import all_tables

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Figure:
    """A figure of the report.

    Attributes:
        name: of its files.
        title: caption.
        rows: the plotted numbers; none: nothing is drawn, and ``missing`` says what would make them.
        draw: from rows and axes to a picture.
        panels: axes side by side, ``across`` a row.
        size: inches.
        missing: the command that makes the records.
    """

    name: str
    title: str
    rows: Rows
    draw: Callable[[Rows, Sequence[Any]], None]
    panels: int
    across: int
    size: tuple[float, float]
    missing: str


def figures(results: Path) -> list[Figure]:
    """All figures that are drawn from records."""
    groups = [group for group in read_groups(results) if group.task == "interpolation"]
    found = [of_group(group, kind) for group in groups for kind in (per_frame, worst)]
    cells = read_cells(results, "inference-steps")
    line = steps.rows(cells)
    count = max(1, len(steps.panels(line)))
    found.append(
        Figure(
            "figure-6a-steps",
            "Quality against inference steps (Figure 6a of the paper)",
            line,
            steps.draw,
            count,
            2,
            (PAGE, 1.9 * -(-count // 2) + 0.5),
            "python -m benchmarks run inference-steps",
        )
    )
    found += curves(results)
    cells = read_cells(results, "mask-configs")
    for dataset in dict.fromkeys(record["cell"]["dataset"] for record in cells):
        command = "python -m benchmarks run mask-configs"
        title = f"Quality by which frames are given, {dataset}"
        line = masks.rows(cells, dataset)
        found.append(Figure(f"mask-configs-{dataset}", title, line, masks.draw, 4, 2, (PAGE, 4.4), command))
    cells = read_cells(results, "efficiency")
    for machine in dict.fromkeys(record["machine"] for record in cells):
        line = efficiency.rows([record for record in cells if record["machine"] == machine])
        command = "python -m benchmarks run efficiency"
        title = f"Latency and peak memory of image-to-video on {machine} (Table 3 of the paper, as a picture)"
        found.append(
            Figure(f"efficiency-{machine}", title, line, efficiency.draw, 2, 2, (PAGE, 2.4), command)
        )
    found += scalings(results)
    return found


def curves(results: Path) -> list[Figure]:
    """The panels of Figure 6 on our small models."""
    cells = read_cells(results, "ablations")
    fvd = "FVD, random features ↓"
    panels = (
        ("a-tiny", "inference steps", ablations.steps, "inference steps", fvd, True),
        ("b", "both tasks along training", ablations.training, "clips", fvd, False),
        ("c", "Identity Attention", ablations.identity, "clips", "held-out loss ↓", False),
    )
    found = []
    for part, title, rows, xlabel, ylabel, log in panels:
        draw = functools.partial(ablations.draw, xlabel=xlabel, ylabel=ylabel, log=log)
        command = "python -m benchmarks run ablations"
        title = f"Figure 6{part[0]} on tiny models: {title}"
        found.append(Figure(f"figure-6{part}", title, rows(cells), draw, 1, 1, (COLUMN, 2.4), command))
    return found


def scalings(results: Path) -> list[Figure]:
    """Cost against size, one figure a machine, with the exponents that the benchmark fitted."""
    found = []
    cells = read_cells(results, "scaling")
    for machine in dict.fromkeys(record["machine"] for record in cells):
        line = scaling.rows([record for record in cells if record["machine"] == machine])
        path = results / "scaling" / machine / "fits.json"
        fits = {
            fit["over"]: (fit["exponent"], fit["standard_error"] or 0.0)
            for fit in (read_json(path)["fits"] if path.is_file() else ())
            if fit["column"] == "seconds"
        }
        panels = max(1, len({row["over"] for row in line}))
        draw = functools.partial(scaling.draw, fits=fits)
        title = f"Cost against size on {machine}, with fitted exponents"
        command = "python -m benchmarks run scaling"
        found.append(Figure(f"scaling-{machine}", title, line, draw, panels, panels, (PAGE, 1.9), command))
    return found


def of_group(group: Group, kind: Any) -> Figure:
    """A figure of one data set from its per-clip rows."""
    line = kind.rows(group)
    command = (
        f"python -m eval.interpolation --dataset {group.first['dataset']['name']} --output benchmarks/results"
    )
    if kind is per_frame:
        title = f"Score by place between the given frames, {group.name}, {group.clips}"
        return Figure(f"per-frame-{group.name}", title, line, kind.draw, 3, 3, (PAGE, 2.2), command)
    title = f"Clip by clip, hardest first, {group.name}, {group.clips}"
    return Figure(f"clips-{group.name}", title, line, kind.draw, 1, 1, (COLUMN, 2.6), command)


def write_figure(figure: Figure, folder: Path) -> list[Path]:
    """PDF, PNG and CSV of a figure."""
    with styled() as pyplot:
        down = -(-figure.panels // figure.across)
        made, axes = pyplot.subplots(down, figure.across, figsize=figure.size, squeeze=False)
        flat = list(axes.flat)
        for ax in flat[figure.panels :]:
            ax.set_axis_off()
        figure.draw(figure.rows, flat[: figure.panels])
        legend(made, flat[: figure.panels])
        return save(made, folder, figure.name, figure.rows)


def legend(figure: Any, axes: Sequence[Any]) -> None:
    """One legend below all panels, each label once."""
    entries: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        columns = min(len(entries), 5 if figure.get_figwidth() > COLUMN else 3)
        figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)


def write_table(table: Table, folder: Path) -> list[Path]:
    """Markdown, LaTeX and CSV of a table."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for suffix, render in ((".md", markdown), (".tex", latex), (".csv", as_csv)):
        paths.append(folder / f"{table.name}{suffix}")
        paths[-1].write_text(render(table), encoding="utf-8")
    return paths


def build(results: Path, out: Path, tell: Callable[[str], None] = print) -> list[Path]:
    """Write every table and figure; tells what is missing. The files written."""
    tables, drawn = all_tables(results), figures(results)
    paths = [path for table in tables for path in write_table(table, out / "tables")]
    for figure in drawn:
        if figure.rows:
            paths += write_figure(figure, out / "figures")
        else:
            tell(f"missing: {figure.title}: {figure.missing}")
    overview = out / "README.md"
    overview.write_text(page(tables, drawn), encoding="utf-8")
    return [*paths, overview]


def page(tables: Sequence[Table], drawn: Sequence[Figure]) -> str:
    """All tables and figures on one Markdown page."""
    parts = [
        "# Report\n",
        "Built by `python -m reports` from the records under `benchmarks/results`. Every number is ours unless its "
        "block says that it is reported by a publication. – : missing.\n",
        "## Tables\n",
        *(markdown(table) for table in tables),
        "## Figures\n",
    ]
    for figure in drawn:
        parts.append(f"### {figure.title}\n")
        if figure.rows:
            files = f"[PDF](figures/{figure.name}.pdf), [numbers](figures/{figure.name}.csv)"
            parts.append(f"![{figure.title}](figures/{figure.name}.png)\n\n{files}\n")
        else:
            parts.append(f"Missing: `{figure.missing}` makes its records.\n")
    return "\n".join(parts)


def changed(fresh: Path, kept: Path) -> list[str]:
    """Files that differ between a fresh report and the one that is kept, or that only one of them has.

    Pictures are compared through the numbers in them: rasters differ in their last bits from machine to machine.
    """
    exact = (".md", ".tex", ".csv")
    names = sorted(
        {
            path.relative_to(folder).as_posix()
            for folder in (fresh, kept)
            for path in folder.rglob("*")
            if path.suffix in exact
        }
    )

    def same(name: str) -> bool:
        ours, theirs = fresh / name, kept / name
        return ours.is_file() and theirs.is_file() and ours.read_bytes() == theirs.read_bytes()

    return [name for name in names if not same(name)]
