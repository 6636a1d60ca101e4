"""Functions that are compiled where a GPU runs them: they compute the same."""

from __future__ import annotations

import pytest
import torch

from mardini import fused
from mardini.blocks import modulated, normalised
from mardini.positions import rope, sequence_index
from mardini.scene_bank import _seen, _seen_at_once


def test_only_a_gpu_has_functions_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function: pytest.fail(f"{function} was compiled"))
    x = torch.ones(1, 2, 3, 4)
    torch.testing.assert_close(modulated(x, x, x), 3 * x, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_compiled_functions_compute_the_same() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 6, 3, 8)
    angles = rope(sequence_index(2, 2), torch.arange(4), 8)
    tokens, shift, scale = torch.randn(2, 4, 6, 8), torch.randn(2, 4, 1, 8), torch.randn(2, 4, 1, 8)
    maps, waves = torch.eye(3) + 0.1 * torch.rand(2, 3, 3, 3), torch.rand(2, 3, 3, 5)
    axis = torch.linspace(-0.5, 0.5, 8)
    for function, args in (
        (normalised, (x, torch.randn(8), torch.randn(8), *angles)),
        (modulated, (tokens, shift, scale)),
        (_seen_at_once, (axis.expand(8, 8), axis[:, None].expand(8, 8), maps, waves)),
    ):
        plain = function.__wrapped__  # pyright: ignore[reportFunctionMemberAccess]
        results = []
        for call in (plain, fused._compiled(plain)):
            copies = [arg.clone().requires_grad_() for arg in args]
            out = call(*copies)
            results.append([out, *torch.autograd.grad(out.square().sum(), copies)])
        for left, right in zip(*results, strict=True):
            torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-4)
    assert _seen_at_once.__wrapped__ is _seen  # pyright: ignore[reportFunctionMemberAccess]
