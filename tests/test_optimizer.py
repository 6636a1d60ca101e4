"""Muon: orthogonal updates of matrices, AdamW elsewhere, states that go on where they stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from mardini.config import preset
from mardini.model import MarDini
from mardini.optimizer import MATRIX_RATE, Muon, make, orthogonal
from mardini.stages import STAGES, scaled
from mardini.tasks import make_task
from mardini.train import main
from mardini.vae import LatentCodec


@pytest.mark.parametrize("shape", [(8, 8), (24, 8), (8, 24)])
def test_updates_are_nearly_orthogonal(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.5 and values.max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert (
        torch.nn.functional.cosine_similarity(orthogonal(matrix).flatten(), (left @ right).flatten(), 0)
        > 0.95
    )


def test_matrices_of_one_shape_are_made_orthogonal_at_once() -> None:
    matrices = torch.randn(3, 12, 20, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonal(matrices), torch.stack([orthogonal(m) for m in matrices]))


def test_a_matrix_moves_by_its_rate_whatever_the_size_of_its_gradient() -> None:
    moved = []
    for size in (1e-6, 1e3):
        matrix = nn.Parameter(torch.zeros(8, 8))
        optimizer = Muon([matrix], [nn.Parameter(torch.zeros(1))], lr=0.01)
        matrix.grad = size * torch.eye(8)
        optimizer.step()
        moved.append(float(-matrix.detach().diagonal().mean()))
    assert moved[0] == pytest.approx(moved[1], rel=0.3) and 0.5 < moved[1] / (MATRIX_RATE * 0.01) < 1.3


def test_kernels_move_as_the_matrices_they_are() -> None:
    gradient = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(2))
    kernel, matrix = nn.Parameter(torch.zeros(6, 4, 3, 3)), nn.Parameter(torch.zeros(6, 36))
    kernel.grad, matrix.grad = gradient, gradient.flatten(1)
    for parameter in (kernel, matrix):
        Muon([parameter], [nn.Parameter(torch.zeros(1))], lr=0.01).step()
    assert float(matrix.detach().abs().max()) > 0
    torch.testing.assert_close(kernel.detach().flatten(1), matrix.detach())


def test_updates_in_bfloat16_are_nearly_the_same() -> None:
    moved = []
    for dtype in (None, torch.bfloat16):
        matrix = nn.Parameter(torch.zeros(16, 24))
        matrix.grad = torch.randn(16, 24, generator=torch.Generator().manual_seed(3))
        Muon([matrix], [nn.Parameter(torch.zeros(1))], 0.01, dtype).step()
        moved.append(matrix.detach().flatten())
    assert moved[1].dtype == torch.float32 and not torch.equal(moved[0], moved[1])
    assert torch.nn.functional.cosine_similarity(moved[0], moved[1], 0) > 0.995


def test_depth_wise_kernels_are_not_muons() -> None:
    counts = []
    for convolutions in ("depth-wise", "dense"):
        config = replace(preset("tiny").codec, convolutions=convolutions)
        task = make_task(STAGES["codec"], MarDini(preset("tiny")), LatentCodec(config))
        counts.append([tuple(matrix.shape) for matrix in make("muon", task, 1e-3).matrices])
    assert counts == [[(128, 32), (32, 128)] * 2, [(32, 32, 3, 3)] * 4]


def test_matrices_of_blocks_alone_are_muons() -> None:
    config = preset("tiny")
    task = make_task(STAGES["joint-model"], MarDini(config), LatentCodec(config.codec))
    names = {id(p): name for name, p in task.named_parameters()}
    optimizer = make("muon", task, 1e-3)
    assert all("blocks." in names[id(matrix)] for matrix in optimizer.matrices)
    others = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(others) + len(optimizer.matrices) == len(names)
    assert not make("adamw", task, 1e-3).matrices


def test_the_papers_models_keep_the_papers_optimizer() -> None:
    assert scaled(STAGES["joint-task"], preset("L/ST")).optimizer == "adamw"
    assert scaled(STAGES["joint-task"], preset("nano")).optimizer == "muon"


def test_a_run_in_two_parts_ends_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    common = ["--stage", "codec", "--preset", "tiny", "--clips", "16", "--batch", "4", "--workers", "0"]
    common += ["--optimizer", "muon", "--save-every", "2", "--log-every", "2"]
    assert main([*common, "--out", str(tmp_path / "whole")]) == 0
    step, calls = Muon.step, []

    def interrupted(self: Muon, closure: None = None) -> None:
        calls.append(0)
        if len(calls) == 4:
            raise KeyboardInterrupt
        step(self, closure)

    monkeypatch.setattr(Muon, "step", interrupted)
    assert main([*common, "--out", str(tmp_path / "parts")]) == 130
    monkeypatch.setattr(Muon, "step", step)
    assert main([*common, "--out", str(tmp_path / "parts")]) == 0
    files = [tmp_path / name / "tiny/codec/checkpoint/model.safetensors" for name in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()
    options = json.loads((tmp_path / "whole/tiny/codec/options.json").read_text())
    assert options["optimizer"] == "muon"
