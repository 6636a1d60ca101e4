"""Check a folder of predictions before any metric runs: what is missing, surplus, wrong, lossy or suspicious.

  python -m eval.check --predictions out                                          against the embedded benchmark
  python -m eval.check --dataset davis --predictions out                          clips of DAVIS-7, interpolation
  python -m eval.check --dataset ucf101 --task i2v --predictions out
  python -m eval.check --dataset folder --data-root videos --given 0,4,8 --predictions out
  python -m eval.check --dataset vbench-i2v --data-root VBench --task i2v --predictions out --all

Takes seconds: files are read by their headers, and one frame of each clip is looked at. DAVIS-7 and UCF101-7 need
no data for it. Exit status: 0 all is well, 1 there are warnings, 2 a run would refuse the folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mardini.errors import UserError, command, unknown

if TYPE_CHECKING:
    from eval.protocols import Protocol
    from eval.systems.inspection import Finding

TASKS = ("interpolation", "i2v", "expansion")
SHOWN = 20  # offenders of a kind printed without --all
KNOWN_WITHOUT_DATA = ("davis", "ucf101")

Sizes = Callable[[str], tuple[int, int]]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    from eval.command import places

    parser = argparse.ArgumentParser(
        prog="python -m eval.check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--predictions", required=True, metavar="[NAME=]DIR", help="folder with one entry per clip id")
    add("--dataset", default="synthetic", help="what they were made on (default: synthetic)")
    add("--data-root", type=Path, metavar="DIR", help="folder that holds the dataset")
    add("--task", default="interpolation", help="interpolation (default), i2v or expansion")
    add("--given", type=places, metavar="I,J", help="given frames, from 0 (default: those of the task)")
    add("--frames", type=int, metavar="N", help="frames of a clip (default: the dataset's, mostly 9)")
    add("--size", type=int, metavar="N", help="of a run with --size N")
    add("--limit", type=int, metavar="N", help="only the N clips that a run with --limit N takes")
    add("--seed", type=int, default=0, metavar="N", help="of generated data (default: 0)")
    add("--all", action="store_true", help=f"list every offender, not the first {SHOWN} of a kind")
    return parser


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = parser().parse_args(argv)
    if options.task not in TASKS:
        raise unknown("task", options.task, TASKS)
    if options.limit is not None and options.limit < 1:
        raise UserError(f"--limit {options.limit}: give at least 1")
    from eval.datasets import stands_for
    from eval.protocols import protocol_for
    from eval.systems.inspection import inspect_all, pair
    from eval.systems.predictions import parse

    dataset, said = stands_for(options.dataset, options.data_root)
    protocol = protocol_for(
        options.task, dataset, frames=options.frames, given=options.given, side=options.size
    )
    name, folder = parse(options.predictions)
    for notice in [said] if said else []:
        print(f"note: {notice}")
    clip_ids, size_of = expectations(dataset, protocol, options)
    entries, _, findings = pair(folder, clip_ids, limited=options.limit is not None)
    lengths = protocol.frames, len(protocol.targets)
    findings += inspect_all(entries, size_of, lengths, "check")
    print(f"predictions '{name}' in {folder} for {protocol.id}: {wanted(protocol, len(clip_ids))}")
    return report(findings, len(clip_ids), lengths, None if options.all else SHOWN)


def expectations(dataset: str, protocol: Protocol, options: argparse.Namespace) -> tuple[list[str], Sizes]:
    """Ids of the clips, and the (height, width) of each; from the data only where it must be read."""
    from eval.datasets import DATASETS, load_dataset
    from eval.datasets.archives import cache_folder
    from eval.datasets.chunks import spread

    root, info = options.data_root, DATASETS[dataset]
    if dataset in KNOWN_WITHOUT_DATA and root is None and not (cache_folder() / info.cached).is_dir():
        from eval.datasets import davis, ucf101

        known = (davis if dataset == "davis" else ucf101).clip_ids(protocol.frames)
        size = protocol.size
        assert size is not None
        return spread(known, options.limit), lambda clip_id: size
    loaded = load_dataset(
        dataset,
        data_root=root,
        limit=options.limit,
        seed=options.seed,
        frames=options.frames,
        side=options.size,
    )
    for notice in loaded.notices:
        print(f"note: {notice}")
    clips = {clip.id: clip for clip in loaded.clips}

    def size_of(clip_id: str) -> tuple[int, int]:
        clip = clips[clip_id]
        height, width = protocol.size or clip.size or clip.load().shape[1:3]
        return height, width

    return list(clips), size_of


def wanted(protocol: Protocol, clips: int) -> str:
    """``357 clips of 9 frames, or of the 7 generated ones, 256x256``."""
    size = f"{protocol.size[1]}x{protocol.size[0]}" if protocol.size else "in the size of the clip"
    return (
        f"{clips} clips of {protocol.frames} frames, or of the {len(protocol.targets)} generated ones, {size}"
    )


def report(findings: Sequence[Finding], clips: int, lengths: tuple[int, int], shown: int | None) -> int:
    """Print what was found, grouped; the exit status."""
    from eval.systems.inspection import KINDS, grouped, sentence

    groups = grouped(findings)
    for kind, group in groups.items():
        print(f"\n{KINDS[kind].severity}: {sentence(kind, group, clips, lengths)}")
        for finding in group[:shown]:
            print(f"  {finding}")
        if shown is not None and len(group) > shown:
            print(f"  ... and {len(group) - shown} more, which --all lists")
    severities = [KINDS[kind].severity for kind in groups]
    bad = {finding.where for finding in findings if finding.severity == "error" and finding.kind != "surplus"}
    print(
        f"\n{count(severities.count('error'), 'kind')} of errors, {count(severities.count('warning'), 'kind')} of "
        f"warnings; {clips - len(bad)} of {clips} clips can be scored as they are"
    )
    return 2 if "error" in severities else 1 if groups else 0


def count(number: int, noun: str) -> str:
    """``no kind``, ``1 kind``, ``2 kinds``."""
    return f"{number or 'no'} {noun}{'s' if number > 1 else ''}"


if __name__ == "__main__":
    sys.exit(main())
