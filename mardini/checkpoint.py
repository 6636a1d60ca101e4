"""Checkpoints that others can read: one safetensors file with a config.json beside it, loaded strictly.

python -m mardini.checkpoint runs/nano/joint-task/checkpoint nano --half      copy, in half precision on disk
python -m mardini.checkpoint runs/mini/codec/checkpoint codec --codec-only    its codec alone

A codec of diffusers is kept in diffusers' own format, in the folder ``codec`` beside them. A codec alone is for models
to be trained on it (``--init``), and for those that were (``--codec``).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mardini.codecs import DiffusersCodec, load_codec
from mardini.config import CodecConfig, MarDiniConfig
from mardini.errors import UserError, command
from mardini.files import atomic, write_json
from mardini.model import MarDini
from mardini.shipped import shipped
from mardini.vae import LatentCodec

WEIGHTS, CONFIG, CODEC = "model.safetensors", "config.json", "codec"

Network = TypeVar("Network", bound=nn.Module)


def save(folder: Path, model: MarDini, codec: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """Write planner, generator and codec to ``folder``/model.safetensors and their configuration to config.json.

    ``dtype`` is the precision on disk; weights are loaded as float32 whatever it was.
    """
    folder = Path(folder)
    own = isinstance(codec, LatentCodec)
    if not own:
        if not isinstance(codec, DiffusersCodec):
            raise UserError(
                f"a {type(codec).__name__} cannot be saved: use a codec of mardini.codecs.load_codec"
            )
        codec.vae.save_pretrained(folder / CODEC)
    elif (folder / CODEC).is_dir():
        raise UserError(f"{folder} holds a checkpoint with another codec: choose another folder")
    _write(folder / WEIGHTS, _named(model, codec if own else None), dtype)
    # the codec may be another than the one that the model came with
    config = dataclasses.replace(model.config, codec=codec.config) if own else model.config
    write_json(folder / CONFIG, config.to_dict())


def save_codec(folder: Path, codec: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """Write a codec of ours alone, its configuration under ``codec`` in config.json."""
    if not isinstance(codec, LatentCodec):
        raise UserError(
            "only a codec of MarDini's own kind is kept alone: one of diffusers is complete as it is"
        )
    _write(Path(folder) / WEIGHTS, _named(None, codec), dtype)
    write_json(Path(folder) / CONFIG, {"codec": dataclasses.asdict(codec.config)})


def holds_codec_alone(folder: Path) -> bool:
    """Whether this is a folder that :func:`save_codec` wrote."""
    try:
        return json.loads((folder / CONFIG).read_text(encoding="utf-8")).keys() == {"codec"}
    except (OSError, ValueError, AttributeError):  # whoever loads it says what is wrong
        return False


def load_codec_alone(folder: Path) -> LatentCodec:
    """The codec that :func:`save_codec` wrote, float32, in evaluation mode. Raises ``UserError`` as :func:`load`."""
    config, tensors = _read(folder)
    try:
        sizes = CodecConfig(**config["codec"])
    except (TypeError, KeyError) as error:
        raise UserError(f"{folder / CONFIG} describes no codec ({error}): copy it again") from error
    with torch.device("meta"):
        codec = LatentCodec(sizes)
    _check(folder, _named(None, codec), tensors)
    return _filled(codec, tensors, "codec.")


def load(folder: Path | None = None) -> tuple[MarDini, Any]:
    """Model and codec of a checkpoint folder (``None``: the first of those shipped), float32, in evaluation mode.

    The codec is a ``LatentCodec``, or a ``DiffusersCodec`` where the folder holds one.

    Raises ``UserError`` if a file is missing or unreadable, or if any tensor is missing, surplus or misshapen.
    """
    folder = shipped() if folder is None else Path(folder)
    if holds_codec_alone(folder):
        raise UserError(
            f"{folder} holds a codec and no model: give a model's checkpoint, and this one as its --codec, or as "
            "--init to train a model on it"
        )
    data, tensors = _read(folder)
    config = MarDiniConfig.from_dict(data)
    foreign = load_codec(folder / CODEC, config.codec.channels) if (folder / CODEC).is_dir() else None
    with torch.device("meta"):
        model, own = MarDini(config), LatentCodec(config.codec)
    _check(folder, _named(model, own if foreign is None else None), tensors)
    model = _filled(model, tensors, "model.")
    return model, _filled(own, tensors, "codec.") if foreign is None else foreign


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What both files of a checkpoint hold."""
    for name in (WEIGHTS, CONFIG):
        if not (folder / name).is_file():
            raise UserError(
                f"no {name} in {folder}: give the folder of a MarDini checkpoint ({WEIGHTS} and {CONFIG})"
            )
    try:
        return json.loads((folder / CONFIG).read_text(encoding="utf-8")), load_file(folder / WEIGHTS)
    except (json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
        raise UserError(f"{folder} does not hold a readable checkpoint ({error}): copy it again") from error


def _check(folder: Path, expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are missing, surplus or misshapen."""
    wrong = sorted(expected.keys() ^ tensors.keys())
    wrong += [
        name for name in expected.keys() & tensors.keys() if expected[name].shape != tensors[name].shape
    ]
    if wrong:
        raise UserError(
            f"{folder / WEIGHTS} does not fit its {CONFIG} ({len(wrong)} tensors, e.g. {wrong[0]}): copy both again"
        )


def _filled(module: Network, tensors: Mapping[str, Tensor], prefix: str) -> Network:
    """``module`` with the tensors under ``prefix``."""
    part = {n.removeprefix(prefix): t.float() for n, t in tensors.items() if n.startswith(prefix)}
    module.load_state_dict(part, strict=True, assign=True)
    return module.eval().requires_grad_(False)


def _write(path: Path, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    with atomic(path) as temporary:
        save_file({name: t.detach().to("cpu", dtype).contiguous() for name, t in tensors.items()}, temporary)


def _named(model: nn.Module | None, codec: nn.Module | None) -> dict[str, Tensor]:
    parts = [(prefix, part) for prefix, part in (("model.", model), ("codec.", codec)) if part is not None]
    return {prefix + name: tensor for prefix, module in parts for name, tensor in module.state_dict().items()}


@command
def main(argv: list[str] | None = None) -> int:
    """Copy a checkpoint, checked by loading it; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m mardini.checkpoint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, help="checkpoint folder")
    parser.add_argument("target", type=Path, help="folder to write")
    parser.add_argument(
        "--half", action="store_true", help="float16 on disk, half the size; loaded as float32"
    )
    parser.add_argument("--codec-only", action="store_true", help="the codec, without planner and generator")
    options = parser.parse_args(argv)
    dtype = torch.float16 if options.half else torch.float32
    if options.codec_only:
        save_codec(options.target, load_codec(options.source), dtype)
    else:
        save(options.target, *load(options.source), dtype=dtype)
    return 0


if __name__ == "__main__":
    sys.exit(main())
