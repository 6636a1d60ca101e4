"""Ablations of the paper at the scale of a small preset: Table 2, Figures 6a, 6b and 6c, and the mask curriculum.

Every arm is trained by ``mardini.train`` inside its cell: the same codec, clips and steps, from fresh weights. What
differs is which networks there are (planner, generator, both), Identity Attention, and which masks are shown.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import quality
from benchmarks.suite import Context, Outcome, Shown, Suite, entry, file_name
from mardini.config import CodecConfig, GeneratorConfig, MarDiniConfig, PlannerConfig, register
from mardini.stages import STAGES, Stage

if TYPE_CHECKING:
    from eval.datasets.base import Dataset

FRAMES, SIZE, FPS = 9, 32, 24.0
BATCH = 8
LR = 4e-3
"""Of Muon, at every width."""
OPTIMIZER = "muon"
CODEC_CLIPS = 800
SCORED_CLIPS = 32
FIRST_SEED = 19_000_000
"""Of the clips that are scored: neither trained on, nor of the embedded benchmark."""
COLUMNS = {"psnr_clip": "psnr_clip", "lpips_alex_random_all": "lpips_alex", "fvd_random": "fvd"}
"""What is scored: column -> metric."""
STEPS = 25
SWEEP = (1, 2, 4, 8, 10, 50, 100)
"""Inference steps scored besides ``STEPS`` (Figure 6a), in the arm ``both-small``."""
POINTS = 4
"""Checkpoints along training that are scored (Figure 6b), in the arm ``both-small``."""

SMALL = PlannerConfig(depth=2, hidden=64, mlp=128, heads=2)
LARGE = PlannerConfig(depth=4, hidden=128, mlp=256, heads=4)
GENERATOR = GeneratorConfig(depth=2, hidden=32, mlp=64, heads=2)
HARD, EASY = STAGES["joint-task"].preserved, STAGES["joint-model"].preserved


@dataclass(frozen=True)
class Arm:
    """What is trained.

    Attributes:
        trains: ``planner``, ``generator`` or ``both``.
        planner: its size.
        identity: whether references attend to themselves alone in the generator.
        curriculum: shares of preserved frames, one after the other, each for as many clips.
    """

    trains: Any
    planner: PlannerConfig = SMALL
    identity: bool = True
    curriculum: tuple[tuple[float, float], ...] = (HARD,)


ARMS = {
    "planner-small": Arm("planner"),
    "planner-large": Arm("planner", LARGE),
    "generator": Arm("generator"),
    "generator-no-identity": Arm("generator", identity=False),
    "both-small": Arm("both"),
    "both-large": Arm("both", LARGE),
    "both-small-curriculum": Arm("both", curriculum=(EASY, HARD)),
}


@dataclass(frozen=True)
class Cell:
    """An arm, trained on ``clips`` procedural clips from ``seed``."""

    arm: str
    seed: int
    clips: int


def measure(cell: Cell, context: Context) -> Outcome:
    """Train the arm and score it on interpolation and image-to-video."""
    from mardini.schedulers import DEFAULT
    from mardini.shipped import hash_of

    arm, runs = ARMS[cell.arm], context.cache / "ablations"
    folder, curve = train(cell, arm, runs)
    last = scores(cell, arm, folder, context)
    points = [{"clips": cell.clips, **last}]
    sweep: dict[str, Any] = {str(STEPS): last["interpolation"]}
    if cell.arm == "both-small":
        for part in sorted((folder.parent / "kept").iterdir())[:-1]:
            seen = int(part.name.rpartition("-")[2]) * BATCH
            points.insert(-1, {"clips": seen, **scores(cell, arm, part, context)})
        for steps in SWEEP:
            sweep[str(steps)] = score(cell, arm, folder, context, "interpolation", steps)
    values = {name: entry(value) for name, value in last["interpolation"].items()}
    values |= {f"i2v_{name}": entry(value) for name, value in last["i2v"].items()}
    details = {
        "sweep": sweep,
        "points": points,
        "curve": curve,
        "sampler": DEFAULT,
        "steps": STEPS,
        "scored_clips": SCORED_CLIPS,
        "frames": FRAMES,
        "size": SIZE,
        "model": configuration(arm).to_dict(),
        "curriculum": arm.curriculum,
        "batch": BATCH,
        "learning_rate": LR,
        "optimizer": OPTIMIZER,
    }
    provenance = {"seed": cell.seed, "weights_sha256": hash_of(folder)}
    return Outcome(values, details, provenance)


# -- training -----------------------------------------------------------------------------------------------------


def configuration(arm: Arm) -> MarDiniConfig:
    """The preset of an arm: as ``tiny``, but with the 9 frames that FVD needs."""
    size = "large" if arm.planner == LARGE else "small"
    name = f"ablation-{size}" + ("" if arm.identity else "-no-identity")
    generator = dataclasses.replace(GENERATOR, identity=arm.identity)
    codec = CodecConfig(encoder=32, encoder_blocks=1, decoder=32, decoder_blocks=1)
    return MarDiniConfig(name, arm.planner, generator, codec, 2, FRAMES, SIZE, FPS)


def stages(cell: Cell, arm: Arm) -> list[Stage]:
    """What the arm is trained in, one after the other, each from the one before; the first from the codec.

    A stage's masks, diffusion steps and noise depend on its name, which is why arms share theirs: held-out losses
    of different draws do not compare.
    """
    rows, before = [], "codec"
    for number, preserved in enumerate(arm.curriculum, start=1):
        name = f"part-{number}-of-{len(arm.curriculum)}"
        clips = cell.clips / len(arm.curriculum)
        made = (name, arm.trains, preserved, FRAMES, FPS, SIZE, clips, "spatio-temporal", (before,))
        rows.append(Stage(*made))
        before = name
    return rows


def train(cell: Cell, arm: Arm, runs: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Train an arm, or find that it is trained: its checkpoint, and the rows of its log, clips counted through."""
    from mardini import checkpoint
    from mardini.model import MarDini

    config, seed_runs = configuration(arm), runs / f"clips{cell.clips}-seed{cell.seed}"
    codec = Stage("codec", "codec", (1.0, 1.0), FRAMES, FPS, SIZE, CODEC_CLIPS, "spatio-temporal", ())
    run(codec, configuration(ARMS["both-small"]), seed_runs, cell.seed)
    out = seed_runs / cell.arm
    own = out / config.name / "codec" / "checkpoint"
    if not own.is_dir():  # every arm of a seed has the same codec
        _, trained = checkpoint.load(seed_runs / "ablation-small" / "codec" / "checkpoint")
        checkpoint.save(own, MarDini(config), trained)
    curve, seen, folder = [], 0, own
    for row in stages(cell, arm):
        run(row, config, out, cell.seed, cell.clips // BATCH // POINTS if cell.arm == "both-small" else None)
        folder = out / config.name / row.name
        lines = map(json.loads, (folder / "log.jsonl").read_text(encoding="utf-8").splitlines())
        curve += [{**line, "clips": seen + line["clips"], "stage": row.name} for line in lines]
        seen += int(row.clips)
        folder = folder / "checkpoint"
    return folder, curve


def run(row: Stage, config: MarDiniConfig, out: Path, seed: int, keep_every: int | None = None) -> None:
    """One stage by the trainer; resumes, and does nothing when it is done."""
    from mardini.train import parse
    from mardini.trainer import run

    register(config)
    words = ["--stage", row.name, "--preset", config.name, "--out", str(out), "--seed", str(seed)]
    words += ["--batch", str(BATCH), "--lr", str(LR), "--log-every", "10"]
    words += ["--workers", "0", "--device", "cpu", "--optimizer", OPTIMIZER]
    if keep_every is not None:
        words += ["--keep-every", str(keep_every)]
    run([row], parse(words))


# -- scoring ------------------------------------------------------------------------------------------------------


def scores(cell: Cell, arm: Arm, folder: Path, context: Context) -> dict[str, dict[str, float]]:
    """Task -> column -> value."""
    return {task: score(cell, arm, folder, context, task, STEPS) for task in ("interpolation", "i2v")}


def score(cell: Cell, arm: Arm, folder: Path, context: Context, task: Any, steps: int) -> dict[str, float]:
    """Column -> value of a checkpoint, on held-out clips of the size that it was trained on."""
    from eval.protocols import protocol_for
    from eval.systems.mardini import Mardini

    usual = protocol_for(task, "synthetic", frames=FRAMES)
    protocol = dataclasses.replace(usual, name=f"ablation-{SIZE}px-{usual.name}", size=(SIZE, SIZE))
    if arm.trains == "planner":
        system = PlannerAlone(folder)
    else:
        guidance = 0 if arm.trains == "generator" else None
        # the paper's way
        system = Mardini(folder, steps, task=task, guidance=guidance, skip_guidance=0, detail=0)
    output = context.cache / "ablations" / "scores" / file_name(cell)
    record = quality.score(clips(), protocol, system, output, metrics=list(COLUMNS.values()))
    return {name: record["metrics"][name]["value"] for name in COLUMNS}


def clips() -> Dataset:
    """Held-out procedural clips."""
    from eval.datasets.base import Clip, Dataset
    from mardini.files import sha256_of
    from mardini.synthetic import VERSION, make_clip

    made = []
    for number in range(SCORED_CLIPS):
        draw = functools.partial(make_clip, FIRST_SEED + number, frames=FRAMES, size=(SIZE, SIZE))
        made.append(Clip(f"held-out/{number:05d}", f"held-out/{number:05d}", draw))
    parts = ["ablations", str(VERSION), str(FIRST_SEED), str(SCORED_CLIPS), str(SIZE), str(FRAMES)]
    return Dataset("synthetic", made, sha256_of(parts), fps=FPS)


class PlannerAlone:
    """The planner's own reconstruction of masked frames, at its low resolution, enlarged.

    Its head is no part of a checkpoint; the training run keeps it in its state.
    """

    name = "planner"

    def __init__(self, folder: Path) -> None:
        from mardini.shipped import hash_of

        self.folder = folder
        self.weights = hash_of(folder)
        self.variant = f"planner-{self.weights[:8]}"
        self._networks: Any = None

    def describe(self) -> dict[str, Any]:
        return {"system": self.name, "version": 1, "weights_sha256": self.weights}

    def predict(self, tasks: Any) -> list[Any]:
        return [self._complete(task) for task in tasks]

    def _complete(self, task: Any) -> Any:
        import numpy as np
        import torch
        from torch.nn.functional import interpolate

        from mardini.masks import MaskedFrames, mask_from_given
        from mardini.video import resize, to_float, to_uint8

        self._networks = self._networks or self._load()
        model, codec, head = self._networks
        mask = mask_from_given(task.frames, task.given)
        given = np.stack([task.given[index] for index in sorted(task.given)])
        size = given.shape[1:3]
        with torch.no_grad():
            low = interpolate(to_float(given), [side // model.config.low_ratio for side in size], mode="area")
            z = codec.encode(low)
            window = z.new_zeros(1, task.frames, *z.shape[1:])
            window[0, ~mask] = z
            time = torch.arange(task.frames, dtype=torch.float32)
            plan = model.plan(window, MaskedFrames.pack(mask[None]), time)
            made = to_uint8(codec.decode(head(plan)[0, mask]))
        clip = np.zeros((task.frames, *given.shape[1:]), np.uint8)
        clip[~mask.numpy()], clip[mask.numpy()] = given, resize(made, size)
        return clip

    def _load(self) -> Any:
        from torch.distributed.checkpoint.state_dict_loader import load

        from mardini import checkpoint
        from mardini.planner import ReconstructionHead
        from mardini.run_state import latest

        model, codec = checkpoint.load(self.folder)
        head = ReconstructionHead(model.config.planner, model.config.codec.channels).requires_grad_(False)
        state = self.folder.parent / "state"
        tensors = {f"average.head.{name}": tensor for name, tensor in head.state_dict().items()}
        load(tensors, checkpoint_id=state / str(latest(state)), no_dist=True)
        return model, codec, head


def axes(device: str) -> dict[str, tuple[Any, ...]]:
    """Values of every field of a cell, where ``--with`` gives no others."""
    return {"arm": tuple(ARMS), "seed": tuple(range(10)), "clips": (8_000,)}


SUITE = Suite(
    name="ablations",
    line="planner, generator, Identity Attention and masks, trained at the scale of a small preset",
    cell=Cell,
    axes=axes,
    measure=measure,
    on_gpu=False,
    version="2",
    shown=(
        Shown("psnr_clip", "PSNR"),
        Shown("lpips_alex_random_all", "LPIPS*", 4),
        Shown("fvd_random", "FVD*"),
        Shown("i2v_psnr_clip", "i2v PSNR"),
        Shown("i2v_lpips_alex_random_all", "i2v LPIPS*", 4),
        Shown("i2v_fvd_random", "i2v FVD*"),
    ),
    work=lambda cell: cell.clips,
    alike=("arm",),
    isolated=True,
)
