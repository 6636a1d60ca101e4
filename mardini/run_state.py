"""The state of a training run: weights, averaged weights and optimizer, in a distributed checkpoint.

    <run>/state/<step>/      torch.distributed.checkpoint; whole once its .metadata is there

Every process writes its shards, in the background on GPUs; a run may resume with another number of processes.
"""

from __future__ import annotations

import shutil
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save, save

from mardini.errors import UserError
from mardini.optimizer import Muon, local


class RunState:
    """Everything of a run that changes from step to step.

    ``average`` is an exponential moving average of the trained weights; ``window`` holds the sum and number of the
    losses since the last line of the log, and the seconds spent.
    """

    def __init__(self, folder: Path, task: nn.Module, optimizer: Muon) -> None:
        self.folder = folder / "state"
        self.task, self.optimizer = task, optimizer
        self.average = {name: p.detach().clone() for name, p in task.named_parameters()}
        self.window = torch.zeros(3, dtype=torch.float64)
        self._saving: Future | None = None
        self._group: Any = None  # a process group, made when first needed

    def load(self) -> int:
        """Load the last whole state, if any; returns the number of steps it covers."""
        step = latest(self.folder)
        if step == 0:
            return 0
        self.optimizer.empty_state()
        try:
            load(self._tensors(), checkpoint_id=self.folder / str(step))
        except Exception as error:  # what storage, pickle and planner raise is not one type
            raise UserError(
                f"{self.folder / str(step)} cannot be read ({type(error).__name__}): delete that folder to go on "
                "from the state before it or from the start"
            ) from error
        return step

    def save(self, step: int, background: bool) -> None:
        """Write the state after ``step`` steps; states before it are removed when it is whole."""
        self.wait()
        target = self.folder / str(step)
        if background:
            # A group of its own: its messages must not mix with those of the training that goes on.
            self._group = self._group or dist.new_group(backend="gloo")
            future = async_save(self._tensors(), checkpoint_id=target, process_group=self._group)
            assert isinstance(future, Future)
            self._saving = future
        else:
            save(self._tensors(), checkpoint_id=target)
            self._clean()

    def wait(self) -> None:
        """Until a state that is being written in the background is whole; raises what went wrong with it."""
        if self._saving is not None:
            self._saving.result()
            self._saving = None
            self._clean()

    @torch.no_grad()
    def update_average(self, step: int) -> None:
        """Move averaged weights towards the trained ones; the memory grows with the run up to 1000 steps."""
        decay = min(0.999, (1 + step) / (10 + step))
        parameters = dict(self.task.named_parameters())
        kept, new = ([local(part[name]) for name in parameters] for part in (self.average, parameters))
        torch._foreach_lerp_(kept, new, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange trained and averaged weights; again to undo."""
        for name, parameter in self.task.named_parameters():
            trained, averaged = local(parameter), local(self.average[name])
            current = trained.clone()
            trained.copy_(averaged)
            averaged.copy_(current)

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {"window": self.window}
        tensors |= {f"buffers.{name}": buffer for name, buffer in self.task.named_buffers()}
        for name, parameter in self.task.named_parameters():
            tensors[f"weights.{name}"] = parameter.detach()
            tensors[f"average.{name}"] = self.average[name]
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer.{name}.{key}"] = value
        return tensors

    def _clean(self) -> None:
        if dist.get_rank() == 0:
            last = latest(self.folder)
            for entry in self.folder.iterdir():
                if entry.name != str(last):
                    shutil.rmtree(entry)


def latest(folder: Path) -> int:
    """Steps of the newest whole state in ``folder``; 0 if there is none."""
    if not folder.is_dir():
        return 0
    whole = [int(e.name) for e in folder.iterdir() if e.name.isdigit() and (e / ".metadata").is_file()]
    return max(whole, default=0)
