"""Frames in, frames out: the tasks of the model as one class.

pipeline = MarDiniPipeline.from_pretrained()              # the checkpoint that comes with the package
clip = pipeline.interpolate(first, last, 7, seed=0)       # 9 frames, first and last unchanged
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from mardini import windows
from mardini.codecs import Codec, decode_tiled, in_slices, load_codec, warn_of_other_latents
from mardini.detail import carry_details
from mardini.device import find_device
from mardini.errors import UserError
from mardini.hub import Pretrained
from mardini.masks import mask_from_given
from mardini.model import MarDini
from mardini.sampling import sample
from mardini.schedulers import build_scheduler
from mardini.sharpness import match_sharpness
from mardini.vae import FACTOR
from mardini.video import resize, to_float, to_uint8
from mardini.windows import (
    ONE_IMAGE,
    OPEN_FUTURE,
    Bar,
    Options,
    Settings,
    as_batch,
    at_least_one,
    derived_seed,
    extended,
)

TILE = 128
"""Latents to a side (1024 px) above which frames are decoded in tiles."""


class MarDiniPipeline(Pretrained):
    """A model and its codec, from uint8 frames to uint8 frames.

    Every task takes one sample, a batch with a leading axis, or a list, and answers in kind; a sample never depends
    on what it is batched with. Frames of any size are taken: they are resized so that the shorter side has the
    resolution that the model was trained at (or ``resolution``), padded to what the networks divide into, and what
    is generated is cropped and resized back. Given frames return untouched. Options: :class:`mardini.windows.Settings`.

    Args:
        model, codec: of :func:`mardini.checkpoint.load`, or the codec of :func:`mardini.codecs.load_codec`.
        device: ``cpu``, ``cuda``, ``cuda:1``; ``auto``: CUDA where present.
        dtype: precision of the two networks: float32, or bfloat16 for speed on GPUs. Codec and diffusion state stay
            float32. On the tests' model bfloat16 moves pixels by less than 2% of the range in the mean.
        compile: compile the generator's step (``torch.compile``): slow to start, then faster.
    """

    def __init__(
        self,
        model: MarDini,
        codec: nn.Module,
        device: str | torch.device = "auto",
        dtype: torch.dtype = torch.float32,
        compile: bool = False,
    ) -> None:
        self.device = find_device(device)
        self.model = model.eval().to(self.device, dtype)
        self.codec: Any = codec.eval().to(self.device)
        self._denoise = torch.compile(model.generator.denoise) if compile else None

    @classmethod
    def _from_parts(cls, model: MarDini, codec: nn.Module, /, **options: Any) -> Self:
        other = options.pop("codec", None)  # a codec by name, in place of the checkpoint's
        if other is not None:
            own, codec = codec, load_codec(other, model.config.codec.channels)
            warn_of_other_latents(own, codec, str(other))
        return cls(model, codec, **options)

    def _parts(self) -> tuple[MarDini, nn.Module]:
        return self.model, self.codec

    def interpolate(self, first: Any, last: Any, n: int = 7, **options: Unpack[Options]) -> Any:
        """``n`` frames between two: uint8 (H, W, 3) twice -> uint8 (n + 2, H, W, 3). Without guidance by default."""
        if n < 1:
            raise UserError(f"{n} frames asked for between two: ask for at least 1")
        (firsts, answer), (lasts, _) = as_batch(first, 3, "first"), as_batch(last, 3, "last")
        if len(firsts) != len(lasts):
            raise UserError(f"{len(firsts)} first and {len(lasts)} last frames: give as many of both")
        clips = []
        for a, b in zip(firsts, lasts, strict=True):
            if a.shape != b.shape:
                raise UserError(
                    f"first frame of {a.shape[0]}x{a.shape[1]}, last of {b.shape[0]}x{b.shape[1]}: resize one"
                )
            clips.append(np.concatenate([a[None], np.zeros((n, *a.shape), np.uint8), b[None]]))
        return answer(self._fill(clips, (0, n + 1), Settings.of(options)))

    def animate(self, image: Any, n: int | None = None, **options: Unpack[Options]) -> Any:
        """Image to video: uint8 (H, W, 3) -> (n + 1, H, W, 3), the image first, in one window.

        ``n``: default, as many as fill the window that the model was trained on. ``guidance``: default 2.5, and
        ``skip_guidance``: default (3, 0.5), which is our choice.
        """
        images, answer = as_batch(image, 3, "image")
        n = self.model.config.frames - 1 if n is None else n
        return answer(self._expand([image[None] for image in images], n, Settings.of(options, **ONE_IMAGE)))

    def expand(self, frames: Any, n: int, **options: Unpack[Options]) -> Any:
        """``n`` frames after a clip, in one window with all of it: (T, H, W, 3) -> (T + n, H, W, 3).

        A window longer than the model was trained on is allowed, at your risk: for many frames see
        :meth:`rollout`. ``guidance``: default 2.5, ``skip_guidance``: 2, our choice.
        """
        clips, answer = as_batch(frames, 4)
        return answer(self._expand(clips, n, Settings.of(options, **OPEN_FUTURE)))

    def fill(
        self,
        frames: Any,
        given: Sequence[int] | np.ndarray | Tensor | None = None,
        *,
        mask: Sequence[bool] | np.ndarray | Tensor | None = None,
        **options: Unpack[Options],
    ) -> Any:
        """Generate all frames of a window that are not given. Without guidance by default.

        Args:
            frames: uint8 (K, H, W, 3); only the given ones are read.
            given: their indices, 0-based, at any places; booleans are taken for a ``mask``.
            mask: instead of ``given``, K booleans, True = to be generated.
            **options: see :class:`mardini.windows.Settings`.

        Returns:
            uint8 (K, H, W, 3); given frames unchanged.
        """
        clips, answer = as_batch(frames, 4)
        if (given is None) == (mask is None):
            raise UserError("fill needs either 'given', the indices of the given frames, or 'mask': give one")
        chosen = np.asarray(given if mask is None else mask)
        if mask is not None or (chosen.size and chosen.dtype == bool):
            if chosen.dtype != bool or chosen.shape != (len(clips[0]),):
                raise UserError(
                    f"mask of {chosen.dtype} and shape {chosen.shape}: give {len(clips[0])} booleans, one a frame"
                )
            chosen = np.flatnonzero(~chosen)
        elif chosen.size and (chosen.dtype.kind not in "iu" or chosen.ndim != 1):
            raise UserError(f"given frames {chosen.tolist()}: give their indices, such as (0, 4)")
        return answer(self._fill(clips, [int(index) for index in chosen], Settings.of(options)))

    def slow_motion(
        self, frames: Any, factor: int, *, window: int | None = None, **options: Unpack[Options]
    ) -> Any:
        """``factor`` - 1 new frames between every two, hierarchically: (T, H, W, 3) -> ((T - 1) * factor + 1, H, W, 3).

        As in the paper: the clip is cut into segments, each is interpolated in a window of its own, the result is
        the new clip, and so on until it is slow enough. Neighbouring segments share a frame. Nothing is made up after
        the last frame, so 4 images at factor 32 are 97 frames; of the paper's "4 images to 128 frames" it is not said
        where the other 31 lie (:meth:`rollout` adds frames after a clip).

        Args:
            frames: at least 2.
            factor: a product of numbers less than ``window``.
            window: frames of the longest window; default: that which the model was trained on (the paper: 32).
            **options: see :class:`mardini.windows.Settings`. Without guidance by default.
        """
        clips, answer = as_batch(frames, 4)
        if len(clips[0]) < 2:
            raise UserError(f"a slow motion of {len(clips[0])} frame: give at least 2")
        window = self.model.config.frames if window is None else window
        settings = Settings.of(options)
        seeds = settings.seeds(len(clips))
        total = windows.slow_motion_windows(len(clips[0]), factor, window) * len(clips)
        with self._bar(settings, total) as tick:
            for level, by in enumerate(windows.levels(factor, window)):
                cuts = windows.segments(len(clips[0]), by, window)
                slowed = [np.repeat(clip, by, axis=0)[: (len(clip) - 1) * by + 1] for clip in clips]
                for span in sorted({last - first for first, last in cuts}):
                    places = [
                        (c, i, first * by)
                        for c in range(len(clips))
                        for i, (first, last) in enumerate(cuts)
                        if last - first == span
                    ]
                    parts = [slowed[c][at : at + span * by + 1] for c, _, at in places]
                    keys = [derived_seed(seeds[c], level, i) for c, i, _ in places]
                    made = self._complete(parts, range(0, span * by + 1, by), keys, settings, tick)
                    for (c, _, at), part in zip(places, made, strict=True):
                        slowed[c][at : at + span * by + 1] = part
                clips = slowed
        return answer(clips)

    def rollout(
        self,
        frames: Any,
        n: int,
        *,
        window: int | None = None,
        references: int | None = None,
        **options: Unpack[Options],
    ) -> Any:
        """``n`` frames after a clip, window by window (auto-regressive): (T, H, W, 3) -> (T + n, H, W, 3).

        Each window begins with the last frames so far. A longer roll-out begins with the shorter one.

        Args:
            frames: at least 1.
            n: any number.
            window: frames of a window; default: that which the model was trained on.
            references: frames kept from what there is; default: half a window, our choice.
            **options: see :class:`mardini.windows.Settings`. ``guidance``: default 2.5, ``skip_guidance``: 2, our
                choice.
        """
        clips, answer = as_batch(frames, 4)
        at_least_one("the number of frames to add", n)
        window = self.model.config.frames if window is None else window
        references = max(1, window // 2) if references is None else references
        kept = windows.rollout_windows(len(clips[0]), n, references, window)
        settings = Settings.of(options, **OPEN_FUTURE)
        seeds = settings.seeds(len(clips))
        length = len(clips[0]) + n
        with self._bar(settings, len(kept) * len(clips)) as tick:
            for number, keep in enumerate(kept):
                parts = [extended(clip[-keep:], window - keep) for clip in clips]
                keys = [derived_seed(seed, number) for seed in seeds]
                made = self._complete(parts, range(keep), keys, settings, tick)
                clips = [np.concatenate([clip, part[keep:]]) for clip, part in zip(clips, made, strict=True)]
        return answer([clip[:length] for clip in clips])

    def _expand(self, clips: list[np.ndarray], n: int, settings: Settings) -> list[np.ndarray]:
        at_least_one("the number of frames to add", n)
        given = range(len(clips[0]))
        return self._fill([extended(clip, n) for clip in clips], given, settings)

    def _fill(self, clips: list[np.ndarray], given: Sequence[int], settings: Settings) -> list[np.ndarray]:
        mask_from_given(len(clips[0]), given)  # mistakes are told before a bar is drawn
        with self._bar(settings, len(clips)) as tick:
            return self._complete(clips, given, settings.seeds(len(clips)), settings, tick)

    def _complete(
        self,
        clips: list[np.ndarray],
        given: Sequence[int],
        seeds: Sequence[int],
        settings: Settings,
        tick: Callable[[int], object],
    ) -> list[np.ndarray]:
        """Generate what is not given in each of ``clips``, one window each, a batch at a time."""
        mask = mask_from_given(len(clips[0]), given)
        build_scheduler(settings.scheduler, self._steps(settings))  # mistakes are told before any work
        size = settings.batch_size or (1 if self.device.type == "cpu" else 8)
        results: list[np.ndarray] = []
        while len(results) < len(clips):
            start = len(results)
            stop = start + 1
            while stop < min(start + size, len(clips)) and clips[stop].shape == clips[start].shape:
                stop += 1
            results += self._windows(clips[start:stop], mask, seeds[start:stop], settings, tick)
        return results

    @torch.no_grad()
    def _windows(
        self,
        clips: list[np.ndarray],
        mask: Tensor,
        seeds: Sequence[int],
        settings: Settings,
        tick: Callable[[int], object],
    ) -> list[np.ndarray]:
        """Windows of one shape, as a batch."""
        config = self.model.config
        size = (int(clips[0].shape[1]), int(clips[0].shape[2]))
        asked = config.resolution if settings.resolution is None else settings.resolution
        work = windows.working_size(size, None if asked == "native" else asked)
        given = [
            windows.padded(resize(clip[~mask.numpy()], work), FACTOR * config.low_ratio) for clip in clips
        ]
        z_given, z_low = self._encode(torch.stack([to_float(frames) for frames in given]), mask)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        shape = (int(mask.sum()), *z_given.shape[2:])
        noise = torch.stack([torch.randn(shape, generator=generator) for generator in generators])
        z = sample(
            self.model,
            z_given,
            z_low,
            mask.to(self.device),
            noise.to(self.device),
            self._steps(settings),
            settings.guidance,
            scheduler=settings.scheduler,
            generators=generators,
            denoise=self._denoise,
            tick=lambda: tick(len(clips)),
            skip_guidance=settings.skip_guidance,
        )
        hidden = mask.numpy()
        made = [self._frames(latents, work, size) for latents in z]
        known = [clip[~hidden] for clip in clips]
        if settings.detail:
            coded = [self._frames(latents, work, size) for latents in z_given]
            made = carry_details(made, known, coded, hidden, settings.detail)
        if settings.sharpness:
            pairs = zip(made, known, strict=True)
            made = [match_sharpness(frames, real, hidden, settings.sharpness) for frames, real in pairs]
        results = [clip.copy() for clip in clips]
        for result, frames in zip(results, made, strict=True):
            result[hidden] = frames
        return results

    def _encode(self, references: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Latents of given frames (B, R, 3, H, W), and of whole windows (B, K, c, h, w) at low resolution."""
        flat = references.flatten(0, 1).to(self.device)
        ratio = self.model.config.low_ratio
        low = nn.functional.interpolate(flat, [side // ratio for side in flat.shape[-2:]], mode="area")
        z_given, z = (
            in_slices(self.codec.encode, frames).unflatten(0, references.shape[:2]) for frames in (flat, low)
        )
        z_low = z.new_zeros(len(references), len(mask), *z.shape[2:])
        z_low[:, (~mask).to(z.device)] = z
        return z_given, z_low

    def _frames(self, latents: Tensor, work: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """Frames of latents (K', c, H, W), without padding, resized from ``work`` to ``size``: uint8."""
        return resize(to_uint8(self._decode(latents).cpu())[:, : work[0], : work[1]], size)

    def _decode(self, latents: Tensor) -> Tensor:
        """Frames of latents (K', c, H, W), a few at a time, and in tiles where they are large."""
        codec: Codec = self.codec
        if max(latents.shape[-2:]) > TILE:
            return in_slices(lambda part: decode_tiled(self.codec, part, TILE), latents, 1)
        return in_slices(codec.decode, latents)

    def _steps(self, settings: Settings) -> int:
        return self.model.config.steps if settings.steps is None else settings.steps

    def _bar(self, settings: Settings, count: int) -> Bar:
        steps = len(build_scheduler(settings.scheduler, self._steps(settings)).timesteps)
        return Bar(total=steps * count, hidden=not settings.progress)
