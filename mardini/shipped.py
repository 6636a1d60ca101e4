"""The checkpoints that come with the package, by name. Imports nothing heavy, so that commands can name them."""

from __future__ import annotations

from pathlib import Path

from mardini.errors import UserError
from mardini.files import sha256, sha256_of

SHIPPED = ("mini", "nano-128", "nano")
"""Names of all, the default first."""
CODECS = ("nano", "mini-codec")
"""Codecs that ship: of all the models above, and one by itself for models to be trained on."""
CHECKPOINTS = Path(__file__).parent / "checkpoints"


def shipped(name: str = SHIPPED[0]) -> Path:
    """Folder of a checkpoint that comes with the package. Raises ``UserError`` where it was left out."""
    folder = CHECKPOINTS / name
    if not folder.is_dir():
        raise UserError(
            f"this installation holds no checkpoint '{name}': name another with --checkpoint, or leave the system "
            "'mardini' out with --systems"
        )
    return folder


def by_name(checkpoint: str | Path) -> Path | None:
    """Folder of the shipped checkpoint that ``checkpoint`` names; ``None`` if it is no such name, or a folder here."""
    name = str(checkpoint)
    return shipped(name) if name in SHIPPED and not Path(name).exists() else None


def name_of(folder: Path) -> str | None:
    """Under which name a folder ships; ``None`` if it does not."""
    return next((name for name in SHIPPED if folder.resolve() == (CHECKPOINTS / name).resolve()), None)


def hash_of(checkpoint: Path) -> str:
    """SHA-256 over the model's files of a checkpoint folder (or of a single file)."""
    if checkpoint.is_file():
        return sha256(checkpoint)
    files = [file for file in sorted(checkpoint.rglob("*")) if file.suffix in (".safetensors", ".json")]
    return sha256_of(f"{file.relative_to(checkpoint).as_posix()}:{sha256(file)}" for file in files)
