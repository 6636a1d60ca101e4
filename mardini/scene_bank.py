"""Procedural clips drawn where the model learns: scenes as in ``synthetic.py``, their textures from a bank.

Two thirds of a clip's cost are its textures, most of the rest their warping, and a GPU that learns from hundreds of
clips a second would wait for both. Here textures are painted once, kept on the device and shared by all scenes, turned
and mirrored as each layer's seed says; workers draw scenes alone, some hundred a second and core, and the device warps
them.
A scene of given textures looks the same here and there (``tests/test_scene_bank.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mardini.data import Item, apart, clip_times, on, worker_options
from mardini.fused import fused
from mardini.light import Light
from mardini.motion import Motion
from mardini.synthetic import DENSITY, SUPERSAMPLE, Scene, make_scene, paint

LAYERS = 5  # of a scene at most, the background first
WAVES = 3  # of a layer at most
BANK = 1500
"""Painted layers of each sort, those with a shape and those without."""
SIDES = {"shaped": 1.0, "ground": 2.2}  # of a painted layer, in frame sides
FIRST = (
    8_000_000  # seed of the first scene whose layers fill the bank; held-out clips and benchmarks have others
)
_AT_ONCE = 2**23  # pixels that are warped at once


@dataclass(frozen=True)
class DrawnScene:
    """One scene at T times, as numbers. Lengths in frame sides, as in ``motion.py``.

    Arrays, not tensors: workers would hand on every small tensor as a file of its own, a millisecond a scene.

    Attributes:
        maps: (LAYERS, T, 3, 3) float32, homographies from frame to layer coordinates.
        waves: (LAYERS, T, WAVES, 5) float32: amplitude and frequency (x and y each), and phase.
        radius: (LAYERS,) float32, half the side of each texture; 0 where there is no layer.
        entry: (LAYERS,) int64, which painted layer of the bank, and ``turn`` (LAYERS,) int64, 0 to 7: how it lies.
        light: (T, 8) float32: gains (3), gamma, and the spot's strength, width and place (2).
    """

    maps: np.ndarray
    waves: np.ndarray
    radius: np.ndarray
    entry: np.ndarray
    turn: np.ndarray
    light: np.ndarray


def drawn(scene: Scene, times: np.ndarray, bank: int) -> DrawnScene:
    """``scene`` as numbers, its layers' textures drawn from ``bank`` painted ones by the layers' own seeds."""
    count = len(times)
    maps = np.tile(np.eye(3, dtype=np.float32), (LAYERS, count, 1, 1))
    waves, radius = np.zeros((LAYERS, count, WAVES, 5), np.float32), np.zeros(LAYERS, np.float32)
    entry, turn = np.zeros((2, LAYERS), np.int64)
    for place, layer in enumerate(scene.layers):
        maps[place] = np.linalg.inv(layer.motion.matrices(times))
        waves[place] = _waves(layer.motion, times)
        radius[place], entry[place], turn[place] = layer.radius, layer.seed % bank, layer.seed // bank % 8
    light = _light(scene.light, times).astype(np.float32)
    return DrawnScene(maps, waves, radius, entry, turn, light)


def _waves(motion: Motion, times: np.ndarray) -> np.ndarray:
    found = np.zeros((len(times), WAVES, 5))
    done = motion.progress(times)
    for place, wave in enumerate(motion.waves):
        found[:, place, :4] = (*wave.amplitude, *wave.frequency)
        found[:, place, 4] = wave.phase + wave.turn * done
    return found


def _light(light: Light, times: np.ndarray) -> np.ndarray:
    def between(ends: tuple) -> np.ndarray:
        first, last = (np.atleast_1d(np.array(end, float)) for end in ends)
        return (1 - times)[:, None] * first + times[:, None] * last

    ones = np.ones((len(times), 1))
    parts = (
        between(light.gains),
        between(light.gammas),
        light.spot * ones,
        light.width * ones,
        between(light.path),
    )
    return np.concatenate(parts, axis=1)


class Scenes(Dataset[Item]):
    """Scene number ``first + i`` at the times of ``SyntheticClips``, drawn but not rendered."""

    def __init__(self, count: int, frames: int, fps: float, first: int = 0, bank: int | None = None) -> None:
        apart(count, first)
        self.count, self.frames, self.fps, self.first = count, frames, fps, first
        self.bank = BANK if bank is None else bank

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Item:
        seed = self.first + index
        return Item(None, scene=drawn(make_scene(seed), clip_times(seed, self.frames, self.fps), self.bank))


class Painted(Dataset[np.ndarray]):
    """Painted layers of one sort, ``uint8`` (side, side, 4), colour times alpha and alpha."""

    def __init__(self, sort: str, count: int, resolution: int) -> None:
        self.sort, self.count, self.resolution = sort, count, resolution
        self.side = 8 * round(SIDES[sort] * resolution * DENSITY / 8)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:
        layers = make_scene(FIRST + index).layers
        layer = layers[0] if self.sort == "ground" else layers[1]
        return quantised(paint(layer, self.resolution), self.side)


def quantised(pixels: np.ndarray, side: int) -> np.ndarray:
    """A painted layer (n, n, 4) float32 as the bank keeps it: ``side`` texels to a side, ``uint8``."""
    method = cv2.INTER_AREA if len(pixels) > side else cv2.INTER_LINEAR
    resized = pixels if len(pixels) == side else cv2.resize(pixels, (side, side), interpolation=method)
    return np.clip(np.rint(resized * np.array([1, 1, 1, 255], np.float32)), 0, 255).astype(np.uint8)


class SceneBank:
    """Painted layers on a device, and the drawing of scenes with them.

    ``ground`` and ``shaped``: ``uint8`` (N, 4, side, side) each.
    """

    def __init__(self, ground: Tensor, shaped: Tensor, resolution: int) -> None:
        self.ground, self.shaped, self.resolution = ground, shaped, resolution

    @staticmethod
    def painted(
        resolution: int, device: torch.device | str, workers: int, count: int | None = None
    ) -> SceneBank:
        """Paint ``count`` layers of both sorts (default: ``BANK``), in ``workers`` processes."""
        count = BANK if count is None else count
        parts = []
        for sort in ("ground", "shaped"):
            loader = DataLoader(
                Painted(sort, count, resolution),
                batch_size=16,
                collate_fn=np.stack,
                **worker_options(workers),
            )
            parts.append(
                torch.cat([torch.from_numpy(batch) for batch in loader]).permute(0, 3, 1, 2).contiguous()
            )
        return SceneBank(parts[0].to(device), parts[1].to(device), resolution)

    @torch.no_grad()
    def render(self, scenes: Sequence[DrawnScene]) -> Tensor:
        """Frames of scenes of as many times each, float32 (B, T, 3, H, W) in [0, 1], in steps of 1/255."""
        pixels = len(scenes[0].light) * (SUPERSAMPLE * self.resolution) ** 2
        share = max(1, _AT_ONCE // pixels)
        return torch.cat([self._render(scenes[i : i + share]) for i in range(0, len(scenes), share)])

    def _render(self, scenes: Sequence[DrawnScene]) -> Tensor:
        device, size = self.ground.device, SUPERSAMPLE * self.resolution
        maps, waves, radius, light = (
            on(device, torch.from_numpy(np.stack([getattr(scene, name) for scene in scenes])))
            for name in ("maps", "waves", "radius", "light")
        )
        axis = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) / size - 0.5
        x, y = axis.expand(size, size), axis[:, None].expand(size, size)
        batch, times = light.shape[:2]
        canvas = torch.zeros(batch, times, 3, size, size, device=device)
        for place in range(LAYERS):
            own = [number for number, scene in enumerate(scenes) if scene.radius[place] > 0]
            if not own:
                continue
            index = on(device, torch.tensor(own))
            where = (
                _seen_at_once(x, y, maps[index, place], waves[index, place])
                / radius[index, place, None, None, None, None]
            )
            bank = self.shaped if place else self.ground
            texture = torch.stack(
                [_turned(bank[scenes[n].entry[place]], int(scenes[n].turn[place])) for n in own]
            )
            layer = F.grid_sample(
                texture.float(),
                where.flatten(1, 2),  # all times of a clip as one tall picture
                padding_mode="zeros" if place else "reflection",
                align_corners=False,
            ).unflatten(2, (times, size))
            colour, alpha = layer[:, :3].movedim(1, 2), layer[:, 3:].movedim(1, 2) / 255
            canvas[index] = canvas[index] * (1 - alpha) + colour
        frames = F.avg_pool2d(canvas.flatten(0, 1), SUPERSAMPLE).unflatten(0, (batch, times))
        return _lit(frames, light).round().clamp(0, 255) / 255


def _turned(texture: Tensor, turn: int) -> Tensor:
    """A texture (4, n, n) turned by quarters and mirrored: one of eight ways."""
    turned = torch.rot90(texture, turn % 4, (1, 2))
    return turned.flip(2) if turn >= 4 else turned


def _seen(x: Tensor, y: Tensor, maps: Tensor, waves: Tensor) -> Tensor:
    """Layer coordinates seen at frame coordinates (H, W): maps (B, T, 3, 3), waves (B, T, W, 5) -> (B, T, H, W, 2)."""
    rows = maps[..., None, None]
    u, v, w = (rows[:, :, i, 0] * x + rows[:, :, i, 1] * y + rows[:, :, i, 2] for i in range(3))
    u, v = u / w, v / w
    moved_u, moved_v = u, v
    for number in range(waves.shape[2]):
        push_u, push_v, f_u, f_v, phase = (part[..., None, None] for part in waves[:, :, number].unbind(-1))
        wave = torch.sin(2 * torch.pi * (f_u * u + f_v * v) + phase)
        moved_u, moved_v = moved_u + push_u * wave, moved_v + push_v * wave
    return torch.stack([moved_u, moved_v], dim=-1)


_seen_at_once = fused(_seen, when=lambda: True)


def _lit(frames: Tensor, light: Tensor) -> Tensor:
    """Frames (B, T, 3, H, W) in [0, 255] under light (B, T, 8), as ``mardini.light.lit``."""
    gains, gamma, spot, width, left, top = light[..., None, None].split([3, 1, 1, 1, 1, 1], dim=2)
    height, breadth = frames.shape[-2:]
    longer = max(height, breadth)
    rows = (torch.arange(height, device=frames.device) + 0.5 - height / 2)[:, None] / longer
    columns = (torch.arange(breadth, device=frames.device) + 0.5 - breadth / 2) / longer
    glow = torch.exp(-(((rows - top) / width) ** 2)) * torch.exp(-(((columns - left) / width) ** 2))
    return 255 * (frames.clamp(0, 255) / 255) ** gamma * gains * (1 + spot * glow)
