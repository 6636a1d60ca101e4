"""Optimizers of training: AdamW as in the paper, or Muon for small models with few steps.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) moves the matrices of blocks by their momentum
made orthogonal, so that all directions of a matrix learn at one rate; everything else stays with AdamW. The paper's
models keep the paper's AdamW; small ones, which see few clips, learn with Muon (our choice, from unrecorded trials).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from mardini.generator import GeneratorBlock
from mardini.planner import PlannerBlock
from mardini.stages import Optimizer
from mardini.vae import DenseBlock, ResidualBlock

BETAS, WEIGHT_DECAY = (0.9, 0.95), 0.01
"""Of AdamW. The paper says AdamW and no more; these are usual for transformers of this size."""
MOMENTUM = 0.95
MATRIX_RATE = 8.0
"""Rate of matrices over that of everything else."""
_QUINTIC = (3.4445, -4.775, 2.0315)
"""Newton-Schulz coefficients of Jordan et al.: five rounds bring singular values near 1."""


Block = PlannerBlock | GeneratorBlock | ResidualBlock | DenseBlock


def make(name: Optimizer, task: nn.Module, lr: float, bf16: bool = False) -> Muon:
    """The optimizer of a task; its learning rate is that of ``param_groups``.

    With ``bf16`` Muon's own products are taken in bfloat16, as its authors do.
    """
    blocks = [m for m in task.modules() if isinstance(m, Block)]
    layers = [m for block in blocks for m in block.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    # depth-wise kernels mix no channels
    dense = [layer for layer in layers if isinstance(layer, nn.Linear) or layer.groups == 1]
    matrices = [layer.weight for layer in dense] if name == "muon" else []
    known = {id(matrix) for matrix in matrices}
    others = [parameter for parameter in task.parameters() if id(parameter) not in known]
    return Muon(matrices, others, lr, torch.bfloat16 if bf16 else None)


class Muon(torch.optim.AdamW):
    """AdamW for ``others``, and orthogonal momentum for ``matrices``, which may be none.

    Kernels of convolutions (out, in, rows, columns) count as matrices of ``out`` rows. ``dtype`` is that of the
    products that make updates orthogonal; ``None``: that of the weights.
    """

    def __init__(
        self,
        matrices: Sequence[Tensor],
        others: Sequence[Tensor],
        lr: float,
        dtype: torch.dtype | None = None,
    ) -> None:
        # Tensor by tensor, a small model's bookkeeping of shards costs more than its arithmetic; results are the same.
        super().__init__(list(others), lr, betas=BETAS, weight_decay=WEIGHT_DECAY, foreach=True)
        self.matrices, self.dtype = matrices, dtype

    def empty_state(self) -> None:
        """State of all parameters as before the first step, to be filled from a saved one."""
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = {
                    "step": torch.zeros((), dtype=torch.float32),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
        for matrix in self.matrices:
            self.state[matrix] = {"momentum": torch.zeros_like(matrix)}

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for matrix in self.matrices:
            matrix.grad = None

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        rate = self.param_groups[0]["lr"]
        by_shape: dict[torch.Size, list[Tensor]] = {}
        for matrix in self.matrices:
            if matrix.grad is not None:
                by_shape.setdefault(matrix.shape, []).append(matrix)
                if not self.state[matrix]:
                    self.state[matrix] = {"momentum": torch.zeros_like(matrix)}
        for shape, matrices in by_shape.items():
            gradients = [matrix.grad for matrix in matrices if matrix.grad is not None]
            momenta = [self.state[matrix]["momentum"] for matrix in matrices]
            own = [local(gradient) for gradient in gradients]
            torch._foreach_lerp_([local(momentum) for momentum in momenta], own, 1 - MOMENTUM)  # pyright: ignore
            # Nesterov's look ahead
            ahead = torch._foreach_lerp(own, [local(momentum) for momentum in momenta], MOMENTUM)  # pyright: ignore
            updates = _orthogonal_like(matrices, list(ahead), self.dtype)
            weights = [local(matrix) for matrix in matrices]
            torch._foreach_mul_(weights, 1 - MATRIX_RATE * rate * WEIGHT_DECAY)  # pyright: ignore
            scale = MATRIX_RATE * rate * max(1.0, shape[0] ** 2 / shape.numel()) ** 0.5
            torch._foreach_add_(weights, updates, alpha=-scale)  # pyright: ignore
        return loss


def local(tensor: Tensor) -> Tensor:
    """This process's shard, to be changed in place; far cheaper than going through the sharded tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor.detach()


def _orthogonal_like(
    matrices: list[Tensor], updates: list[Tensor], dtype: torch.dtype | None
) -> list[Tensor]:
    """Shards of ``updates``, each made orthogonal as a whole; ``matrices``, of one shape, say how it is sharded."""

    def made(whole: list[Tensor]) -> Tensor:
        stacked = torch.stack(whole)
        return orthogonal(stacked.flatten(2).to(dtype or stacked.dtype)).to(stacked.dtype).view_as(stacked)

    like = matrices[0]
    if not isinstance(like, DTensor) or like.device_mesh.size() == 1:
        return list(made(updates).unbind())
    mesh, placements = like.device_mesh, like.placements
    pieces = [
        DTensor.from_local(update, mesh, placements, shape=like.shape, stride=like.stride())
        for update in updates
    ]
    whole = made([piece.full_tensor() for piece in pieces])
    return [local(distribute_tensor(part, mesh, placements, src_data_rank=None)) for part in whole]


def orthogonal(matrices: Tensor) -> Tensor:
    """Nearly the closest orthogonal matrices to (..., rows, columns): singular values between about 0.7 and 1.2.

    By Newton-Schulz, of all at once: small matrices one by one would keep a GPU waiting.
    """
    a, b, c = _QUINTIC
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.mT
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x if wide else x.mT
