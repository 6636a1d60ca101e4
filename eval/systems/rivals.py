"""Rival systems: what each can do, where its weights come from, and whether it could run here. Loads none of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eval.weight_files import WEIGHTS
from eval.weights import find_weights, offline
from mardini.errors import UserError

Takes = Literal["first", "ends", "inside", "any"]
"""Which frames a system can be given; see ``TAKES``."""

TAKES: dict[Takes, str] = {
    "first": "the first frame and no other",
    "ends": "the first and the last frame and no other",
    "inside": "the first and the last frame, and any between",
    "any": "any frames",
}


@dataclass(frozen=True)
class Hub:
    """A model on the Hugging Face Hub.

    Attributes:
        repository: ``owner/name``.
        revision: commit, 40 hex digits: with it the content of every file is fixed.
        gigabytes: to download.
        packages: importable names it cannot do without.
    """

    repository: str
    revision: str
    gigabytes: float
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Rival:
    """What can be said of a rival system without loading it.

    Attributes:
        name: as on the command line.
        line: what it is, in one line.
        takes: which frames it can be given.
        clips: length and size of what it generates, in words.
        licence: of its weights.
        source: its weights: a name in ``eval.weight_files.WEIGHTS``, or a model on the Hub.
    """

    name: str
    line: str
    takes: Takes
    clips: str
    licence: str
    source: str | Hub


@dataclass(frozen=True)
class Readiness:
    """Whether a system could run here.

    Attributes:
        state: ``ready`` (all is here), ``download`` (only weights are missing, and they may be fetched), ``missing``.
        sentence: what is here, or what is missing and how to get it.
    """

    state: Literal["ready", "download", "missing"]
    sentence: str


DIFFUSERS = ("diffusers", "transformers")

RIVALS: dict[str, Rival] = {
    rival.name: rival
    for rival in (
        Rival(
            "film-style",
            "FILM, its network trained with the style loss (Reda et al. 2022); 69 MB",
            "inside",
            "any length and size",
            WEIGHTS["film"].licence,
            "film",
        ),
        Rival(
            "rife-4.25",
            "RIFE 4.25 (Huang et al. 2022; Practical-RIFE); 23 MB",
            "inside",
            "any length and size",
            WEIGHTS["rife"].licence,
            "rife",
        ),
        Rival(
            "svd",
            "Stable Video Diffusion XT, image-to-video, through diffusers; 4.5 GB",
            "first",
            "25 frames of 1024x576 pixels",
            "Stability AI Community License",
            Hub(
                "stabilityai/stable-video-diffusion-img2vid-xt",
                "9e43909513c6714f1bc78bcb44d96e733cd242aa",
                4.5,
                DIFFUSERS,
            ),
        ),
        Rival(
            "wan-flf2v",
            "Wan 2.1 14B, first and last frame to video, through diffusers; 90 GB",
            "ends",
            "81 frames of 1280x720 pixels",
            "Apache-2.0",
            Hub(
                "Wan-AI/Wan2.1-FLF2V-14B-720P-diffusers",
                "17c30769b1e0b5dcaa1799b117bf20a9c31f59d7",
                90,
                (*DIFFUSERS, "ftfy"),
            ),
        ),
        Rival(
            "wan-vace",
            "Wan 2.1 VACE 1.3B, any frames given, through diffusers; 19 GB",
            "any",
            "81 frames of 832x480 pixels",
            "Apache-2.0",
            Hub(
                "Wan-AI/Wan2.1-VACE-1.3B-diffusers",
                "ec4d2cb062b548996b179d493fdd05340de702a1",
                19,
                (*DIFFUSERS, "ftfy"),
            ),
        ),
        Rival(
            "ltx",
            "LTX-Video 0.9.5 (2B), any frames given, through diffusers; about 26 GB",
            "any",
            "121 frames of 704x512 pixels",
            "LTX-Video Open RAIL-M",
            Hub(
                "Lightricks/LTX-Video-0.9.5",
                "e58e28c39631af4d1468ee57a853764e11c1d37e",
                26,
                (*DIFFUSERS, "sentencepiece"),
            ),
        ),
    )
}


def fits(takes: Takes, given: Collection[int], frames: int) -> bool:
    """Whether a system that ``takes`` such frames can complete clips of ``frames`` with those at ``given``."""
    places, ends = set(given), {0, frames - 1}
    return {
        "first": places == {0},
        "ends": places == ends,
        "inside": places >= ends,
        "any": bool(places),
    }[takes]


def check_given(rival: Rival, given: Collection[int], frames: int) -> None:
    """Raises ``UserError`` where a rival cannot be given these frames."""
    if not fits(rival.takes, given, frames):
        able = [other.name for other in RIVALS.values() if fits(other.takes, given, frames)]
        raise UserError(
            f"system '{rival.name}' takes {TAKES[rival.takes]}, but frames {', '.join(map(str, sorted(given)))} of "
            f"{frames} are given: leave it out of --systems; {', '.join(able)} can take them"
        )


def readiness(name: str, weights_dir: Path | None = None) -> Readiness:
    """Whether a rival could run here, without loading or downloading anything: packages first, then weights."""
    source = RIVALS[name].source
    if isinstance(source, str):
        weight = WEIGHTS[source]
        try:
            path = find_weights(source, weights_dir)
        except UserError as error:
            return Readiness("missing", str(error))
        if path is not None:
            return Readiness("ready", f"weights in {path}")
        return _absent(f"{weight.file} ({weight.megabytes} MB)", weight.urls[0])
    if lacking := missing_packages(source.packages):
        return Readiness("missing", f"needs {', '.join(lacking)}: {INSTALL}")
    if (folder := cached(source.repository, source.revision)) is not None:
        return Readiness("ready", f"model in {folder}")
    return _absent(f"the model ({source.gigabytes:g} GB)", f"https://huggingface.co/{source.repository}")


INSTALL = "run 'pip install mardini[rivals]'"


def _absent(what: str, where: str) -> Readiness:
    if offline():
        return Readiness(
            "missing", f"{what} is not here and MARDINI_OFFLINE forbids downloads: get it from {where}"
        )
    return Readiness("download", f"{what} will be downloaded when used, from {where}")


def missing_packages(packages: Collection[str]) -> list[str]:
    """Those that are not installed."""
    return [package for package in packages if importlib.util.find_spec(package) is None]


def cached(repository: str, revision: str) -> Path | None:
    """The snapshot of a Hub model in the Hugging Face cache, if its index is there (its other files may not be)."""
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(repository, "model_index.json", revision=revision)
    return Path(index).parent if isinstance(index, str) else None
