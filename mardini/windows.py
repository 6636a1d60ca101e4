"""What the tasks of the pipeline are made of, before any network runs: windows, seeds, sizes, batches.

Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict

import numpy as np
from tqdm import tqdm

from mardini.errors import UserError
from mardini.guidance import Scales, allowed


class Options(TypedDict, total=False):
    """What every task of the pipeline takes by keyword; see :class:`Settings`."""

    seed: int | Sequence[int]
    steps: int | None
    guidance: float | None
    skip_guidance: Scales
    detail: float
    sharpness: float
    resolution: int | Literal["native"] | None
    scheduler: str
    batch_size: int | None
    progress: bool


FALLING = (3.5, 0.5)
"""Usual scales of skip guidance. At first, while things are placed, a strong push makes them sharp; at last, where
detail is drawn, it draws too much of it."""

OPEN_FUTURE: Options = {"guidance": 2.5, "skip_guidance": 2.0}
"""How expansion and roll-out are sampled. The paper's guidance for image-to-video; of these two it says nothing, and
our choice is the same: there too the future is open. All else runs without guidance on the plan, as in the paper. Skip
guidance, more of it here, is ours: without it small models let what moves dissolve."""

ONE_IMAGE: Options = {**OPEN_FUTURE, "skip_guidance": (3.0, 0.5)}
"""How image-to-video is sampled. Where no motion is given, falling scales of skip guidance draw sharper frames."""


@dataclass(frozen=True)
class Settings:
    """How to sample.

    Attributes:
        seed: of the noise; the same seed gives the same frames. For a batch, one for each sample, or a single one
            that counts up from sample to sample.
        steps: diffusion steps, 1 to 1000; ``None``: as many as the model is best sampled with, 25 unless its
            configuration says otherwise.
        guidance: scale of classifier-free guidance on the plan; ``None`` or 1: none.
        skip_guidance: how much things are made to move as wholes, see :func:`mardini.sampling.sample`: at every step
            or, of two numbers, while all is noise and when none is left; 0: not at all, as in the paper, and
            cheaper: the generator's last blocks then run once a step, not twice.
        detail: how much of the fine detail that the codec, and work at a lower resolution, lose of given frames is
            carried over to generated ones, see :func:`mardini.detail.carry_detail`; 0: none, as in the paper.
        sharpness: how much of the sharpness that generated frames lack beside given ones is added, see
            :func:`mardini.sharpness.match_sharpness`; 0: none, as in the paper.
        resolution: pixels of the shorter side at which to work; ``"native"``: that of the frames; ``None``: that
            which the model was trained at.
        scheduler: ``ddim``, or a scheduler of diffusers by its class name.
        batch_size: windows at a time. ``None``: 1 on a CPU, where a sample is then the same to the last bit whatever
            it is batched with, and 8 elsewhere, where it is the same up to rounding
            (before detail is carried over: the flow that it follows can jump).
        progress: show a bar on stderr.
    """

    seed: int | Sequence[int] = 0
    steps: int | None = None
    guidance: float | None = None
    skip_guidance: Scales = FALLING
    detail: float = 1.0
    sharpness: float = 0.0
    resolution: int | Literal["native"] | None = None
    scheduler: str = "ddim"
    batch_size: int | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        if self.resolution not in (None, "native") and not (
            isinstance(self.resolution, int) and self.resolution >= 8
        ):
            raise UserError(
                f"resolution {self.resolution!r}: give at least 8 pixels, 'native', or leave it out"
            )
        if not allowed(self.skip_guidance):
            raise UserError(
                f"skip_guidance {self.skip_guidance}: give 0 (none) or more, or two such numbers, as {FALLING}"
            )
        if not 0 <= self.detail <= 1:
            raise UserError(f"detail {self.detail}: give 0 (none) to 1 (all of it)")
        if not 0 <= self.sharpness <= 1:
            raise UserError(f"sharpness {self.sharpness}: give 0 (none) to 1 (as sharp as given frames)")
        if self.batch_size is not None:
            at_least_one("batch size", self.batch_size)

    @classmethod
    def of(cls, options: Options, **defaults: Any) -> Settings:
        """From keyword options; what is not an option is a ``TypeError``, as for any function."""
        unknown = options.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise TypeError(
                f"no such option: {', '.join(sorted(unknown))} (there are {', '.join(f.name for f in fields(cls))})"
            )
        return cls(**{**defaults, **options})

    def seeds(self, count: int) -> list[int]:
        """One seed for each of ``count`` samples."""
        if isinstance(self.seed, (int, np.integer)):
            return [int(self.seed) + sample for sample in range(count)]
        seeds = [int(seed) for seed in self.seed]
        if len(seeds) != count:
            raise UserError(f"{len(seeds)} seeds for {count} samples: give one for each, or a single one")
        return seeds


def at_least_one(what: str, number: int) -> int:
    """``number``, refused if it is less than 1."""
    if number < 1:
        raise UserError(f"{what} is {number}: ask for at least 1")
    return number


def derived_seed(seed: int, *where: int) -> int:
    """Seed of one window of a longer task, from the task's seed and the window's place: 0 to 2^63 - 1."""
    sequence = np.random.SeedSequence([seed % 2**64, *where])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def as_batch(
    frames: Any, ndim: int, what: str = "frames"
) -> tuple[list[np.ndarray], Callable[[list[np.ndarray]], Any]]:
    """Samples of a call, and what turns their results into an answer of the same kind.

    Args:
        frames: one sample (``ndim`` axes), a batch with a leading axis, or a list of samples, which may differ in
            height and width but not in their number of frames. uint8 RGB, channels last.
        ndim: 3 for images (H, W, 3), 4 for clips (T, H, W, 3).
        what: called so in errors.

    Returns:
        The samples, and a function from a list of results: one result; an array (B, ...); or a list.
    """
    shape = "(H, W, 3)" if ndim == 3 else "(K, H, W, 3)"
    whole = isinstance(frames, np.ndarray)
    single = whole and frames.ndim == ndim
    samples = [frames] if single else list(frames)
    for sample in samples:
        if (
            not isinstance(sample, np.ndarray)
            or sample.dtype != np.uint8
            or sample.ndim != ndim
            or sample.shape[-1] != 3
            or 0 in sample.shape
        ):
            kind = (
                f"{sample.dtype} of shape {sample.shape}"
                if isinstance(sample, np.ndarray)
                else type(sample).__name__
            )
            raise UserError(f"{what}: {kind}; give uint8 RGB of shape {shape}, or a batch or list of such")
        if ndim == 4 and len(sample) != len(samples[0]):
            raise UserError(
                f"{what}: clips of {len(samples[0])} and {len(sample)} frames in one batch: give clips of one length"
            )
    if not samples:
        raise UserError(f"{what}: an empty batch; give at least one sample")
    if single:
        return samples, lambda results: results[0]
    return samples, np.stack if whole else list


def working_size(size: tuple[int, int], resolution: int | None) -> tuple[int, int]:
    """(height, width) at which to work: ``resolution`` on the shorter side, the aspect kept; ``None``: as it is."""
    if resolution is None:
        return size
    scale = resolution / min(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def padded(frames: np.ndarray, unit: int) -> np.ndarray:
    """Frames (K, H, W, 3) continued down and right by their last row and column, to multiples of ``unit``."""
    height, width = frames.shape[1:3]
    return np.pad(frames, ((0, 0), (0, -height % unit), (0, -width % unit), (0, 0)), mode="edge")


def extended(clip: np.ndarray, n: int) -> np.ndarray:
    """A clip with ``n`` empty frames after it."""
    return np.concatenate([clip, np.zeros((n, *clip.shape[1:]), np.uint8)])


def levels(factor: int, window: int) -> list[int]:
    """Factors of hierarchical slow motion, coarse to fine: their product is ``factor``, and each fits a window.

    The largest that fit come first, since few levels add up few errors: 32 in windows of 9 is 8, then 4.

    Raises:
        UserError: a prime factor of ``factor`` is larger than ``window`` - 1.
    """
    if factor < 2:
        raise UserError(f"a slow motion of factor {factor} was asked for: choose at least 2")
    found = []
    rest = factor
    while rest > 1:
        fitting = [part for part in range(2, min(rest, window - 1) + 1) if rest % part == 0]
        if not fitting:
            raise UserError(
                f"factor {factor} does not split into steps that fit a window of {window} frames: choose a product "
                f"of numbers up to {window - 1}, or a window of more frames"
            )
        found.append(fitting[-1])
        rest //= fitting[-1]
    return found


def segments(frames: int, factor: int, window: int) -> list[tuple[int, int]]:
    """Cut a clip of ``frames`` frames for one level of slow motion: (first, last) of each, last = first of the next.

    Each has as many frames as still fit a window once ``factor`` - 1 new ones stand between every two.
    """
    stride = max(1, (window - 1) // factor)
    return [(start, min(start + stride, frames - 1)) for start in range(0, frames - 1, stride)]


def slow_motion_windows(frames: int, factor: int, window: int) -> int:
    """How many windows a slow motion takes."""
    count = 0
    for level in levels(factor, window):
        count += len(segments(frames, level, window))
        frames = (frames - 1) * level + 1
    return count


def rollout_windows(frames: int, n: int, references: int, window: int) -> list[int]:
    """Frames kept as references in each window of a roll-out of ``n`` frames after ``frames`` frames.

    Every window is full, so a longer roll-out begins with the shorter one; what is too much is cut off at the end.
    """
    if not 1 <= references < window:
        raise UserError(
            f"{references} frames as references in a window of {window}: choose 1 to {window - 1}"
        )
    kept = []
    made = 0
    while made < n:
        kept.append(min(references, frames + made))
        made += window - kept[-1]
    return kept


class Bar:
    """A bar on stderr over all diffusion steps of a task; entered, it is the function that moves it on."""

    def __init__(self, total: int, hidden: bool) -> None:
        self._bar = tqdm(total=total, disable=hidden, unit="step", dynamic_ncols=True)

    def __enter__(self) -> Callable[[int], object]:
        return self._bar.update

    def __exit__(self, *_: object) -> None:
        self._bar.close()
