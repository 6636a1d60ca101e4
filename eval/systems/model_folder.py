"""Where a diffusers model lies, what identifies it, and loading it: a folder, or a revision on the Hugging Face Hub."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.systems.rivals import Hub, missing_packages
from eval.weights import offline
from mardini.errors import UserError
from mardini.files import sha256, sha256_of
from mardini.hub import HUB_ID, fetch

REVISION = re.compile(r"[0-9a-f]{40}")
SUFFIXES = (".safetensors", ".json", ".model", ".txt")  # of the files that make a model
MIB = 1 << 20


@dataclass(frozen=True)
class Model:
    """A model that can be loaded.

    Attributes:
        where: its folder, or its id on the Hub.
        revision: commit on the Hub, 40 hex digits; ``None`` for a folder.
        size: in gigabytes, where it is known.
        identity: for the record: what tells it from any other.
        tag: for the name of the results' folder; empty for the usual model.
    """

    where: str
    revision: str | None
    size: float | None
    identity: Mapping[str, str]
    tag: str


def locate(system: str, where: str | None, usual: Hub) -> Model:
    """The model that a user means, without loading or downloading it.

    Args:
        system: its name, for errors.
        where: a folder, ``owner/name`` or ``owner/name@revision`` (a commit, tag or branch); ``None``: ``usual``.
        usual: the system's own model.

    Raises:
        UserError: no such place, a folder that holds no diffusers model, or a revision that cannot be resolved.
    """
    if where is None:
        identity = {"hub": usual.repository, "revision": usual.revision}
        return Model(usual.repository, usual.revision, usual.gigabytes, identity, "")
    folder = Path(where).expanduser()
    if folder.is_dir():
        if not (folder / "model_index.json").is_file():
            raise UserError(
                f"{folder} holds no model_index.json: give system '{system}' the folder of a diffusers model, as in "
                f"--systems {system}=DIR"
            )
        name, digest = folder.resolve().name, fingerprint(folder)
        return Model(str(folder), None, None, {"folder": name, "fingerprint": digest}, _tag(name, digest))
    repository, _, asked = where.partition("@")
    if not HUB_ID.fullmatch(repository) or where.startswith((".", "/", "~")):
        raise UserError(
            f"system '{system}' finds no model at {where}: give a folder that exists, or a Hub id such as "
            f"{usual.repository}"
        )
    revision = asked if REVISION.fullmatch(asked) else commit(system, repository, asked or "main")
    identity = {"hub": repository, "revision": revision}
    return Model(repository, revision, None, identity, _tag(repository.split("/")[1], revision))


def _tag(name: str, digest: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9._]+', '_', name)}-{digest[:8]}"


def commit(system: str, repository: str, name: str) -> str:
    """Commit of a branch or tag on the Hub; without a network, as it was when last downloaded."""
    try:
        return fetch(
            "model", repository, ("model_index.json",), revision=name, local_files_only=offline()
        ).name
    except UserError as error:
        raise UserError(f"system '{system}': {error}") from error


def fingerprint(folder: Path) -> str:
    """SHA-256 over a model's files: small ones whole, of larger ones the size and the first 4 KiB of every MiB.

    So tens of gigabytes are told apart in seconds, and no change of a whole tensor of a MiB or more is missed.
    """
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in SUFFIXES and file.is_file()]
    return sha256_of(f"{file.relative_to(folder).as_posix()}:{_digest(file)}" for file in files)


def _digest(file: Path) -> str:
    size = file.stat().st_size
    if size <= MIB:
        return sha256(file)
    pieces: list[str | bytes] = [str(size)]
    with file.open("rb") as opened:
        for start in range(0, size, MIB):
            opened.seek(start)
            pieces.append(opened.read(4096))
    return sha256_of(pieces)


def download(system: str, model: Model, pipeline: str, variant: str | None) -> Path:
    """The model's folder; of the Hub's, what is missing is downloaded first.

    Raises:
        UserError: it is not here and cannot be downloaded; the sentence says how large it is and where it comes from.
    """
    if model.revision is None:
        return Path(model.where)
    import diffusers

    try:
        with quiet():
            folder = getattr(diffusers, pipeline).download(
                model.where,
                revision=model.revision,
                variant=variant,
                use_safetensors=True,
                local_files_only=offline(),
            )
    except Exception as error:  # of the Hub, the network, the disk: whatever it is, the model is not here
        size = "" if model.size is None else f", {model.size:g} GB"
        reason = "MARDINI_OFFLINE forbids downloads" if offline() else _first_line(_root(error))
        raise UserError(
            f"the model of system '{system}' is missing ({reason}): get {model.where} at revision "
            f"{model.revision} (https://huggingface.co/{model.where}{size}) by 'hf download' where there is a network, "
            f"and name its folder by --systems {system}=DIR"
        ) from error
    return Path(folder)


def load(
    system: str, folder: Path, pipeline: str, precision: Mapping[str, str], variant: str | None, device: str
) -> Any:
    """A pipeline of diffusers, from safetensors alone; on a GPU its parts are moved there as they are used.

    Args:
        system: its name, for errors.
        folder: of the model.
        pipeline: class of diffusers.
        precision: part -> type, ``default`` for all others.
        variant: which of several copies of the weights to load, if the folder holds it.
        device: ``cpu``, ``cuda`` ...

    Raises:
        UserError: the folder does not fit the class, or lacks files.
    """
    import diffusers
    import torch

    held = variant is not None and any(folder.rglob(f"*.{variant}.safetensors"))
    try:
        with quiet():
            loaded = getattr(diffusers, pipeline).from_pretrained(
                str(folder),
                variant=variant if held else None,
                use_safetensors=True,
                torch_dtype={part: getattr(torch, name) for part, name in precision.items()},
            )
    except (OSError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise UserError(
            f"the model in {folder} cannot be loaded as {pipeline} ({_first_line(error)}): give system '{system}' the "
            "folder of a whole model of that kind, or no folder for the usual one"
        ) from error
    loaded.set_progress_bar_config(disable=True)
    if device != "cpu" and not missing_packages(("accelerate",)):
        loaded.enable_model_cpu_offload(device=device)
        return loaded
    return loaded.to(device)


def _root(error: BaseException) -> BaseException:
    """What a chain of failed attempts began with."""
    while before := error.__cause__ or error.__context__:
        error = before
    return error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of diffusers and transformers: what is wrong is said in one error."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    levels = of_diffusers.get_verbosity(), of_transformers.get_verbosity()
    of_diffusers.set_verbosity_error()
    of_transformers.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # of new names for arguments whose old ones still work
            yield
    finally:
        of_diffusers.set_verbosity(levels[0])
        of_transformers.set_verbosity(levels[1])
