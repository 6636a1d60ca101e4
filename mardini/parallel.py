"""Many processes, or one, with the same code: process group, checkpointing, compilation and sharding.

The order is activation checkpointing, then compilation, then FSDP2, each applied to the blocks from outside. The
model file knows of none of it. Started by ``torchrun`` or alone.
"""

from __future__ import annotations

import functools
import os
import warnings
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import HashStore
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import checkpoint

from mardini.errors import UserError
from mardini.generator import GeneratorBlock
from mardini.optimizer import Block
from mardini.planner import PlannerBlock

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; ``rank`` 0 writes logs and checkpoints."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """Sum of ``value`` over all processes, in place."""
        dist.all_reduce(value)
        return value

    def all(self, value: T) -> list[T]:
        """Every process's ``value``, by rank."""
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        return values

    def own(self, batch: int) -> range:
        """The clips of a batch that are this process's."""
        share = batch // self.count
        return range(self.rank * share, (self.rank + 1) * share)


def start(device: str | None = None) -> Processes:
    """Join the processes that torchrun started, or be the only one. ``device``: default CUDA where present.

    Gloo serves the CPU (and the saving of states), NCCL the GPUs.
    """
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda was given, but torch finds no CUDA device: use --device cpu")
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if kind == "cuda":
        torch.cuda.set_device(local)
    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo"
        if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
            dist.init_process_group(backend)
        else:
            dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
    return Processes(
        dist.get_rank(),
        dist.get_world_size(),
        torch.device(kind, local) if kind == "cuda" else torch.device("cpu"),
    )


def stop() -> None:
    """Leave the process group."""
    if dist.is_initialized():
        dist.destroy_process_group()


def prepare(
    task: nn.Module,
    processes: Processes,
    activation_checkpointing: bool = False,
    compiled: bool = False,
    bf16: bool = False,
) -> None:
    """Make ``task`` ready for training, in place: its weights become shards, one for each process.

    Blocks gather their weights when they run and let go of them after; what lies outside blocks belongs to the
    task itself, so everything must be computed within ``task.forward``. With ``bf16``, blocks gather weights in
    bfloat16 and gradients are summed in float32; activations follow ``torch.autocast``.
    """
    task.to(processes.device)
    mesh = init_device_mesh(processes.device.type, (processes.count,))
    blocks = [m for m in task.modules() if isinstance(m, PlannerBlock | GeneratorBlock)]
    for block in blocks:
        if activation_checkpointing:
            forward = functools.partial(checkpoint, block.forward, use_reentrant=False)
            block.forward = forward  # pyright: ignore[reportAttributeAccessIssue]
    if compiled:
        for block in (m for m in task.modules() if isinstance(m, Block)):
            block.compile()
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if bf16 else None, reduce_dtype=torch.float32, cast_forward_inputs=False
    )
    # With one process too: held-out clips have no backward pass, so whole weights would stay in the place of shards.
    for block in blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    fully_shard(task, mesh=mesh, reshard_after_forward=True)
    # Blocks also return their keys and values, which are views; nothing ever changes those in place.
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor")


def whole(tensor: Tensor) -> Tensor:
    """A sharded tensor put together again (all processes must call this); any other as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
