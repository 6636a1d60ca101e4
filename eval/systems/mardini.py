"""The MarDini model as a system. The network is loaded when the first clip is predicted, not before."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.systems.base import Task
from eval.workers import workers
from mardini.config import STEPS
from mardini.errors import UserError
from mardini.guidance import Scales, spelt
from mardini.shipped import SHIPPED, by_name, hash_of, name_of, shipped
from mardini.windows import ONE_IMAGE, OPEN_FUTURE, Options, Settings

if TYPE_CHECKING:
    from eval.protocols import TaskName

SCHEDULER = "ddim"
USUAL: dict[TaskName, Options] = {"interpolation": {}, "i2v": ONE_IMAGE, "expansion": OPEN_FUTURE}
"""How the pipeline samples in each task where nothing else is asked for."""


class Mardini:
    """All missing frames of a clip by ``mardini.pipeline``, each clip on its own seed.

    As the pipeline samples: on the plan no guidance in interpolation and 2.5 in the other tasks, as in the paper
    (section 8); and skip guidance and carried detail, which are ours.

    Args:
        checkpoint: folder of a checkpoint, or the name of one that ships with the package; ``None``: its first.
        steps: diffusion steps; ``None``: as the checkpoint's configuration has it, see ``mardini.config``.
        device: ``cpu``, ``cuda`` ...
        task: decides the guidance, and skip guidance, where none is given.
        scheduler: ``ddim``, or a scheduler of diffusers, see ``mardini.schedulers``.
        guidance: scale of classifier-free guidance on the plan; 1: none; 0: without the plan, the generator alone.
        skip_guidance: scale of skip guidance, or two, see ``mardini.guidance``; 0: none, the paper's way.
        detail: share of given frames' fine detail that is carried over; 0: none, the paper's way.
        sharpness: share of what generated frames lack in sharpness that is added; 0: none, the paper's way.
    """

    name = "mardini"

    def __init__(
        self,
        checkpoint: Path | None = None,
        steps: int | None = None,
        device: str = "cpu",
        task: TaskName = "interpolation",
        *,
        scheduler: str = SCHEDULER,
        guidance: float | None = None,
        skip_guidance: Scales | None = None,
        detail: float | None = None,
        sharpness: float | None = None,
    ) -> None:
        folder = shipped() if checkpoint is None else by_name(checkpoint) or checkpoint
        if not folder.exists():
            raise UserError(
                f"checkpoint {checkpoint} does not exist: give its folder or one of {', '.join(SHIPPED)}"
            )
        if steps is not None and steps < 1:
            raise UserError(f"--steps {steps}: give at least 1")
        usual_steps = steps_of(folder)
        self.checkpoint, self.steps, self.device = folder, steps or usual_steps, device
        usual = USUAL[task]
        self.scheduler = scheduler
        self.guidance = usual.get("guidance") if guidance is None else guidance
        self.skip_guidance = (
            usual.get("skip_guidance", Settings.skip_guidance) if skip_guidance is None else skip_guidance
        )
        self.detail = Settings.detail if detail is None else detail
        self.sharpness = Settings.sharpness if sharpness is None else sharpness
        self.weights, self.shipped = hash_of(folder), name_of(folder)
        parts = [self.name]
        if self.shipped is None:
            parts += [re.sub(r"[^A-Za-z0-9._]+", "_", folder.resolve().name), self.weights[:8]]
        elif self.shipped != SHIPPED[0]:
            parts.append(self.shipped)
        if self.steps != usual_steps:
            parts.append(f"steps{steps}")
        if scheduler != SCHEDULER:
            parts.append(scheduler)
        if guidance is not None:
            parts.append(f"guidance{guidance:g}")
        if skip_guidance is not None:
            parts.append(f"skip{spelt(skip_guidance).replace(',', 'to')}")
        if detail is not None:
            parts.append(f"detail{detail:g}")
        if sharpness is not None:
            parts.append(f"sharpness{sharpness:g}")
        self.variant = "-".join(parts)
        self._pipeline: Any = None

    def describe(self) -> dict[str, Any]:
        described: dict[str, Any] = {"system": self.name, "version": 1, "weights_sha256": self.weights}
        described |= {"checkpoint": self.checkpoint.resolve().name, "steps": self.steps}
        if self.guidance is not None:
            described["guidance"] = self.guidance
        if self.skip_guidance:
            scales = self.skip_guidance
            described["skip_guidance"] = list(scales) if isinstance(scales, tuple) else scales
        if self.detail:
            described["detail"] = self.detail
        if self.sharpness:
            described["sharpness"] = self.sharpness
        if self.scheduler != SCHEDULER:
            described["scheduler"] = self.scheduler
        return described

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        """One clip a core at a time on a CPU, one after another elsewhere."""
        self._load()
        with workers(self.device) as pool:
            return list(pool.map(self._complete, tasks))

    def _load(self) -> None:
        if self._pipeline is None:
            from mardini.pipeline import MarDiniPipeline

            self._pipeline = MarDiniPipeline.from_pretrained(self.checkpoint, device=self.device)

    def _complete(self, task: Task) -> np.ndarray:
        size = next(iter(task.given.values())).shape
        frames = np.zeros((task.frames, *size), np.uint8)
        for index, frame in task.given.items():
            frames[index] = frame
        return self._pipeline.fill(
            frames,
            sorted(task.given),
            seed=task.seed,
            steps=self.steps,
            guidance=self.guidance,
            skip_guidance=self.skip_guidance,
            detail=self.detail,
            sharpness=self.sharpness,
            scheduler=self.scheduler,
        )


def steps_of(checkpoint: Path) -> int:
    """Diffusion steps that a checkpoint is sampled with where no others are asked for."""
    try:
        steps = json.loads((checkpoint / "config.json").read_text(encoding="utf-8")).get("steps", STEPS)
    except (OSError, ValueError, AttributeError):
        steps = STEPS
    return steps if isinstance(steps, int) else STEPS  # what is wrong is told when the model is loaded
