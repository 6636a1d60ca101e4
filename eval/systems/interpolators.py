"""FILM and RIFE as systems: networks that make frames between two. Loaded when the first clip is predicted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.systems.base import Between, Task, fill_gaps
from eval.systems.rivals import RIVALS, check_given
from eval.weight_files import WEIGHTS
from eval.weights import fetch

if TYPE_CHECKING:
    from eval.protocols import Protocol


class Interpolator:
    """A network that fills every gap between two neighbouring given frames from those two alone.

    Args:
        name: in ``RIVALS``.
        protocol: what will be asked.
        weights_dir: folder with weight files.
        device: ``cpu``, ``cuda`` ...

    Raises:
        UserError: the first or the last frame is not given.
    """

    times = ""
    """How the frames' times are reached, for the record."""

    def __init__(
        self, name: str, protocol: Protocol, weights_dir: Path | None = None, device: str = "cpu"
    ) -> None:
        self.rival = RIVALS[name]
        self.name = self.variant = name
        check_given(self.rival, protocol.given, protocol.frames)
        self.weights_dir, self.device = weights_dir, device
        self._between: Between | None = None

    def describe(self) -> dict[str, Any]:
        weight = WEIGHTS[str(self.rival.source)]
        return {
            "system": self.name,
            "version": 1,
            "weights": {weight.file: weight.sha256},
            "times": self.times,
            "precision": "float32",
        }

    def prepare(self) -> None:
        """Fetch the weights unless they are here."""
        fetch(str(self.rival.source), self.weights_dir)

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        for task in tasks:
            check_given(self.rival, task.given, task.frames)
        if self._between is None:
            self._between = self.load(fetch(str(self.rival.source), self.weights_dir))
        return [fill_gaps(task, self._between) for task in tasks]

    def load(self, weights: Path) -> Between:
        """The network's way to make frames between two."""
        raise NotImplementedError


class FilmStyle(Interpolator):
    """FILM, by bisection: seven frames are three levels of middles (``eval/networks/film.py``)."""

    times = "bisection"

    def load(self, weights: Path) -> Between:
        from eval.networks.film import load_film

        return load_film(weights, self.device).between


class Rife425(Interpolator):
    """RIFE 4.25, which takes any time, so every frame comes from the given ones (``eval/networks/rife.py``)."""

    times = "direct"

    def load(self, weights: Path) -> Between:
        from eval.networks.rife import load_rife

        return load_rife(weights, self.device).between


INTERPOLATORS: dict[str, Callable[..., Interpolator]] = {"film-style": FilmStyle, "rife-4.25": Rife425}
