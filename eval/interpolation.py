"""Score frame-interpolation systems: two frames of each clip are given, those between are compared.

  python -m eval.interpolation                                        the embedded benchmark, all systems
  python -m eval.interpolation --dataset davis                        DAVIS-7 of VIDIM-Bench (downloads DAVIS)
  python -m eval.interpolation --dataset davis --data-root DAVIS      the same, from a folder
  python -m eval.interpolation --dataset folder --data-root videos --systems flow,mardini --limit 20
  python -m eval.interpolation --dataset davis --predictions mine=out/frames
  python -m eval.interpolation --metrics psnr,ssim --systems repeat,blend

The same command again goes on where it stopped, and does nothing when all is done. Records, per-clip rows and
predictions lie under OUTPUT/interpolation/<protocol>/<system>/. "python -m eval list" shows all names.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mardini.errors import UserError, command, unknown

if TYPE_CHECKING:
    from eval.datasets.base import Dataset
    from eval.metrics.collection import MetricSet


def parser() -> argparse.ArgumentParser:
    """The command line; a frozen, small set of options."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.interpolation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--dataset", default="synthetic", help="what to score on (default: synthetic)")
    add("--data-root", type=Path, metavar="DIR", help="folder that holds the dataset")
    add("--systems", type=names, metavar="A,B", help="default: all, and what comes with the dataset")
    add("--metrics", type=names, metavar="A,B", help="default: psnr,ssim,lpips,fid,fvd")
    add("--features", help="detectors of lpips, fid, fvd: pretrained or random (default: the protocol's)")
    add("--weights-dir", type=Path, metavar="DIR", help="folder with detector weights")
    add(
        "--predictions",
        action="append",
        default=[],
        metavar="[NAME=]DIR",
        help="score a folder of frames, one entry per clip id; repeatable; alone, no other system is run",
    )
    add("--checkpoint", type=Path, metavar="DIR", help="of system mardini (default: the shipped one)")
    add("--steps", type=int, metavar="N", help="diffusion steps of system mardini (default: 25)")
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
    add("--output", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    add("--force", action="store_true", help="do all again, whatever is there")
    return parser


def names(text: str) -> list[str]:
    """``a,b`` as a list."""
    return [name.strip() for name in text.split(",") if name.strip()]


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = parser().parse_args(argv)
    check(options)

    from eval.datasets import DATASETS, load_dataset
    from eval.metrics import build_metrics
    from eval.protocols import PROTOCOLS
    from eval.runner import Run
    from eval.systems import build_systems

    if options.dataset not in DATASETS:
        raise unknown("dataset", options.dataset, DATASETS)
    protocol = PROTOCOLS[DATASETS[options.dataset].protocol]
    metrics = build_metrics(
        options.metrics,
        options.features or protocol.features,
        options.weights_dir,
        options.device,
        frames=protocol.frames,
        size=protocol.size,
    )
    dataset = load_dataset(
        options.dataset, data_root=options.data_root, limit=options.limit, seed=options.seed
    )
    metrics = enough_clips(metrics, dataset, named=options.metrics is not None)
    systems = build_systems(
        [] if options.systems is None and options.predictions else options.systems,
        dataset,
        predictions=options.predictions,
        checkpoint=options.checkpoint,
        steps=options.steps,
        device=options.device,
        limited=options.limit is not None,
    )
    for option in ("checkpoint", "steps"):
        if getattr(options, option) is not None and all(system.name != "mardini" for system in systems):
            raise UserError(f"--{option} is for system 'mardini', which is not scored: add it to --systems")
    notices = [*dataset.notices, *(n for system in systems for n in getattr(system, "notices", ()))]
    for notice in notices:
        print(f"note: {notice}", flush=True)
    run = Run(
        dataset,
        protocol,
        systems,
        metrics,
        options.output,
        limit=options.limit,
        seed=options.seed,
        batch_size=options.batch_size,
        device=options.device,
        force=options.force,
        notify=lambda sentence: print(f"note: {sentence}", flush=True),
    )
    show(run.execute(), metrics, run)
    return 0


def check(options: argparse.Namespace) -> None:
    """Refuse numbers that make no sense."""
    for name in ("limit", "batch_size", "steps"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} {value}: give at least 1")
    if options.seed < 0:
        raise UserError(f"--seed {options.seed}: give 0 or more")


def enough_clips(metrics: MetricSet, dataset: Dataset, named: bool) -> MetricSet:
    """Without the set metrics that need more clips than there are; refused where they were asked for."""
    from eval.metrics import Missing
    from eval.metrics.collection import MetricSet

    kept, missing = [], list(metrics.missing)
    for metric in (*metrics.frame_metrics, *metrics.set_metrics):
        least = getattr(metric, "min_clips", 1)
        if len(dataset.clips) >= least:
            kept.append(metric)
            continue
        count = len(dataset.clips)
        sentence = f"{metric.name} needs at least {least} clips, but there are {count}: score more clips"
        if named:
            raise UserError(f"{sentence}, or leave it out of --metrics")
        missing.append(Missing(metric.name, tuple(metric.name + s for s in metric.suffixes), sentence))
    return MetricSet(kept, missing) if missing != metrics.missing else metrics


def show(records: Sequence[Mapping[str, Any]], metrics: MetricSet, run: Any) -> None:
    """Print the tables, what they mean, and where the records are."""
    from eval.table import notes, tables

    columns = [column.name for column in metrics.columns]
    absent = [name for missing in metrics.missing for name in missing.columns]
    print(f"\n{records[0]['protocol']} on {records[0]['dataset']['name']}\n")
    print(tables(records, columns, absent))
    print()
    for note in [*notes(records, columns), *(missing.sentence for missing in metrics.missing)]:
        print(note)
    print("\nrecords:")
    for system in run.systems:
        print(f"  {run.folder / system.variant / 'record.json'}")


if __name__ == "__main__":
    sys.exit(main())
