"""``from_pretrained``, ``save_pretrained`` and ``push_to_hub``, for the networks and for the whole pipeline.

huggingface_hub's mixin does the talking; what is written and read is a checkpoint folder of
``mardini/checkpoint.py`` with a generated model card.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from huggingface_hub import ModelCard, ModelHubMixin, snapshot_download

from mardini.errors import UserError
from mardini.files import atomic
from mardini.shipped import SHIPPED, by_name

if TYPE_CHECKING:
    from torch import nn

    from mardini.model import MarDini

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
FILES = ("model.safetensors", "config.json", "codec/*", "README.md")
"""What of a Hub repository is downloaded."""


class Pretrained(ModelHubMixin):
    """Base of the classes that live in checkpoint folders, here and on the Hub."""

    @classmethod
    def from_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]  # takes None too
        cls,
        pretrained_model_name_or_path: str | Path | None = None,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        **options: Any,
    ) -> Self:
        """From a checkpoint; its tensors must fit exactly.

        Args:
            pretrained_model_name_or_path: ``None`` for the checkpoint that comes with the package, a folder, or a
                Hub id ``owner/name``.
            force_download, token, cache_dir, local_files_only, revision: as everywhere in huggingface_hub.
            **options: of the class; of the pipeline ``device``, ``dtype``, ``compile``, and ``codec``, the name of a
                codec to use in place of the checkpoint's.

        Raises:
            UserError: nothing there, no network, or a checkpoint that is damaged or does not fit.
        """
        from mardini import checkpoint

        folder = resolve(
            pretrained_model_name_or_path,
            force_download=force_download,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            revision=revision,
        )
        return cls._from_parts(*checkpoint.load(folder), **options)

    @classmethod
    def _from_parts(cls, model: MarDini, codec: nn.Module, /, **options: Any) -> Self:
        raise NotImplementedError

    def _parts(self) -> tuple[MarDini, nn.Module]:
        """Networks and codec, as they are to be saved."""
        raise NotImplementedError

    def save_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]  # the configuration is the model's
        self,
        save_directory: str | Path,
        *,
        repo_id: str | None = None,
        push_to_hub: bool = False,
        model_card_kwargs: Mapping[str, Any] | None = None,
        **push: Any,
    ) -> str | None:
        """Write a checkpoint folder: weights, configuration, and a model card unless there is one already.

        Unlike the mixin's own, nothing that is there is removed before what replaces it is whole.

        Args:
            save_directory: made if it does not exist.
            repo_id: on the Hub; default: the folder's name.
            push_to_hub: push it, too.
            model_card_kwargs: of :meth:`generate_model_card`.
            **push: of ``push_to_hub``.

        Returns:
            The address of the commit on the Hub, or ``None``.
        """
        folder = Path(save_directory)
        self._save_pretrained(folder)
        card = folder / "README.md"
        if not card.exists():
            with atomic(card) as temporary:
                temporary.write_text(
                    str(self.generate_model_card(**model_card_kwargs or {})), encoding="utf-8"
                )
        if push_to_hub:
            return self.push_to_hub(
                repo_id or folder.name, model_card_kwargs=dict(model_card_kwargs or {}), **push
            )
        return None

    def _save_pretrained(self, save_directory: Path) -> None:
        from mardini import checkpoint

        checkpoint.save(save_directory, *self._parts())

    def generate_model_card(
        self,
        *,
        records: Sequence[Mapping[str, Any]] = (),
        logs: Mapping[str, Path] | None = None,
        **_: Any,
    ) -> ModelCard:
        """The card of ``mardini/card.py``; ``model_card_kwargs`` of ``save_pretrained`` and ``push_to_hub`` come here.

        Args:
            records: of ``python -m eval.interpolation``, for the table of results.
            logs: training stage -> its ``log.jsonl``.
        """
        from mardini.card import model_card

        return ModelCard(model_card(*self._parts(), records=records, logs=logs or {}))


def resolve(name: str | Path | None, **download: Any) -> Path | None:
    """The local folder of a checkpoint: ``None`` stays (the first shipped), a Hub id is downloaded once."""
    return None if name is None else by_name(name) or fetch("checkpoint", name, FILES, **download)


def fetch(kind: str, name: str | Path, files: Sequence[str], **download: Any) -> Path:
    """A folder by its path, or ``files`` of a Hub repository by its id.

    Args:
        kind: what it is called in errors.
        name: a folder, or ``owner/name``.
        files: names or patterns to download.
        **download: options of ``huggingface_hub.snapshot_download``.

    Raises:
        UserError: ``name`` is neither a folder nor a repository that can be reached.
    """
    if Path(name).is_dir():
        return Path(name)
    if isinstance(name, Path) or not HUB_ID.fullmatch(name):
        ours = f"{', '.join(SHIPPED)}, " if kind == "checkpoint" else ""
        raise UserError(
            f"no {kind} at {name}: give {ours}a folder that holds one, or a Hub id such as owner/name"
        )
    try:
        return Path(snapshot_download(name, allow_patterns=list(files), **download))
    except (OSError, ValueError) as error:  # the Hub's own errors and those of the network are OSErrors
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"no {kind} at {name}: it is no folder here, and the Hub did not give it ({lines[0].rstrip('.')}); "
            "check the name and the network"
        ) from error
