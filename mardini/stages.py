"""The training manual (paper Figure 4) as data: one row a stage, each starting from the one before.

"Preserved" is the share of frames that stay references; it falls as training goes on and the task gets harder.
The first row is ours: the paper's VAE was never released, so a codec is trained first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mardini.config import Attention
from mardini.errors import unknown

Trains = Literal["codec", "planner", "generator", "both"]


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
