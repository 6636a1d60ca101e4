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
from mardini.vae import ResidualBlock

BETAS, WEIGHT_DECAY = (0.9, 0.95), 0.01
"""Of AdamW. The paper says AdamW and no more; these are usual for transformers of this size."""
MOMENTUM = 0.95
MATRIX_RATE = 8.0
"""Rate of matrices over that of everything else."""
_QUINTIC = (3.4445, -4.775, 2.0315)
"""Newton-Schulz coefficients of Jordan et al.: five rounds bring singular values near 1."""


def make(name: Optimizer, task: nn.Module, lr: float) -> Muon:
    """The optimizer of a task; its learning rate is that of ``param_groups``."""
    blocks = [m for m in task.modules() if isinstance(m, PlannerBlock | GeneratorBlock | ResidualBlock)]
    layers = [m for block in blocks for m in block.modules() if isinstance(m, nn.Linear)]
    matrices = [layer.weight for layer in layers] if name == "muon" else []
    known = {id(matrix) for matrix in matrices}
    others = [parameter for parameter in task.parameters() if id(parameter) not in known]
    return Muon(matrices, others, lr)


class Muon(torch.optim.AdamW):
    """AdamW for ``others``, and orthogonal momentum for ``matrices``, which may be none."""

    def __init__(self, matrices: Sequence[Tensor], others: Sequence[Tensor], lr: float) -> None:
        # Tensor by tensor, a small model's bookkeeping of shards costs more than its arithmetic; results are the same.
        super().__init__(list(others), lr, betas=BETAS, weight_decay=WEIGHT_DECAY, foreach=True)
        self.matrices = matrices

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
        for matrix in self.matrices:
            if matrix.grad is None:
                continue
            if not self.state[matrix]:
                self.state[matrix] = {"momentum": torch.zeros_like(matrix)}
            momentum = self.state[matrix]["momentum"]
            momentum.lerp_(matrix.grad, 1 - MOMENTUM)
            update = _orthogonal_like(matrix, matrix.grad.lerp(momentum, MOMENTUM))  # Nesterov's look ahead
            scale = MATRIX_RATE * rate * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
            matrix.mul_(1 - MATRIX_RATE * rate * WEIGHT_DECAY).add_(update, alpha=-scale)
        return loss


def _orthogonal_like(matrix: Tensor, update: Tensor) -> Tensor:
    """``update`` made orthogonal as a whole, sharded as ``matrix`` is."""
    if not isinstance(matrix, DTensor):
        return orthogonal(update)
    assert isinstance(update, DTensor)
    return distribute_tensor(
        orthogonal(update.full_tensor()), matrix.device_mesh, matrix.placements, src_data_rank=None
    )


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the closest orthogonal matrix: singular values between about 0.7 and 1.2, by Newton-Schulz."""
    a, b, c = _QUINTIC
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.T
