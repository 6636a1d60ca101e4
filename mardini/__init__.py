"""MarDini: masked auto-regressive planning and light diffusion for video (arXiv:2410.20280).

``mardini.MarDiniPipeline`` (frames in, frames out) and ``mardini.MarDini`` (the networks) are imported when first
used, so that ``import mardini`` and every ``--help`` stay instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mardini.model import MarDini
    from mardini.pipeline import MarDiniPipeline

__all__ = ["MarDini", "MarDiniPipeline"]


def __getattr__(name: str) -> object:
    if name == "MarDini":
        from mardini.model import MarDini

        return MarDini
    if name == "MarDiniPipeline":
        from mardini.pipeline import MarDiniPipeline

        return MarDiniPipeline
    raise AttributeError(f"module 'mardini' has no attribute '{name}'")
