"""Checkpoints that others can read: one safetensors file with a config.json beside it, loaded strictly.

python -m mardini.checkpoint runs/nano/joint-task/checkpoint nano --half      copy, in half precision on disk

A codec of diffusers is kept in diffusers' own format, in the folder ``codec`` beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mardini.codecs import DiffusersCodec, load_codec
from mardini.config import MarDiniConfig
from mardini.errors import UserError, command
from mardini.files import atomic, write_json
from mardini.model import MarDini
from mardini.shipped import shipped
from mardini.vae import LatentCodec

WEIGHTS, CONFIG, CODEC = "model.safetensors", "config.json", "codec"


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
    tensors = _named(model, codec if own else None)
    with atomic(folder / WEIGHTS) as temporary:
        save_file({name: t.detach().to("cpu", dtype).contiguous() for name, t in tensors.items()}, temporary)
    write_json(folder / CONFIG, model.config.to_dict())


def load(folder: Path | None = None) -> tuple[MarDini, Any]:
    """Model and codec of a checkpoint folder (``None``: the first of those shipped), float32, in evaluation mode.

    The codec is a ``LatentCodec``, or a ``DiffusersCodec`` where the folder holds one.

    Raises ``UserError`` if a file is missing or unreadable, or if any tensor is missing, surplus or misshapen.
    """
    folder = shipped() if folder is None else Path(folder)
    for name in (WEIGHTS, CONFIG):
        if not (folder / name).is_file():
            raise UserError(
                f"no {name} in {folder}: give the folder of a MarDini checkpoint ({WEIGHTS} and {CONFIG})"
            )
    try:
        config = MarDiniConfig.from_dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
        tensors = load_file(folder / WEIGHTS)
    except (json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
        raise UserError(f"{folder} does not hold a readable checkpoint ({error}): copy it again") from error
    foreign = load_codec(folder / CODEC, config.codec.channels) if (folder / CODEC).is_dir() else None
    with torch.device("meta"):
        model, own = MarDini(config), LatentCodec(config.codec)
    expected = _named(model, own if foreign is None else None)
    wrong = sorted(expected.keys() ^ tensors.keys())
    wrong += [
        name for name in expected.keys() & tensors.keys() if expected[name].shape != tensors[name].shape
    ]
    if wrong:
        raise UserError(
            f"{folder / WEIGHTS} does not fit its {CONFIG} ({len(wrong)} tensors, e.g. {wrong[0]}): copy both again"
        )
    for prefix, module in (("model.", model), ("codec.", own)):
        part = {n.removeprefix(prefix): t.float() for n, t in tensors.items() if n.startswith(prefix)}
        if module is own and foreign is not None:
            continue
        module.load_state_dict(part, strict=True, assign=True)
        module.eval().requires_grad_(False)
    return model, own if foreign is None else foreign


def _named(model: nn.Module, codec: nn.Module | None) -> dict[str, Tensor]:
    parts = [("model.", model)] if codec is None else [("model.", model), ("codec.", codec)]
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
    options = parser.parse_args(argv)
    save(options.target, *load(options.source), dtype=torch.float16 if options.half else torch.float32)
    return 0


if __name__ == "__main__":
    sys.exit(main())
