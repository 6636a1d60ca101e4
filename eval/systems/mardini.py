"""The MarDini model as a system. The network is loaded when the first clip is predicted, not before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.systems.base import Task, fill_gaps
from mardini.errors import UserError
from mardini.files import sha256, sha256_of


class Mardini:
    """Frames in between by ``mardini.pipeline``, each clip on its own seed.

    Args:
        checkpoint: file or folder of weights; ``None``: the checkpoint that ships with the package.
        steps: diffusion steps a frame; ``None``: the checkpoint's own default.
        device: ``cpu``, ``cuda`` ...
    """

    name = "mardini"

    def __init__(self, checkpoint: Path | None = None, steps: int | None = None, device: str = "cpu") -> None:
        if checkpoint is not None and not checkpoint.exists():
            raise UserError(f"checkpoint {checkpoint} does not exist: give a file or leave --checkpoint out")
        self.checkpoint, self.steps, self.device = checkpoint, steps, device
        self.weights = hash_of(checkpoint or shipped())
        parts = [self.name]
        if checkpoint is not None:
            parts += [re.sub(r"[^A-Za-z0-9._]+", "_", checkpoint.stem), self.weights[:8]]
        if steps is not None:
            parts.append(f"steps{steps}")
        self.variant = "-".join(parts)
        self._model: Any = None

    def describe(self) -> dict[str, Any]:
        described: dict[str, Any] = {"system": self.name, "version": 1, "weights_sha256": self.weights}
        if self.checkpoint is not None:
            described["checkpoint"] = self.checkpoint.name
        if self.steps is not None:
            described["steps"] = self.steps
        return described

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        model = self._load()
        options = {} if self.steps is None else {"steps": self.steps}
        clips = []
        for task in tasks:

            def between(first: np.ndarray, last: np.ndarray, n: int, seed: int = task.seed) -> np.ndarray:
                return np.asarray(model.interpolate(first, last, n, seed=seed, **options))[1:-1]

            clips.append(fill_gaps(task, between))
        return clips

    def _load(self) -> Any:
        if self._model is None:
            from mardini.pipeline import MarDini

            model = MarDini.from_pretrained(self.checkpoint)
            self._model = model.to(self.device) if self.device != "cpu" else model
        return self._model


def shipped() -> Path:
    """Where the checkpoint that comes with the package lies."""
    import mardini

    files = sorted(Path(mardini.__file__).parent.rglob("*.safetensors"))
    if len(files) != 1:
        raise UserError(
            f"the package holds {len(files)} checkpoints instead of one: reinstall it or name one with --checkpoint"
        )
    return files[0]


def hash_of(checkpoint: Path) -> str:
    """SHA-256 of a checkpoint file, or over all files of a checkpoint folder."""
    if checkpoint.is_file():
        return sha256(checkpoint)
    files = sorted(file for file in checkpoint.rglob("*") if file.is_file())
    return sha256_of(f"{file.relative_to(checkpoint).as_posix()}:{sha256(file)}" for file in files)
