"""Figure 6a: quality and cost against the number of inference steps, by sampler and guidance scale.

DDIM is the paper's; the others are modern multi-step samplers of diffusers on the same schedule. Seconds are those of
a generated frame, the unit of the paper's Table 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from benchmarks import quality
from benchmarks.suite import Context, Outcome, Shown, Suite, file_name
from mardini.shipped import shipped

SAMPLERS = ("ddim", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler")
STEPS = (1, 2, 4, 8, 10, 25, 50, 100)


@dataclass(frozen=True)
class Cell:
    """A shipped checkpoint on ``clips`` clips; ``guidance`` 1: none."""

    dataset: str
    task: str
    sampler: str
    guidance: float
    steps: int
    clips: int
    checkpoint: str


def measure(cell: Cell, context: Context) -> Outcome:
    """Score the model with the toolkit, then time it on one clip with nothing else going on."""
    from benchmarks.timing import timed
    from eval.datasets import load_dataset
    from eval.protocols import TaskName, protocol_for
    from eval.systems.base import Task, clip_seed
    from eval.systems.mardini import Mardini

    task = cast(TaskName, cell.task)
    protocol = protocol_for(task, cell.dataset)
    dataset = load_dataset(cell.dataset, data_root=context.data_root, limit=cell.clips)
    system = Mardini(
        shipped(cell.checkpoint),
        cell.steps,
        context.device,
        task,
        scheduler=cell.sampler,
        guidance=cell.guidance,
        skip_guidance=0,
        detail=0,
    )
    output = context.cache / "inference-steps" / file_name(cell)
    record = quality.score(dataset, protocol, system, output, limit=cell.clips, device=context.device)
    clip = dataset.clips[0]
    frames = clip.load()
    given = {index: frames[index] for index in protocol.given}
    one = [Task(clip.id, given, protocol.frames, clip_seed(0, clip.id), dataset.fps)]
    timing = timed(lambda: system.predict(one), context.device)
    values = quality.values(record)
    values["seconds_per_frame"] = timing.entry(len(protocol.targets))
    return Outcome(values, {"repeats": timing.seconds}, quality.provenance(record))


def axes(device: str) -> dict[str, tuple[Any, ...]]:
    """Values of every field of a cell, where ``--with`` gives no others."""
    return {
        "dataset": ("synthetic",),
        "task": ("interpolation", "i2v"),
        "sampler": SAMPLERS,
        "guidance": (1.0, 2.5),
        "steps": STEPS,
        "clips": (8,),
        "checkpoint": ("nano", "mini"),
    }


def allowed(cell: Cell) -> bool:
    """``mini``, far slower on a CPU, in the paper's setting alone: interpolation by DDIM without guidance."""
    papers = cell.task == "interpolation" and cell.sampler == "ddim" and cell.guidance == 1
    return papers or cell.checkpoint != "mini"


SUITE = Suite(
    name="inference-steps",
    line="quality and seconds a frame by number of steps, sampler and guidance (Figure 6a)",
    cell=Cell,
    axes=axes,
    measure=measure,
    shown=(
        Shown("seconds_per_frame", "s/frame", 4),
        Shown("psnr_clip", "PSNR"),
        Shown("ssim_vidim_all", "SSIM", 4),
        Shown("lpips_alex_random_all", "LPIPS*", 4),
        Shown("fvd_random", "FVD*"),
    ),
    inputs=lambda cell: quality.weights(cell.checkpoint),
    allowed=allowed,
    work=lambda cell: cell.clips * (cell.steps * (1 if cell.guidance == 1 else 2) + 20),
    alike=("checkpoint",),
    isolated=True,
    timed=True,
)
