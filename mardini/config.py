"""Configurations as data: the paper's four models (Table 1) and three small ones.

A checkpoint carries its own configuration, so nothing here has to be repeated on a command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from mardini.errors import UserError, unknown

STEPS = 25
"""Diffusion steps of the paper's interpolation results (tables 2 and 4)."""

Attention = Literal["spatio-temporal", "temporal"]
Convolutions = Literal["depth-wise", "dense"]


@dataclass(frozen=True)
class PlannerConfig:
    """Planner ("MAR" in the paper): ``depth`` Llama-style blocks of width ``hidden`` on low-resolution latents."""

    depth: int
    hidden: int
    mlp: int
    heads: int


@dataclass(frozen=True)
class GeneratorConfig:
    """Generator ("DM" in the paper): ``depth`` DiT-style blocks of width ``hidden`` on high-resolution latents.

    ``attention`` is the kind of the layers that mix frames: ``spatio-temporal`` in the /ST models, ``temporal``
    (same position, all frames) in the /T models. ``identity=False`` lets reference tokens attend to everything;
    it exists for the ablation of Figure 6c only.
    """

    depth: int
    hidden: int
    mlp: int
    heads: int
    attention: Attention = "spatio-temporal"
    identity: bool = True


@dataclass(frozen=True)
class CodecConfig:
    """Convolutional latent codec: 8x per side, ``channels`` latent channels, frame by frame.

    ``encoder`` and ``decoder`` are the widths of its residual trunks, ``encoder_blocks`` and ``decoder_blocks`` their
    depths. Blocks convolve each channel by itself, then mix them (depth-wise), or both at once (dense): twice the
    weights a block and three times as many operations a second, on processors with matrix units.
    """

    channels: int = 16
    encoder: int = 128
    encoder_blocks: int = 4
    decoder: int = 192
    decoder_blocks: int = 5
    convolutions: Convolutions = "depth-wise"

    def __post_init__(self) -> None:
        if self.convolutions not in get_args(Convolutions):
            raise unknown("kind of convolutions", self.convolutions, get_args(Convolutions))


@dataclass(frozen=True)
class MarDiniConfig:
    """A whole model.

    Attributes:
        name: preset name, or the name of a model derived from one.
        low_ratio: side of a frame in the generator over its side in the planner. The paper does not give the
            ratio; 4 (512 px to 128 px) is our choice.
        frames: K, frames of a window, given ones included.
        resolution: side in pixels the model was made for.
        fps: frames per second it was trained at.
        steps: diffusion steps where none are asked for; default 25, as in the paper. Stored where it is another number.
    """

    name: str
    planner: PlannerConfig
    generator: GeneratorConfig
    codec: CodecConfig = field(default_factory=CodecConfig)
    low_ratio: int = 4
    frames: int = 9
    resolution: int = 256
    fps: float = 8.0
    steps: int = STEPS

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or self.steps < 1:
            raise UserError(
                f"steps of a configuration are {self.steps!r}: give at least 1, or leave them out"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionary, as stored beside the weights."""
        stored = dataclasses.asdict(self)
        if self.steps == STEPS:
            del stored["steps"]
        return stored

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> MarDiniConfig:
        """Inverse of :meth:`to_dict`; an unknown or missing field is a ``UserError``, never ignored."""
        try:
            parts = {
                "planner": PlannerConfig(**data["planner"]),
                "generator": GeneratorConfig(**data["generator"]),
                "codec": CodecConfig(**data["codec"]),
            }
            return MarDiniConfig(**{**data, **parts})
        except (TypeError, KeyError) as error:
            raise UserError(
                f"not a MarDini configuration ({error}): use the config.json saved with the checkpoint"
            ) from error


_SMALL = PlannerConfig(depth=8, hidden=4096, mlp=4096, heads=32)
_LARGE = PlannerConfig(depth=16, hidden=4096, mlp=8192, heads=32)
_ST = GeneratorConfig(depth=8, hidden=1024, mlp=4096, heads=16, attention="spatio-temporal")
_T = dataclasses.replace(_ST, attention="temporal")

PRESETS: dict[str, MarDiniConfig] = {
    "S/ST": MarDiniConfig("S/ST", _SMALL, _ST, frames=9, resolution=512),
    "L/ST": MarDiniConfig("L/ST", _LARGE, _ST, frames=9, resolution=512),
    "S/T": MarDiniConfig("S/T", _SMALL, _T, frames=17, resolution=512),
    "L/T": MarDiniConfig("L/T", _LARGE, _T, frames=17, resolution=512),
    # Ships with the package: small enough for git and for two CPU cores. Latents of a 64 px frame are 8 x 8, so
    # a ratio of 4 would leave the planner 2 x 2 tokens; 2 keeps it 4 x 4.
    "nano": MarDiniConfig(
        "nano",
        PlannerConfig(depth=4, hidden=192, mlp=512, heads=6),
        GeneratorConfig(depth=5, hidden=96, mlp=384, heads=3),
        low_ratio=2,
        resolution=64,
        fps=24.0,
    ),
    # For one GPU and little time. The codec is larger than nano's, which may be used in its place (--init).
    "mini": MarDiniConfig(
        "mini",
        PlannerConfig(depth=6, hidden=384, mlp=1024, heads=6),
        GeneratorConfig(depth=8, hidden=192, mlp=768, heads=3),
        CodecConfig(encoder=192, encoder_blocks=3, decoder=256, decoder_blocks=4, convolutions="dense"),
        low_ratio=2,
        resolution=128,
        fps=24.0,
        steps=6,
    ),
    # For tests.
    "tiny": MarDiniConfig(
        "tiny",
        PlannerConfig(depth=2, hidden=64, mlp=128, heads=2),
        GeneratorConfig(depth=2, hidden=32, mlp=64, heads=2),
        CodecConfig(encoder=32, encoder_blocks=1, decoder=32, decoder_blocks=1),
        low_ratio=2,
        frames=5,
        resolution=32,
        fps=24.0,
    ),
}


def preset(name: str) -> MarDiniConfig:
    """Configuration of a named preset; an unknown name is a ``UserError`` with the nearest one suggested."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def register(config: MarDiniConfig) -> None:
    """Make a configuration of one's own a preset of this process, so that it can be trained by its name.

    Raises:
        UserError: another configuration has that name.
    """
    if PRESETS.setdefault(config.name, config) != config:
        raise UserError(f"there is another preset named '{config.name}': give yours a name of its own")
