"""The model card of a checkpoint, generated from what is known about it: configuration, training logs, records.

python -m mardini.card runs/nano/joint-task/checkpoint --runs runs/nano --records results --data "procedural video"
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mardini.errors import UserError, command
from mardini.stages import STAGES

if TYPE_CHECKING:
    from torch import nn

    from mardini.model import MarDini

HEADER = """---
license: apache-2.0
library_name: mardini
pipeline_tag: image-to-video
tags:
- video-generation
- frame-interpolation
- image-to-video
- arxiv:2410.20280
---
"""

USE = """## Use

```python
from mardini import MarDiniPipeline

pipeline = MarDiniPipeline.from_pretrained("PATH OR HUB ID")
clip = pipeline.interpolate(first, last, 7, seed=0)  # uint8 RGB (H, W, 3) twice -> (9, H, W, 3)
```
"""

CURVES = "training.png"
"""A picture of this name beside the weights is shown in the card."""

LIMITS = """## Limits

- Windows of {frames} frames at about {resolution} px and {fps:g} frames a second are what it was made for; other sizes
  are resized to that, longer clips are made window by window, and errors add up from one window to the next.
- It knows no text, no sound and no camera parameters; given frames are all it is told.
- What is not between or near the given frames is invented, and need not be true.
- It has not been examined for bias or for misuse; use it for research.
"""


def choices(model: MarDini, codec: nn.Module) -> list[str]:
    """Where the paper is silent or was departed from, and what was chosen: one sentence each."""
    config = model.config
    ours = type(codec).__name__ == "LatentCodec"
    identity = (
        "references attend to themselves alone, as in the paper"
        if config.generator.identity
        else "switched off, unlike the paper's models (its ablation, Figure 6c)"
    )
    return [
        "No weights, code or auto-encoder of the paper were released: this model was trained from nothing, and its "
        "results are its own.",
        "Codec: "
        + (
            "a small convolutional auto-encoder built on a PCA of 8 x 8 blocks, trained by this project, in place of "
            "the paper's unreleased one; latents are shifted and scaled to about unit variance."
            if ours
            else "an image auto-encoder of diffusers, in place of the paper's unreleased one."
        ),
        f"Low to high resolution: 1 to {config.low_ratio} per side (not given in the paper).",
        "Noise schedule: cosine betas rescaled to zero terminal signal-to-noise ratio, 1000 steps, trailing sampling "
        "steps (not given in the paper); velocity prediction as in the paper.",
        "Cross-attention to the plan: each plan token takes the rotary position of its centre in the generator's grid "
        "(not given in the paper).",
        "The plan enters the generator's MLP modulation as its mean over each frame (how it enters is not given in "
        "the paper).",
        "MLPs: two matrices with SiLU between; self-attention starts with queries equal to keys and an output that "
        "gives back half of the values (activation and initial weights are not given in the paper).",
        "Masks: at 100% preserved, one frame stays masked; in joint stages, one frame is always preserved (not given "
        "in the paper).",
        f"Identity Attention: {identity}.",
        "Slow motion ends at the last given frame: T frames become (T - 1) x factor + 1 (the paper's 4 images become "
        "128 frames; where those after the last image lie is not given).",
        "Guidance is 2.5 for image-to-video and none for interpolation, as in the paper; 2.5 for expansion and "
        "roll-out is our choice.",
        "Skip guidance (Hyung et al. 2024) of 2 in expansion and roll-out, falling with the noise from 3 to 0.5 in "
        "image-to-video and from 3.5 to 0.5 in all else; 0 is the paper's way.",
        "Fine detail that the codec loses of given frames is carried over to generated ones by optical flow "
        "(`mardini/detail.py`); `detail=0` is the paper's way.",
    ]


def model_card(
    model: MarDini,
    codec: nn.Module,
    *,
    records: Sequence[Mapping[str, Any]] = (),
    logs: Mapping[str, Path] | None = None,
    data: str | None = None,
    summary: str | None = None,
    notes: str | None = None,
    curves: str | None = None,
) -> str:
    """The card, as Markdown with the Hub's metadata on top.

    Args:
        model, codec: of the checkpoint; only configuration and parameter counts are read.
        records: of ``python -m eval.interpolation``, one a column of the tables of results.
        logs: training stage -> its ``log.jsonl``; stages without one are not listed.
        data: a sentence on what it was trained on.
        summary: Markdown on what it does well and what not, put on top.
        notes: Markdown on how it was trained, put below the table of stages.
        curves: name of a picture of the training curves, beside the card.

    Raises:
        UserError: a log or record that cannot be read.
    """
    config = model.config
    networks = (("planner", model.planner), ("generator", model.generator), ("codec", codec))
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in networks}
    shapes = {
        "planner": _shape(config.planner) + ", spatio-temporal attention",
        "generator": _shape(config.generator) + f", {config.generator.attention} attention",
        "codec": f"{type(codec).__name__}, {config.codec.channels} channels at 1/8 resolution",
    }
    parts = [
        f"{HEADER}# MarDini {config.name}, {config.resolution} px\n",
        "An open implementation of the MarDini video model "
        "([arXiv:2410.20280](https://arxiv.org/abs/2410.20280)): a planner of masked frames and a light diffusion "
        "generator. From any given frames of a clip it makes the others: interpolation, image-to-video, expansion, "
        "slow motion.\n",
        *([summary.strip() + "\n"] if summary else []),
        "## Configuration\n",
        _table(
            ("part", "parameters", "shape"),
            [(name, f"{sizes[name]:,}", shapes[name]) for name in sizes]
            + [("all", f"{sum(sizes.values()):,}", "")],
        ),
        f"Window: {config.frames} frames. Resolution: {config.resolution} px. Rate: {config.fps:g} frames a second. "
        f"Planner at 1/{config.low_ratio} of the generator's resolution. Diffusion steps where none are asked for: "
        f"{config.steps}.\n",
        USE,
        "## Data and training\n",
        f"Trained on: {data or 'not recorded with this checkpoint'}.\n",
        _training(logs or {}),
        *([f"![Loss of each stage on training and held-out clips]({curves})\n"] if curves else []),
        *([notes.strip() + "\n"] if notes else []),
        "## Choices of ours, and departures from the paper\n",
        "".join(f"- {choice}\n" for choice in choices(model, codec)),
        "## Results\n",
        results_table(records),
        LIMITS.format(frames=config.frames, resolution=config.resolution, fps=config.fps),
    ]
    return "\n".join(parts)


def results_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Records of the evaluation toolkit in Markdown: a table a data set, a column a system, a row a metric."""
    if not records:
        return "None recorded with this checkpoint: `python -m eval.interpolation` makes some.\n"
    groups: dict[str, list[Mapping[str, Any]]] = {}
    try:
        for record in records:
            data = record["dataset"]
            groups.setdefault(
                f"{data['name']}, protocol {record['protocol']}, {data['clips']} clips", []
            ).append(record)
        tables = [
            f"On {title}:\n\n"
            + _table(
                ("metric", *(str(record.get("variant", record["system"])) for record in group)),
                [
                    (name, *(_score(record["metrics"].get(name)) for record in group))
                    for name in dict.fromkeys(name for record in group for name in record["metrics"])
                ],
            )
            for title, group in groups.items()
        ]
    except (KeyError, TypeError) as error:
        raise UserError(
            f"not a record of the evaluation toolkit ({error!r}): give record.json files it wrote"
        ) from error
    return "\n".join(tables)


def _score(entry: Mapping[str, Any] | None) -> str:
    if entry is None or entry.get("value") is None:
        return "–"
    decimals = int(entry.get("decimals", 4))
    text = f"{entry['value']:.{decimals}f}"
    if entry.get("low") is None or entry.get("high") is None:
        return text
    return f"{text} [{entry['low']:.{decimals}f}, {entry['high']:.{decimals}f}]"


def _training(logs: Mapping[str, Path]) -> str:
    rows = []
    known = list(STAGES)

    def place(name: str) -> tuple[int, str]:
        stage = name.partition(".")[0]
        return known.index(stage) if stage in STAGES else len(known), name

    for name in sorted(logs, key=place):
        last = _last_row(logs[name])
        stage = STAGES.get(name.partition(".")[0])
        preserved = "–" if stage is None else "{:.0%} to {:.0%}".format(*stage.preserved)
        held = last.get("held_out")
        rows.append(
            (
                name,
                "–" if stage is None else stage.trains,
                preserved,
                f"{last.get('clips', 0):,}",
                f"{last['loss']:.4f}" if "loss" in last else "–",
                "–" if held is None else f"{held:.4f}",
            )
        )
    if not rows:
        return "No training logs lie beside this checkpoint.\n"
    return _table(
        ("stage", "trains", "frames preserved", "clips seen", "last loss", "on held-out clips"), rows
    )


def _last_row(path: Path) -> dict[str, Any]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        rows = [row for row in map(json.loads, lines) if isinstance(row, dict) and "loss" in row]
        return rows[-1]
    except (OSError, json.JSONDecodeError, IndexError) as error:
        raise UserError(f"{path} is no training log ({error}): give the log.jsonl of a stage") from error


def _shape(part: Any) -> str:
    return f"{part.depth} blocks, width {part.hidden}, MLP {part.mlp}, {part.heads} heads"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def find_logs(runs: Path) -> dict[str, Path]:
    """Training stage -> log, of a folder with ``<stage>/log.jsonl``, ``<stage>.jsonl`` or ``<n>-<stage>.jsonl``.

    A stage that was trained again has a number after its name: ``joint-task.2``.
    """
    found = {name: runs / name / "log.jsonl" for name in STAGES}
    for path in sorted(runs.glob("*.jsonl")):
        name = re.sub(r"^\d+-", "", path.stem)
        if name.partition(".")[0] in STAGES:
            found[name] = path
    return {name: path for name, path in found.items() if path.is_file()}


def _told_here(record: Mapping[str, Any], weights: str) -> bool:
    """Whether a card has a column for it: other methods, this model however sampled, the default one as it comes."""
    told = record.get("described", {})
    return (
        told.get("system") != "mardini"
        or record.get("variant") == "mardini"
        or told.get("weights_sha256") == weights
    )


def _read(file: Path) -> Mapping[str, Any]:
    """A record of the toolkit."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise UserError(f"{file} is no record: give another folder with --records, or score again")
    return record


@command
def main(argv: list[str] | None = None) -> int:
    """Write README.md into a checkpoint folder; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m mardini.card",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint folder; its README.md is written anew")
    parser.add_argument(
        "--runs", type=Path, help="folder of training logs: <stage>/log.jsonl or <stage>.jsonl"
    )
    parser.add_argument(
        "--records",
        type=Path,
        nargs="+",
        default=[],
        help="folders of results: the records below them are columns, but for those of other checkpoints",
    )
    parser.add_argument("--data", help="a sentence on the training data")
    texts = {"summary": "what it does well and what not, put on top", "notes": "how it was trained"}
    for name, what in texts.items():
        parser.add_argument(f"--{name}", type=Path, help=f"Markdown on {what}")
    options = parser.parse_args(argv)
    for flag, folder in (("runs", options.runs), *(("records", folder) for folder in options.records)):
        if folder is not None and not folder.is_dir():
            raise UserError(f"--{flag} {folder} is no folder: give one, or leave it out")
    from mardini import checkpoint
    from mardini.files import atomic
    from mardini.shipped import hash_of

    model, codec = checkpoint.load(options.checkpoint)
    files = [file for folder in options.records for file in sorted(folder.rglob("record.json"))]
    weights = hash_of(options.checkpoint)
    records = [record for record in map(_read, files) if _told_here(record, weights)]
    logs = find_logs(options.runs) if options.runs else {}
    given = {name: file for name in texts if (file := getattr(options, name)) is not None}
    for name, file in given.items():
        if not file.is_file():
            raise UserError(f"--{name} {file} is no file: give one, or leave it out")
    told = {name: file.read_text(encoding="utf-8") for name, file in given.items()}
    curves = CURVES if (options.checkpoint / CURVES).is_file() else None
    card = model_card(model, codec, records=records, logs=logs, data=options.data, curves=curves, **told)
    with atomic(options.checkpoint / "README.md") as temporary:
        temporary.write_text(card, encoding="utf-8")
    print(options.checkpoint / "README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
