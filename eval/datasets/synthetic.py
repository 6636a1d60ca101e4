"""The embedded benchmark: procedural video with exact in-between frames, drawn when asked for."""

from __future__ import annotations

import functools
from pathlib import Path

from eval.datasets.base import Clip, Dataset
from eval.datasets.chunks import spread
from mardini.errors import UserError
from mardini.files import sha256_of
from mardini.synthetic import VERSION, make_clip, tags

CLIPS = 8
SIZE = (128, 128)
FPS = 24.0
FIRST_SEED = 10_000_000  # training draws its seeds below this, or beyond a trillion
SEEDS_EACH = 100_000


def load(root: Path | None = None, *, limit: int | None = None, seed: int = 0, frames: int = 9) -> Dataset:
    """``limit`` clips (default 8) of ``uint8`` (frames, 128, 128, 3); ids ``synth/<number, five digits>``.

    Clip ``i`` is ``make_clip(10_000_000 + 100_000 * seed + i)``: sets of different ``seed`` share no clip,
    and none is ever seen in training. A larger ``limit`` adds clips and keeps the others.

    Raises:
        UserError: a data root is given, or ``limit`` or ``seed`` is out of range.
    """
    if root is not None:
        raise UserError("dataset 'synthetic' is generated: leave out --data-root, or choose --dataset folder")
    if seed < 0:
        raise UserError(f"seed {seed} is negative: give 0 or more")
    count = CLIPS if limit is None else limit
    if count > SEEDS_EACH:
        raise UserError(f"a limit of {count} clips is too many: one seed gives up to {SEEDS_EACH}")
    first = FIRST_SEED + SEEDS_EACH * seed
    clips = [_clip(number, first + number, frames) for number in spread(range(count), limit)]
    return Dataset(
        name="synthetic",
        clips=clips,
        fingerprint=sha256_of(["synthetic-7/v1", VERSION, str(first), str(count), str(SIZE), str(frames)]),
        fps=FPS * (frames - 1) / 8,  # more frames show the same time in finer steps
    )


def _clip(number: int, seed: int, frames: int) -> Clip:
    name = f"synth/{number:05d}"
    draw = functools.partial(make_clip, seed, frames=frames, size=SIZE)
    return Clip(name, name, draw, tags=tags(seed), size=SIZE)
