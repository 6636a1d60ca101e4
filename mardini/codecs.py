"""Codecs by name, and decoding of clips too large to decode at once.

A codec turns frames (B, 3, H, W) in [0, 1] into latents (B, 16, H / 8, W / 8) of about unit variance, and back. The
shipped one is ``mardini/vae.py``; the auto-encoders of SD3, FLUX, TAESD3 and their like come from diffusers.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mardini.errors import UserError
from mardini.hub import fetch
from mardini.vae import FACTOR, LatentCodec

FILES = tuple(
    place + name for place in ("", "vae/") for name in ("config.json", "diffusion_pytorch_model.safetensors")
)
"""What of a Hub repository is downloaded."""

CLASSES = ("AutoencoderKL", "AutoencoderTiny")
"""Of diffusers: the image auto-encoders that have variants of 16 channels at 1/8 resolution."""

SAME_LATENTS = 0.001
"""Mean square of a difference of latents, as a share of theirs, that is passed over."""


class Codec(Protocol):
    """What the pipeline needs of a codec; an ``nn.Module`` besides."""

    def encode(self, frames: Tensor) -> Tensor: ...

    def decode(self, latents: Tensor) -> Tensor: ...


class DiffusersCodec(nn.Module):
    """An AutoencoderKL or AutoencoderTiny of diffusers behind the interface of :class:`mardini.vae.LatentCodec`.

    Normalised latents are (z - shift_factor) * scaling_factor, by the auto-encoder's own configuration; of the
    posterior its mode is taken, so that encoding is deterministic.
    """

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae
        self.scale = float(vae.config.scaling_factor or 1.0)
        self.shift = float(getattr(vae.config, "shift_factor", None) or 0.0)

    def encode(self, frames: Tensor) -> Tensor:
        """Frames in [0, 1] to normalised latents."""
        coded = self.vae.encode(frames * 2 - 1)
        raw = coded.latents if hasattr(coded, "latents") else coded.latent_dist.mode()
        return (raw - self.shift) * self.scale

    def decode(self, latents: Tensor) -> Tensor:
        """Normalised latents to frames; values may leave [0, 1] a little."""
        return (self.vae.decode(latents / self.scale + self.shift).sample + 1) / 2


def load_codec(spec: str | Path | None = None, channels: int = 16) -> LatentCodec | DiffusersCodec:
    """A codec, in evaluation mode, float32.

    Args:
        spec: ``None`` for the one in the shipped checkpoint; a folder: of a MarDini checkpoint (its codec) or of a
            MarDini codec alone, of a diffusers auto-encoder, or of a diffusers pipeline with one in its ``vae``; or
            the Hub id of either of the latter, such as ``madebyollin/taesd3`` or
            ``stabilityai/stable-diffusion-3-medium-diffusers``.
        channels: of the latents that the model was made for.

    Raises:
        UserError: nothing there, no network, diffusers missing, another kind of auto-encoder, tensors that do not
            fit, or one with other than ``channels`` channels at 1/8 resolution.
    """
    from mardini.checkpoint import CONFIG, holds_codec_alone, load, load_codec_alone
    from mardini.shipped import shipped

    spec = shipped() if spec is None else spec
    config = Path(spec) / CONFIG
    if config.is_file() and "planner" in _read_json(config):
        codec = load(Path(spec))[1]
    elif holds_codec_alone(Path(spec)):
        codec = load_codec_alone(Path(spec))
    else:
        codec = DiffusersCodec(_diffusers_autoencoder(spec))
    codec.eval().requires_grad_(False)
    with torch.no_grad():
        got = tuple(codec.encode(torch.zeros(1, 3, 8 * FACTOR, 8 * FACTOR)).shape[1:])
    if got != (channels, 8, 8):
        raise UserError(
            f"codec {spec} makes {got[0]} channels at 1/{8 * FACTOR // got[1]} resolution, but the model needs "
            f"{channels} at 1/{FACTOR}: choose one that fits, such as madebyollin/taesd3"
        )
    return codec


@torch.no_grad()
def warn_of_other_latents(own: Any, other: Any, name: str) -> None:
    """Warn if a codec called ``name`` makes other latents than ``own``, that of a model's checkpoint; both on the CPU.

    Codecs that differ in their decoders alone are the same here. The latents compared are those of one picture, of
    smooth colours with some detail; strangers' lie about 2 apart, as a share of their mean square.
    """
    draw = torch.Generator().manual_seed(0)
    colours, detail = (torch.rand(1, 3, side, side, generator=draw) for side in (4, 64))
    picture = 0.8 * F.interpolate(colours, (64, 64), mode="bicubic").clamp(0, 1) + 0.2 * detail
    expected, found = own.encode(picture), other.encode(picture)
    apart = float((expected - found).square().mean() / expected.square().mean())
    if apart > SAME_LATENTS:
        warnings.warn(
            f"codec {name} makes other latents than the codec in this model's checkpoint ({apart:.2g} apart, 2 being "
            "strangers): unless the model was trained on it, frames will be wrong, or noise",
            stacklevel=5,  # who asked for the pipeline
        )


def _diffusers_autoencoder(spec: str | Path) -> Any:
    """The auto-encoder in a folder, or in its ``vae``, or of the Hub; checked tensor by tensor."""
    root = fetch("codec", spec, FILES)
    if importlib.util.find_spec("diffusers") is None:
        raise UserError(
            f"codec {spec} needs diffusers, which is not installed: run 'pip install mardini[diffusers]'"
        )
    import diffusers

    folder = next((place for place in (root, root / "vae") if (place / "config.json").is_file()), None)
    if folder is None:
        raise UserError(f"no codec at {spec}: neither it nor its folder vae holds a config.json")
    kind = _read_json(folder / "config.json").get("_class_name")
    if kind not in CLASSES:
        raise UserError(f"{spec} holds a {kind}: give one of {', '.join(CLASSES)}")
    try:
        with _quiet():
            vae, report = getattr(diffusers, kind).from_pretrained(
                str(folder), output_loading_info=True, torch_dtype=torch.float32, low_cpu_mem_usage=False
            )
    except (OSError, ValueError, RuntimeError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
        raise UserError(f"the auto-encoder of {spec} cannot be loaded ({line}): fetch it again") from error
    wrong = [*report["missing_keys"], *report["unexpected_keys"], *report["mismatched_keys"]]
    if wrong:
        raise UserError(
            f"the weights of {spec} do not fit its configuration ({len(wrong)} tensors, e.g. {wrong[0]}): "
            "fetch both again"
        )
    return vae


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable ({error}): fetch it again") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without diffusers' warnings on stderr: what is wrong with the weights is said in one error."""
    from diffusers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


def in_slices(code: Callable[[Tensor], Tensor], batch: Tensor, frames: int = 8) -> Tensor:
    """``code`` over a batch (B, ...), ``frames`` at a time: the memory of a few frames whatever the clip's length."""
    return torch.cat([code(part) for part in batch.split(frames)])


def decode_tiled(codec: LatentCodec | DiffusersCodec, latents: Tensor, tile: int = 64) -> Tensor:
    """Decode large frames in tiles, with the memory of one.

    For the shipped codec, tiles are decoded with so much of their surroundings that the result equals untiled
    decoding to rounding (1e-5 in float32). Those of diffusers have normalisation over the whole frame, so they blend
    overlapping tiles in their own way, which is close but not equal.

    Args:
        codec: any of :func:`load_codec`.
        latents: (B, channels, h, w).
        tile: latents to a side of what a tile adds to the frame; for diffusers, of a whole tile.

    Returns:
        (B, 3, 8 h, 8 w).
    """
    if tile < 1:
        raise UserError(f"tiles of {tile} latents were asked for: choose at least 1, such as 64")
    if isinstance(codec, DiffusersCodec):
        return _decode_tiled_by_diffusers(codec, latents, tile)
    height, width = latents.shape[-2:]
    reach = reach_of(codec)
    frames = latents.new_empty(len(latents), 3, height * FACTOR, width * FACTOR)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            up, across = max(top - reach, 0), max(left - reach, 0)
            context = latents[..., up : min(bottom + reach, height), across : min(right + reach, width)]
            inside = codec.decode(context)[
                ...,
                (top - up) * FACTOR : (bottom - up) * FACTOR,
                (left - across) * FACTOR : (right - across) * FACTOR,
            ]
            frames[..., top * FACTOR : bottom * FACTOR, left * FACTOR : right * FACTOR] = inside
    return frames


def reach_of(codec: LatentCodec) -> int:
    """How far, in latents, a decoded pixel sees: half the side of every convolution's kernel."""
    layers = [layer for layer in codec.decoder.modules() if isinstance(layer, nn.Conv2d)]
    return sum(int(layer.kernel_size[0]) // 2 for layer in layers)


def _decode_tiled_by_diffusers(codec: DiffusersCodec, latents: Tensor, tile: int) -> Tensor:
    vae = codec.vae
    before = vae.use_tiling, vae.tile_latent_min_size, vae.tile_sample_min_size
    vae.tile_latent_min_size, vae.tile_sample_min_size = tile, tile * FACTOR
    vae.enable_tiling()
    try:
        return codec.decode(latents)
    finally:
        vae.use_tiling, vae.tile_latent_min_size, vae.tile_sample_min_size = before
