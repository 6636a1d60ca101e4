"""VBench-I2V's scores: videos for VBench, its results beside ours, and the columns of MarDini's Table 5.

  python -m eval.vbench write --results results/i2v/vbench-i2v-i2v-8-v1/mardini --output videos
  python -m eval.vbench read evaluation_results/results_eval_results.json
  python -m eval.vbench read results_eval_results.json --results results/i2v/vbench-i2v-i2v-8-v1/mardini

Seven of the nine dimensions are computed here (python -m eval.i2v --dataset vbench-i2v --metrics vbench); the others,
i2v_background and motion_smoothness, come from VBench itself, which reads the videos that "write" makes. Give several
results, made with --seed 0, 1 ..., for VBench's several samples of a picture.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mardini.errors import UserError, command

if TYPE_CHECKING:
    from eval.vbench_bridge import Reading, Sample
    from eval.vbench_scores import Score

HEADINGS = {
    "i2v_subject": "I2V subject",
    "i2v_background": "I2V background",
    "mardini_vq_dd": "quality with dynamic degree",
    "mardini_vq": "quality",
    "vbench_avg": "VBench avg.",
    "vbench_quality": "quality",
    "vbench_i2v": "I2V",
    "vbench_total": "total",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.vbench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    pages = parser.add_subparsers(dest="page", metavar="{write,read}", required=True)
    write = pages.add_parser("write", help="videos in VBench's layout", allow_abbrev=False)
    write.add_argument(
        "--results", type=Path, nargs="+", required=True, metavar="DIR", help="one for each seed"
    )
    write.add_argument("--output", type=Path, required=True, metavar="DIR", help="an empty folder")
    write.add_argument("--fps", type=float, metavar="N", help="tag of the videos (default: the dataset's, 8)")
    read = pages.add_parser("read", help="scores from VBench's results and ours", allow_abbrev=False)
    read.add_argument("json", type=Path, nargs="*", metavar="JSON", help="VBench's *_eval_results.json")
    read.add_argument("--results", type=Path, nargs="+", default=[], metavar="DIR", help="one for each seed")
    read.add_argument("--output", type=Path, metavar="DIR", help="write DIR/vbench/<system>/record.json too")
    return parser


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = parser().parse_args(argv)
    return write(options) if options.page == "write" else read(options)


def write(options: argparse.Namespace) -> int:
    """Write the videos, and say what to do with them."""
    from tqdm import tqdm

    from eval import vbench_bridge as bridge
    from eval.vbench_scores import DIMENSIONS

    samples = bridge.load_samples(options.results)
    data = samples[0].record["dataset"]
    fps = data["fps"] if options.fps is None else options.fps
    if not 0 < fps < 1e4:
        raise UserError(f"--fps {fps}: give a positive number, such as 8")
    if lacking := bridge.shortfall(samples):
        print(f"note: {lacking}", flush=True)
    total = len(samples) * len(samples[0].clip_ids)
    for _ in tqdm(
        bridge.write(samples, options.output, fps), total=total, unit="video", delay=2, leave=False
    ):
        pass
    ratio = data["details"]["crop"]
    wanted = " ".join(name for name, dimension in DIMENSIONS.items() if "VBench" in dimension.how)
    print(f"{total} videos of {fps:g} frames a second in {options.output}; in a checkout of VBench:")
    print(
        f"  python evaluate_i2v.py --videos_path {options.output.resolve()} --ratio {ratio} --dimension {wanted}"
    )
    print("then, with the result file that it names:")
    print(f"  python -m eval.vbench read JSON --results {' '.join(str(sample.folder) for sample in samples)}")
    return 0


def read(options: argparse.Namespace) -> int:
    """Print every dimension with its origin, then the scores made of them."""
    from eval import vbench_bridge as bridge
    from eval.vbench_scores import board, table_5

    if not options.json and not options.results:
        raise UserError("nothing to read: give VBench's result files, --results, or both")
    if options.output and not options.results:
        raise UserError("--output needs --results, which say which system the scores are of")
    samples = bridge.load_samples(options.results) if options.results else []
    theirs = bridge.read_results(options.json)
    ours, notes = bridge.average(samples) if samples else ({}, [])
    used = {**ours, **theirs}
    scores = {name: reading.value for name, reading in used.items()}
    if samples:
        pictures = len(samples[0].clip_ids)
        print(f"{samples[0].record['variant']}: {pictures} pictures x {len(samples)} samples")
        notes += [bridge.shortfall(samples)] if bridge.shortfall(samples) else []
    show_dimensions(used, {name: ours[name] for name in ours if name in theirs})
    mine, boards = table_5(scores), board(scores)
    show_scores("MarDini's Table 5 (arXiv:2410.20280), percent", mine)
    show_scores("VBench-I2V's board as it is computed today, percent", boards)
    for note in notes:
        print(f"note: {note}")
    if options.output:
        save(options.output, samples, used, {**mine, **boards})
    return 0


def show_dimensions(used: Mapping[str, Reading], second: Mapping[str, Reading]) -> None:
    """A line for each dimension: its value in percent and where it is from, or how to get it."""
    from eval.vbench_scores import DIMENSIONS

    print("\ndimension               percent  from")
    for name, dimension in DIMENSIONS.items():
        if name in used:
            reading = used[name]
            print(f"{name:24}{100 * reading.value:7.2f}  {reading.origin}; {reading.videos} videos")
        else:
            print(
                f"{name:24}{'n/a':>7}  missing: {dimension.how or 'python -m eval.i2v --metrics ' + own(name)}"
            )
        if name in second:
            print(f"{'':24}{100 * second[name].value:7.2f}  {second[name].origin}, not used")


def own(name: str) -> str:
    """Our metric of a dimension."""
    from eval.vbench_bridge import NATIVE

    return next(column for column, dimension in reversed(NATIVE.items()) if dimension == name)


def show_scores(title: str, scores: Mapping[str, Score]) -> None:
    """A line for each score, with what it lacks where it cannot be had."""
    print(f"\n{title}")
    for name, score in scores.items():
        if score.value is None:
            print(f"{HEADINGS[name]:28}{'n/a':>7}  lacks {', '.join(score.missing)}")
        else:
            print(f"{HEADINGS[name]:28}{score.value:7.2f}")


def save(
    output: Path, samples: Sequence[Sample], used: Mapping[str, Reading], scores: Mapping[str, Score]
) -> None:
    """Write the record that the report's Table 5 reads."""
    from mardini.files import write_json

    first = samples[0].record
    size = first["frames"]["size"]
    path = output / "vbench" / first["variant"] / "record.json"
    record: dict[str, Any] = {
        "schema": 1,
        "task": "vbench",
        "system": first["system"],
        "variant": first["variant"],
        "described": first["described"],
        "protocol": first["protocol"],
        "resolution": f"{size[1]}x{size[0]}" if size else "as the pictures",
        "pictures": len(samples[0].clip_ids),
        "seeds": [sample.record["seed"] for sample in samples],
        "predictions_sha256": [sample.record["predictions_sha256"] for sample in samples],
        "dimensions": {
            name: {"value": reading.value, "from": reading.origin, "videos": reading.videos}
            for name, reading in used.items()
        },
        "columns": {
            name: {"value": score.value, "missing": list(score.missing)} for name, score in scores.items()
        },
    }
    write_json(path, record)
    print(f"\nrecord: {path}")


if __name__ == "__main__":
    sys.exit(main())
