"""What a run tells: a JSONL file always, a progress bar, TensorBoard and Weights & Biases if asked."""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

from mardini.config import preset
from mardini.data import Problems
from mardini.errors import UserError
from mardini.files import atomic, write_json
from mardini.flops import peak_flops, training_step
from mardini.parallel import Processes
from mardini.stages import Stage
from mardini.train import PROCEDURAL, Options


class Log:
    """The log of one run, as a context manager. Only the first process writes; all may call everything.

    Rows of steps beyond ``done`` are dropped on opening: a resumed run does those steps again.
    """

    def __init__(
        self,
        folder: Path,
        row: Stage,
        options: Options,
        done: int,
        args: argparse.Namespace,
        processes: Processes,
    ) -> None:
        self.folder, self.options, self.processes = folder, options, processes
        self.problems = Problems()
        self._file = folder / "log.jsonl"
        self._unreadable = folder / "unreadable.json"
        for flag, package in (("tensorboard", "tensorboard"), ("wandb", "wandb")):
            if getattr(args, flag) and importlib.util.find_spec(package) is None:
                raise UserError(f"--{flag} needs the package {package}: pip install {package}")
        self._trim(done)
        self._bar = tqdm(
            total=options.steps,
            initial=done,
            desc=row.name,
            unit="step",
            dynamic_ncols=True,
            disable=not processes.first,
        )
        peak = peak_flops(processes.device)
        work = training_step(row, preset(options.preset), options.batch, options.frames, options.resolution)
        self._utilisation = None if peak is None else work.model_flops / (peak * processes.count)
        self._last = (done, time.monotonic())
        self._writer: Any = None
        self._wandb: Any = None
        if processes.first and args.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1 if done else 0)
        if processes.first and args.wandb:
            import wandb  # pyright: ignore[reportMissingImports]

            name = f"{options.preset}-{row.name}"
            self._wandb = wandb.init(
                project=args.wandb, name=name, id=self._run_id(done), dir=str(folder), resume="allow"
            )

    def write(self, step: int, values: dict[str, float], seconds: float) -> None:
        """One row: losses of the steps since the last one (and held out), after ``step`` steps."""
        if not self.processes.first:
            return
        known = {} if self.options.data[0] in PROCEDURAL else {"unreadable": len(self.problems.known)}
        row = {"step": step, "clips": step * self.options.batch, **values, **known}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**row, "seconds": round(seconds, 1)}) + "\n")
        for name, value in values.items():
            if self._writer is not None:
                self._writer.add_scalar(name, value, step)
        if self._wandb is not None:
            self._wandb.log(row, step=step)
        self._bar.set_postfix(
            {name: f"{value:.4f}" for name, value in {**values, **self._speed(step)}.items()}
        )

    def warn(self, sentences: list[str]) -> None:
        """Name files that could not be read, once each."""
        if sentences and self.processes.first:
            for sentence in sentences:
                tqdm.write(f"warning: {sentence}")
            write_json(self._unreadable, self.problems.known)

    def gather(self) -> None:
        """Tell the first process what the others could not read; all must call this."""
        if self.processes.count > 1 and self.options.data[0] not in PROCEDURAL:
            self.warn(self.problems.join(self.processes.all(self.problems.known)))

    def advance(self) -> None:
        """One step is done."""
        self._bar.update()

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        if self._writer is not None:
            self._writer.close()
        if self._wandb is not None:
            self._wandb.finish(exit_code=int(kind is not None))
        if self.problems.known and self.processes.first:
            names = sorted(self.problems.known)
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            print(f"{len(names)} files could not be read and were replaced by others: {shown}", flush=True)
            print(f"all of them, with reasons: {self._unreadable}", flush=True)

    def _speed(self, step: int) -> dict[str, float]:
        """Clips a second since the last row, and model FLOPs utilisation where the device's peak is known."""
        (before, then), self._last = self._last, (step, time.monotonic())
        rate = (step - before) / max(1e-9, self._last[1] - then)
        speed = {"clips/s": rate * self.options.batch}
        return speed if self._utilisation is None else {**speed, "MFU": rate * self._utilisation}

    def _run_id(self, done: int) -> str:
        """Of the run on Weights & Biases: kept in the folder, so that a resumed run goes on with its curves."""
        path = self.folder / "wandb-id.txt"
        if not done or not path.is_file():
            with atomic(path) as temporary:
                temporary.write_text(uuid.uuid4().hex, encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def _trim(self, done: int) -> None:
        if not self.processes.first:
            return
        rows = (
            self._file.read_text(encoding="utf-8").splitlines(keepends=True) if self._file.is_file() else []
        )
        # A kill may leave half a line, and nothing before the first state counts: step 0 is measured again then.
        kept = [row for row in rows if done and row.endswith("\n") and json.loads(row)["step"] <= done]
        with atomic(self._file) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")
        if done and self._unreadable.is_file():
            known = json.loads(self._unreadable.read_text(encoding="utf-8"))
            self.problems.known = {name: (text, step) for name, (text, step) in known.items() if step <= done}
