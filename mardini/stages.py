"""The training manual (paper Figure 4) as data: one row a stage, each starting from the one before.

"Preserved" is the share of frames that stay references; it falls as training goes on and the task gets harder.
The first row is ours: the paper's VAE was never released, so a codec is trained first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mardini.config import Attention, MarDiniConfig
from mardini.errors import unknown

Trains = Literal["codec", "planner", "generator", "both"]
Optimizer = Literal["adamw", "muon"]


@dataclass(frozen=True)
class Stage:
    """One row of the training manual.

    Attributes:
        name: as on the command line.
        trains: which network learns; ``planner`` learns to reconstruct masked latents through a head that is
            dropped afterwards, ``generator`` learns to denoise with ``Z_uncond`` as the plan, ``both`` jointly.
        preserved: lowest and highest share of frames kept as references.
        frames, fps, resolution: of the clips; resolution in pixels per side.
        clips: how many clips the paper's model saw in this stage (a choice of ours for ``codec``).
        attention: kind of the generator's cross-frame layers.
        start: stages whose weights this one starts from.
    """

    name: str
    trains: Trains
    preserved: tuple[float, float]
    frames: int
    fps: float
    resolution: int
    clips: float
    attention: Attention
    start: tuple[str, ...]

    @property
    def keep_one(self) -> bool:
        """Whether at least one frame is always preserved: in all joint stages (our choice; the paper is silent)."""
        return self.trains == "both"


_M = 1e6
_ST: Attention = "spatio-temporal"
_T: Attention = "temporal"

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("codec", "codec", (1.0, 1.0), 2, 8, 256, 100 * _M, _ST, ()),
        Stage("initial-planner", "planner", (0.65, 1.0), 4, 8, 256, 200 * _M, _ST, ("codec",)),
        Stage("initial-generator", "generator", (0.45, 1.0), 4, 8, 256, 20 * _M, _ST, ("codec",)),
        Stage("initial-generator-4fps", "generator", (0.35, 1.0), 4, 4, 256, 80 * _M, _ST, ("initial-generator",)),
        Stage("initial-generator-9", "generator", (0.35, 1.0), 9, 8, 256, 40 * _M, _ST, ("initial-generator-4fps",)),
        Stage("joint-model", "both", (0.35, 1.0), 9, 8, 256, 75 * _M, _ST, ("initial-generator-9", "initial-planner")),
        Stage("joint-task", "both", (0.15, 0.60), 9, 8, 512, 40 * _M, _ST, ("joint-model",)),
        Stage("joint-task-17", "both", (0.06, 0.30), 17, 8, 512, 40 * _M, _ST, ("joint-task",)),
        Stage("joint-task-17-t", "both", (0.06, 0.30), 17, 8, 512, 40 * _M, _T, ("joint-task-17",)),
        Stage("joint-task-768", "both", (0.06, 0.30), 17, 8, 768, 20 * _M, _T, ("joint-task-17-t",)),
        Stage("joint-task-1024", "both", (0.06, 0.30), 17, 8, 1024, 5 * _M, _T, ("joint-task-768",)),
    )
}  # fmt: skip


def stage(name: str) -> Stage:
    """A stage by name; an unknown name is a ``UserError`` with the nearest one suggested."""
    if name not in STAGES:
        raise unknown("stage", name, STAGES)
    return STAGES[name]


@dataclass(frozen=True)
class Recipe:
    """What one stage of one model sees: the row of the manual itself, or scaled to a small model.

    Attributes:
        clips, batch: clips in all and a step, over all processes.
        lr: peak learning rate.
        optimizer: AdamW, as in the manual, or Muon (``mardini/optimizer.py``).
        frames, fps, resolution: of the clips.
    """

    clips: int
    batch: int
    lr: float
    optimizer: Optimizer
    frames: int
    fps: float
    resolution: int


PAPER_LR = 1.4e-4


Numbers = float | Mapping[str, float]
"""One number for all stages, or one each for named stages or kinds of stages (``Stage.trains``)."""


@dataclass(frozen=True)
class _Small:
    """Recipe of a small preset; clips below 1 are a share of the manual's."""

    lr: Numbers
    batch: Numbers
    clips: Numbers
    optimizer: Optimizer = "adamw"


def _of(numbers: Numbers, stage: Stage) -> float:
    if not isinstance(numbers, Mapping):
        return numbers
    return numbers[stage.name] if stage.name in numbers else numbers[stage.trains]


_SMALL = {
    "mini": _Small(
        2.5e-3,
        96,
        {
            "codec": 100_000,
            "initial-planner": 9_600,
            "initial-generator": 4_800,
            "initial-generator-4fps": 4_800,
            "initial-generator-9": 4_800,
            "joint-model": 9_600,
            "joint-task": 96_000,
            "both": 19_200,
        },
        "muon",
    ),
    "nano": _Small(
        {"codec": 2e-3, "planner": 2.5e-3, "generator": 2.5e-3, "both": 2.5e-3},
        8,
        {
            "codec": 28_000,
            "initial-planner": 12_000,
            "initial-generator": 4_000,
            "initial-generator-4fps": 4_000,
            "initial-generator-9": 1_600,
            "joint-model": 2_400,
            "joint-task": 20_000,
            "both": 2_000,
        },
        "muon",
    ),
    "tiny": _Small(4e-3, 16, {"codec": 800, "planner": 3200, "generator": 640, "both": 8000}),
}


def scaled(stage: Stage, config: MarDiniConfig) -> Recipe:
    """The recipe of ``stage`` for a model: as in the manual for the paper's models, scaled for small presets.

    Paper models: batch 1024 at 256 px x 9 frames and fewer, 720 at 512 px x 9; the paper is silent about more
    frames and pixels, where we keep the number of pixels a step. Small models (``mini``, ``nano``, ``tiny``): 512
    px of the manual become the preset's resolution (smaller stages too, since latents can hardly get smaller), its 9
    frames the preset's frames and its 8 FPS the preset's rate, and clips, batch and learning rate those of the
    machine they are for: one GPU, a laptop, a test.
    """
    small = _SMALL.get(config.name)
    if small is None:
        pixels = stage.frames * stage.resolution**2
        batch = 1024 if stage.resolution <= 256 else max(8, round(720 * 9 * 512**2 / pixels) // 8 * 8)
        return Recipe(int(stage.clips), batch, PAPER_LR, "adamw", stage.frames, stage.fps, stage.resolution)
    clips = _of(small.clips, stage)
    return Recipe(
        clips=int(clips * stage.clips if clips < 1 else clips),
        batch=int(_of(small.batch, stage)),
        lr=_of(small.lr, stage),
        optimizer=small.optimizer,
        frames=1 + math.ceil((stage.frames - 1) * (config.frames - 1) / 8),
        fps=config.fps * stage.fps / 8,
        resolution=config.resolution * max(512, stage.resolution) // 512,
    )


def chain(last: str) -> list[Stage]:
    """All stages that ``last`` builds on, in order, and itself."""
    wanted: set[str] = set()

    def want(name: str) -> None:
        wanted.add(name)
        for earlier in stage(name).start:
            want(earlier)

    want(last)
    return [row for name, row in STAGES.items() if name in wanted]
