"""Small functions of many passes over memory, made one pass by torch.compile where a GPU runs them.

Compiled as a whole, a block takes a minute of a machine's time before its first step, and is no faster than its
matrix products with what lies between them fused (``normalised`` and ``modulated`` in ``blocks.py``).
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
from collections.abc import Callable
from typing import ParamSpec

import torch
from torch import Tensor

P = ParamSpec("P")


def fused(
    function: Callable[P, Tensor], when: Callable[[], bool] = torch.is_grad_enabled
) -> Callable[P, Tensor]:
    """``function``, compiled when its first argument is on a GPU, ``when()`` holds and a compiler is at hand.

    By default where gradients are asked for: a compilation takes seconds, which short generations would not win back.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        first = args[0]
        on_gpu = isinstance(first, Tensor) and first.is_cuda
        if on_gpu and when() and not torch.compiler.is_compiling() and can_compile():
            return _compiled(function)(*args, **kwargs)
        return function(*args, **kwargs)

    return call


@functools.cache
def _compiled(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    return torch.compile(function)  # not on import, which it would make seconds longer


@functools.cache
def can_compile() -> bool:
    """Whether what torch.compile needs for a GPU is here: Triton and a C compiler."""
    compilers = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    return importlib.util.find_spec("triton") is not None and any(filter(None, map(shutil.which, compilers)))
