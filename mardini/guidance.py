"""Scales of a guidance: the same at every step, or one where all is noise and one where none is left.

Nothing here needs torch.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

Scales = float | tuple[float, float]
"""One scale for all steps; or of two the first at full noise and the second at none, linear in time between."""


def scale_at(of: Scales, time: float) -> float:
    """The scale at a time of the diffusion, 1 where all is noise and 0 where none is left."""
    most, least = of if isinstance(of, tuple) else (of, of)
    return least + (most - least) * time


def allowed(given: Scales) -> bool:
    """Whether one number or two in a tuple, all finite and 0 or more."""
    pair = isinstance(given, tuple)
    values = given if isinstance(given, tuple) else (given,)
    return len(values) == 1 + pair and all(
        isinstance(value, Real) and 0 <= value < math.inf for value in values
    )


def scales(text: str) -> Scales:
    """Numbers as on a command line, ``1`` or ``5,0``, whether :func:`allowed` or not; else a ``ValueError``."""
    values: Any = tuple(float(part) for part in text.split(","))
    return values if len(values) > 1 else values[0]


def spelt(given: Scales) -> str:
    """Inverse of :func:`scales`."""
    return ",".join(f"{value:g}" for value in (given if isinstance(given, tuple) else (given,)))
