"""What both implementations are given: seeded clips, noise, and seeded weights in the published files' names."""

from __future__ import annotations

import functools
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mardini.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import nn

CLIPS = 12
SIZE = (80, 104)  # height, width: not square, so that crops and stretches differ
FRAMES = 9
PROCEDURAL = f"{CLIPS} procedural clips of {FRAMES} frames, {SIZE[1]}x{SIZE[0]}, blurred in time"
NOISE = "uniform noise"

real_frames: list[Path] = []
"""Folder of DAVIS to take clips from in place of procedural ones; empty: procedural."""


@functools.cache
def clips() -> tuple[np.ndarray, np.ndarray]:
    """Predictions and references, ``uint8`` (12, 9, 80, 104, 3): frames mixed with the next ones, and noise."""
    reference = np.stack([_clip(seed) for seed in range(CLIPS)])
    mixed = 0.5 * reference + 0.5 * np.concatenate([reference[:, 1:], reference[:, -1:]], axis=1)
    noise = np.random.default_rng(0).normal(0, 6, reference.shape)
    prediction = np.clip(np.rint(mixed + noise), 0, 255).astype(np.uint8)
    prediction[:, [0, -1]] = reference[:, [0, -1]]
    return prediction, reference


def _clip(seed: int) -> np.ndarray:
    if not real_frames:
        from mardini.synthetic import make_clip

        return make_clip(seed, FRAMES, SIZE)
    from mardini.video import read_frames, resize

    folders = sorted(
        folder for folder in (real_frames[0] / "JPEGImages" / "480p").glob("*") if folder.is_dir()
    )
    if not folders:
        raise UserError(
            f"{real_frames[0]} holds no JPEGImages/480p: point MARDINI_SHARED at a folder with davis"
        )
    start = FRAMES * (seed // len(folders))
    return resize(read_frames(folders[seed % len(folders)])[start : start + FRAMES], SIZE)


@functools.cache
def noise_frames() -> tuple[np.ndarray, np.ndarray]:
    """Two stacks of unrelated noise, ``uint8`` (2, 48, 40, 3)."""
    first, second = np.random.default_rng(1).integers(0, 256, (2, 2, 48, 40, 3), dtype=np.uint8)
    return first, second


def generated_frames() -> tuple[np.ndarray, np.ndarray]:
    """All generated frames of ``clips`` and the true ones, (84, 80, 104, 3)."""
    prediction, reference = (x[:, 1:-1].reshape(-1, *SIZE, 3) for x in clips())
    return prediction, reference


def image_frames() -> tuple[np.ndarray, np.ndarray]:
    """Generated frames of the first four clips and the true ones, (28, 80, 104, 3)."""
    prediction, reference = (frames[:28] for frames in generated_frames())
    return prediction, reference


def jolt(network: nn.Module, seed: int = 0) -> nn.Module:
    """Seeded random weights in which no batch norm is the identity, in evaluation mode."""
    import torch

    from eval.networks.initialize import randomize

    randomize(network, seed)
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if name.endswith(("bn.weight", "bn.running_var")):
            value.uniform_(0.7, 1.4, generator=generator)
        elif name.endswith(("bn.bias", "bn.running_mean")):
            value.uniform_(-0.2, 0.2, generator=generator)
    return network.eval().requires_grad_(False)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Lives as long as the process."""
    return tempfile.TemporaryDirectory(prefix="calibration-")


@functools.cache
def weight_file(name: str) -> Path:
    """A seeded file in the layout of a published one: ``inception``, ``i3d`` or a backbone of torchvision's."""
    import torch

    from eval.networks.i3d import I3D
    from eval.networks.inception import Inception

    path = Path(_folder().name) / f"{name}.pth"
    if name in ("inception", "i3d"):
        state = jolt(Inception() if name == "inception" else I3D()).state_dict()
    else:
        import torchvision

        from eval.networks.initialize import randomize

        builders = {"vgg16": "vgg16", "alexnet": "alexnet", "squeezenet": "squeezenet1_1"}
        features = getattr(torchvision.models, builders[name])(weights=None).features
        randomize(features)
        state = {f"features.{key}": value for key, value in features.state_dict().items()}
    torch.save(state, path)
    return path


def weights(name: str) -> dict[str, torch.Tensor]:
    """The tensors of ``weight_file``."""
    import torch

    return torch.load(weight_file(name), map_location="cpu", weights_only=True)


@functools.cache
def frame_folders() -> tuple[Path, Path]:
    """``image_frames`` as PNG files in two folders, for tools that read files."""
    from PIL import Image

    found = []
    for name, frames in zip(("prediction", "reference"), image_frames(), strict=True):
        folder = Path(_folder().name) / name
        folder.mkdir()
        for number, frame in enumerate(frames):
            Image.fromarray(frame).save(folder / f"{number:04d}.png")
        found.append(folder)
    return found[0], found[1]


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars and warnings of other packages."""
    import contextlib

    with Path(os.devnull).open("w") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield
