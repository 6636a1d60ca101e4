"""What a suite is: a product of axes, a way to measure one cell, and how its records are shown.

A suite's module imports nothing heavy when it is imported, so that ``list`` and ``--help`` are instant.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mardini.errors import UserError, unknown

Cell = Any
"""A frozen dataclass of plain values: one point of the product. Its type is ``Suite.cell``."""
Axes = Mapping[str, Sequence[Any]]
"""Field of the cell -> its values."""
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Context:
    """Where a cell is measured.

    Attributes:
        device: ``cpu``, ``cuda``, ``cuda:1``.
        cache: folder outside the repository for what is large: predictions, checkpoints.
        records: folder of the suite's records on this machine.
        data_root: of datasets that have to be given.
    """

    device: str = "cpu"
    cache: Path = Path("cache")
    records: Path = Path("records")
    data_root: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        root = None if self.data_root is None else str(self.data_root)
        return {
            "device": self.device,
            "cache": str(self.cache),
            "records": str(self.records),
            "data_root": root,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Context:
        """Inverse of :meth:`to_dict`."""
        root = data["data_root"]
        return Context(data["device"], Path(data["cache"]), Path(data["records"]), root and Path(root))


@dataclass(frozen=True)
class Outcome:
    """What was measured in a cell.

    Attributes:
        values: name -> ``{"value": number or None, ...}``, with ``low`` and ``high`` where there is an interval.
        details: whatever else belongs in the record: curves, samples, settings.
        provenance: seeds and hashes of the weights that were used.
    """

    values: Mapping[str, Mapping[str, Any]]
    details: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """A column of a suite's table: name of the value, heading, digits after the point; ``scale``: to its unit."""

    name: str
    heading: str
    decimals: int = 2
    scale: float = 1.0


def nothing(cell: Cell) -> dict[str, Any]:
    """No inputs beyond the cell itself."""
    return {}


def always(cell: Cell) -> bool:
    """Every combination of values is a cell."""
    return True


@dataclass(frozen=True)
class Suite:
    """A benchmark.

    Attributes:
        name: as on the command line and in paths.
        line: what it measures, in one line.
        cell: type of its cells.
        axes: device -> values of each field of a cell; their product, in the order of the fields, is the suite.
        measure: does the work of one cell.
        shown: columns of its table.
        version: changes whenever a number could; records of another version are measured again.
        inputs: what else a cell's numbers depend on (hashes of weights); cheap. Other inputs, another measurement.
        allowed: which points of the product make sense.
        work: relative cost of a cell, to estimate seconds from those of other cells.
        alike: fields that two cells must share for such an estimate.
        isolated: each cell in a process of its own.
        on_gpu: whether ``--device cuda`` changes anything.
        timed: seconds or bytes are what is measured, so the number of cores is part of the machine's name.
        summary: what is told of all records below the table.
        finish: told of the folder of records after a run, to write what is computed from all of them.
    """

    name: str
    line: str
    cell: type
    axes: Callable[[str], Axes]
    measure: Callable[[Cell, Context], Outcome]
    shown: tuple[Shown, ...]
    version: str = "1"
    inputs: Callable[[Cell], Mapping[str, Any]] = nothing
    allowed: Callable[[Cell], bool] = always
    work: Callable[[Cell], float] = lambda cell: 1.0
    alike: tuple[str, ...] = ()
    isolated: bool = False
    on_gpu: bool = True
    timed: bool = False
    summary: Callable[[Sequence[Record]], str] | None = None
    finish: Callable[[Path, Sequence[Record]], None] | None = None

    @property
    def fields(self) -> dict[str, type]:
        """Field of a cell -> its type, one of str, int, float."""
        types = {"str": str, "int": int, "float": float}
        return {f.name: types[str(f.type)] for f in dataclasses.fields(self.cell)}

    def cells(
        self,
        device: str = "cpu",
        others: Mapping[str, Sequence[str]] | None = None,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Cell]:
        """The product, the last field running fastest.

        Args:
            device: decides the usual values of the axes.
            others: field -> values in place of the usual ones.
            only: field -> values to keep.

        Raises:
            UserError: a field or value that there is not.
        """
        axes = {name: list(values) for name, values in self.axes(device).items()}
        for name, texts in (others or {}).items():
            self._known(name)
            axes[name] = [self._typed(name, text) for text in texts]
        for name, texts in (only or {}).items():
            self._known(name)
            wanted = [self._typed(name, text) for text in texts]
            for value, text in zip(wanted, texts, strict=True):
                if value not in axes[name]:
                    raise unknown(f"{name} of suite {self.name}", text, map(str, axes[name]))
            axes[name] = [value for value in axes[name] if value in wanted]
        cells = [self.cell(*point) for point in itertools.product(*(axes[name] for name in self.fields))]
        return [cell for cell in cells if self.allowed(cell)]

    def _known(self, name: str) -> None:
        if name not in self.fields:
            raise unknown(f"axis of suite {self.name}", name, self.fields)

    def _typed(self, name: str, text: str) -> Any:
        kind = self.fields[name]
        try:
            return kind(text)
        except ValueError:
            raise UserError(f"{name}={text}: give {kind.__name__} values for {name}") from None


def file_name(cell: Cell) -> str:
    """A cell's file name, without suffix: its values in order, joined by ``-``; such as ``nano-ST-9-64``."""
    values = dataclasses.astuple(cell)
    return "-".join(slug(f"{value:g}" if isinstance(value, float) else str(value)) for value in values)


def slug(text: str) -> str:
    """Letters, digits and ``._+`` of a text, anything else as ``_``: safe in paths."""
    return re.sub(r"[^A-Za-z0-9._+]+", "_", text).strip("_")


def label(cell: Cell) -> str:
    """``model=nano attention=ST``: a cell in words."""
    return " ".join(f"{name}={value}" for name, value in dataclasses.asdict(cell).items())


def entry(value: float | None, **more: Any) -> dict[str, Any]:
    """An entry of ``Outcome.values``."""
    return {"value": value, **more}
