"""What every dataset gives: clips with stable ids, whole on request, and the files they came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Clip:
    """One clip of a dataset.

    Attributes:
        id: unique within the dataset and stable across machines, e.g. ``dog/00009``. May hold ``/``.
        source: the video it was cut from; clips of one source are resampled together in intervals.
        load: returns the frames, ``uint8`` RGB of shape (T, H, W, 3), from a dataset of single images (1, H, W, 3).
            Raises ``UserError`` naming the file that cannot be read.
        outputs: for datasets that come with other methods' results: method name -> loader of that
            method's *target* frames (those not given), ``uint8`` (N, H, W, 3).
        tags: what is known of its content ("rotation", "occlusion"), to break scores down by; may be empty.
        size: (height, width) of its frames, where it is known without decoding any.
    """

    id: str
    source: str
    load: Callable[[], np.ndarray]
    outputs: Mapping[str, Callable[[], np.ndarray]] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Dataset:
    """A set of clips, in a fixed order.

    Attributes:
        name: as on the command line.
        clips: in sorted order of id.
        fingerprint: hash of what determines every frame: the bytes of the files behind it, or the
            generator's version and seed. A rerun recomputes when it differs.
        expected: how many clips the full set has; ``None`` where there is no such number.
        fps: frames per second of the clips, as far as it is known.
        notices: plain sentences for the user ("30 of the 357 clips are here ...").
        root: where the files lie; ``None`` for generated data.
        details: what records say of the set besides: the hash of a frozen list, the name it was asked for by.
    """

    name: str
    clips: Sequence[Clip]
    fingerprint: str
    expected: int | None = None
    fps: float = 24.0
    notices: Sequence[str] = ()
    root: Path | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def methods(self) -> list[str]:
        """Names of the methods whose results come with *every* clip of the dataset."""
        if not self.clips:
            return []
        return sorted(set.intersection(*(set(clip.outputs) for clip in self.clips)))
