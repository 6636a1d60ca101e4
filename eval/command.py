"""What the commands of all tasks share: options, the steps of a run, and what it prints."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mardini.errors import UserError, unknown
from mardini.guidance import allowed, scales, spelt
from mardini.shipped import SHIPPED

if TYPE_CHECKING:
    from eval.datasets.base import Dataset
    from eval.metrics.collection import MetricSet
    from eval.protocols import TaskName
    from eval.runner import Run


def parser(prog: str, description: str, *, given: bool = False) -> argparse.ArgumentParser:
    """The command line of a task; a frozen, small set of options. ``given``: with the option of that name."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--dataset", default="synthetic", help="what to score on (default: synthetic)")
    add("--data-root", type=Path, metavar="DIR", help="folder that holds the dataset")
    add(
        "--systems",
        type=names,
        metavar="A,B",
        help="default: our own, and what comes with the dataset; rivals by name, NAME=DIR for another model",
    )
    add("--metrics", type=names, metavar="A,B", help="default: those of the task; see python -m eval list")
    add("--features", help="detectors: pretrained or random (default: the protocol's)")
    add("--weights-dir", type=Path, metavar="DIR", help="folder with weight files")
    add(
        "--predictions",
        action="append",
        default=[],
        metavar="[NAME=]DIR",
        help="score a folder of frames, one entry per clip id; repeatable; alone, no other system is run",
    )
    add(
        "--checkpoint",
        type=Path,
        metavar="DIR",
        help=f"of system mardini: {', '.join(SHIPPED)} (default: {SHIPPED[0]}), or a folder",
    )
    add(
        "--steps",
        type=int,
        metavar="N",
        help="diffusion steps of system mardini (default: its checkpoint's own, 25 where that names none)",
    )
    add("--guidance", type=float, metavar="X", help="of system mardini: 1 is none, 0 leaves the plan out")
    add(
        "--skip-guidance",
        type=scales,
        metavar="X[,Y]",
        help="of system mardini: more makes things move as wholes, 0 is none, as in the paper; of two numbers the "
        "first counts at full noise, the second at none (default: 3.5,0.5 in interpolation, 3,0.5 in image-to-video, 2 "
        "in expansion)",
    )
    add(
        "--detail",
        type=float,
        metavar="X",
        help="of system mardini: share of given frames' fine detail carried over to new ones, 0 is none, as in the "
        "paper (default: 1)",
    )
    add(
        "--sharpness",
        type=float,
        metavar="X",
        help="of system mardini: 1 makes new frames as sharp as given ones, 0 does not, as in the paper (default: 0)",
    )
    if given:
        add("--given", type=places, metavar="I,J", help="given frames, from 0 (default: first and last)")
    add("--frames", type=int, metavar="N", help="frames of a clip (default: the dataset's, mostly 9)")
    add("--size", type=int, metavar="N", help="shrink clips to N pixels on the shorter side (default: none)")
    add("--limit", type=int, metavar="N", help="score N clips only")
    add("--seed", type=int, default=0, metavar="N", help="of generated data and of systems (default: 0)")
    add(
        "--batch-size",
        type=int,
        default=4,
        metavar="N",
        help="clips at a time (default: 4); changes no score",
    )
    add("--device", default="cpu", help="where networks run: cpu, cuda, cuda:1 (default: cpu)")
    add("--against", metavar="SYSTEM", help="compare all others with this one, clip by clip")
    add("--shard", metavar="I/N", help="do part I (from 0) of N only; the command without it joins them")
    add("--output", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    add("--force", action="store_true", help="do all again, whatever is there")
    return parser


def names(text: str) -> list[str]:
    """``a,b`` as a list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def places(text: str) -> tuple[int, ...]:
    """``0,4,8`` as frame indices."""
    try:
        return tuple(int(part) for part in names(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of frame numbers such as 0,4,8") from None


def run_task(task: TaskName, options: argparse.Namespace) -> int:
    """Check the options, score, print; the exit status."""
    check(options)
    from eval.datasets import load_dataset, stands_for
    from eval.metrics import build_metrics
    from eval.protocols import protocol_for
    from eval.runner import Run
    from eval.shards import Shard, launched, local_device, together
    from eval.systems import build_systems

    device = local_device(options.device)
    given = getattr(options, "given", None)
    name, _ = stands_for(options.dataset, options.data_root)
    protocol = protocol_for(task, name, frames=options.frames, given=given, side=options.size)
    metrics = build_metrics(
        options.metrics,
        options.features or protocol.features,
        options.weights_dir,
        device,
        frames=protocol.frames,
        size=protocol.size,
        truth=protocol.truth,
        middle=protocol.middle is not None,
    )
    dataset = load_dataset(
        options.dataset,
        data_root=options.data_root,
        limit=options.limit,
        seed=options.seed,
        frames=options.frames,
        side=options.size,
    )
    metrics = enough_clips(metrics, dataset, named=options.metrics is not None)
    systems = build_systems(
        [] if options.systems is None and options.predictions else options.systems,
        dataset,
        protocol,
        predictions=options.predictions,
        checkpoint=options.checkpoint,
        steps=options.steps,
        guidance=options.guidance,
        skip_guidance=options.skip_guidance,
        detail=options.detail,
        sharpness=options.sharpness,
        weights_dir=options.weights_dir,
        device=device,
        limited=options.limit is not None,
    )
    for option in ("checkpoint", "steps", "guidance", "skip_guidance", "detail", "sharpness"):
        if getattr(options, option) is not None and all(system.name != "mardini" for system in systems):
            raise UserError(
                f"--{option.replace('_', '-')} is for system 'mardini', which is not scored: add it to --systems"
            )
    if options.against is not None and options.against not in {system.variant for system in systems}:
        raise unknown("system to compare with", options.against, {system.variant for system in systems})
    ranks = launched()
    if ranks is not None and options.shard is not None:
        raise UserError("--shard is for processes that are started one by one: leave it out under torchrun")
    notify = tell if ranks is None or ranks.index == 0 else quiet
    for notice in [*dataset.notices, *(n for system in systems for n in getattr(system, "notices", ()))]:
        notify(notice)
    run = Run(
        dataset,
        protocol,
        systems,
        metrics,
        options.output,
        limit=options.limit,
        seed=options.seed,
        batch_size=options.batch_size,
        device=device,
        force=options.force,
        shard=ranks or (None if options.shard is None else Shard.parse(options.shard)),
        notify=notify,
    )
    if ranks is not None:
        with together():
            run.execute()
        run = run.folded()
        if ranks.index:
            return 0
    records = run.execute()
    if run.shard is not None:
        print(f"shard {options.shard} is done: when all are, the same command without --shard joins them")
        return 0
    show(records, metrics, run, options.against)
    return 0


def tell(sentence: str) -> None:
    """A plain sentence for the user."""
    print(f"note: {sentence}", flush=True)


def quiet(sentence: str) -> None:
    """What one of several processes says once is not said by the others."""


def check(options: argparse.Namespace) -> None:
    """Refuse numbers that make no sense."""
    for name in ("limit", "batch_size", "steps"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} {value}: give at least 1")
    if options.guidance is not None and not 0 <= options.guidance < float("inf"):
        raise UserError(f"--guidance {options.guidance}: give 0 or more")
    if options.skip_guidance is not None and not allowed(options.skip_guidance):
        raise UserError(
            f"--skip-guidance {spelt(options.skip_guidance)}: give 0 (none) or more, or two such numbers, as 5,0"
        )
    for name, all_ in (("detail", "all of it"), ("sharpness", "as sharp as given frames")):
        value = getattr(options, name)
        if value is not None and not 0 <= value <= 1:
            raise UserError(f"--{name} {value}: give 0 (none) to 1 ({all_})")
    if options.seed < 0:
        raise UserError(f"--seed {options.seed}: give 0 or more")


def enough_clips(metrics: MetricSet, dataset: Dataset, named: bool) -> MetricSet:
    """Without the set metrics that need more clips than there are; refused where they were asked for."""
    from eval.metrics import Missing
    from eval.metrics.collection import MetricSet

    kept, missing = [], list(metrics.missing)
    for metric in metrics.metrics:
        least = getattr(metric, "min_clips", 1)
        if len(dataset.clips) >= least:
            kept.append(metric)
            continue
        count = len(dataset.clips)
        sentence = f"{metric.name} needs at least {least} clips, but there are {count}: score more clips"
        if named:
            raise UserError(f"{sentence}, or leave it out of --metrics")
        columns = tuple(metric.name + suffix for suffix in metrics.suffixes(metric))
        missing.append(Missing(metric.name, columns, sentence))
    same = missing == metrics.missing
    return metrics if same else MetricSet(kept, missing, with_middle=metrics.with_middle)


def show(
    records: Sequence[Mapping[str, Any]], metrics: MetricSet, run: Run, against: str | None = None
) -> None:
    """Print the tables, what they mean, and where the records are."""
    from eval.comparison import compare, compare_with_best
    from eval.results import Store
    from eval.table import differences, notes, printed, tables

    columns = [column.name for column in metrics.columns]
    absent = [name for missing in metrics.missing for name in missing.columns]
    print(f"\n{records[0]['protocol']} on {records[0]['dataset']['name']}\n")
    rows = {record["variant"]: Store(run.folder / record["variant"]).rows for record in records}
    shown = printed(columns)
    print(tables(records, columns, absent, compare_with_best(records, shown, rows)))
    if against is None and len(records) == 2:
        against = records[0]["variant"]
    if against is not None and len(records) > 1:
        found = compare(records, shown, rows, dict.fromkeys(shown, against))
        print(f"\n{differences(records, shown, found, against)}")
    print()
    for note in [*notes(records, columns), *(missing.sentence for missing in metrics.missing)]:
        print(note)
    print("\nrecords:")
    for system in run.systems:
        print(f"  {run.folder / system.variant / 'record.json'}")
