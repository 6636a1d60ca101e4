"""What a row of the calibration table is, how it is measured, and what is kept of it."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mardini.errors import UserError
from mardini.files import write_json

RECORD = Path(__file__).parent / "record.json"
WRITTEN_OUT = "written out"  # stands for a reference that is no package

Key = tuple[str, str, str, str, str]
"""What identifies a row: metric, convention, reference, detail, inputs."""

Values = tuple[Any, Any]
"""Ours and the reference's: a number each, or arrays of numbers of one shape."""


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes:
        metric: name in ``eval.metrics.METRICS``, or ``frechet`` for the algebra alone.
        convention: what of it is compared.
        reference: distribution that the reference comes from, or ``WRITTEN_OUT``.
        detail: what of the reference is run, or what was written out after what.
        inputs: what both were given.
        tolerance: largest allowed difference.
        relative: whether that is a share of the reference's value.
        measure: computes both.
        needs: further distributions that ``measure`` imports.
    """

    metric: str
    convention: str
    reference: str
    detail: str
    inputs: str
    tolerance: float
    measure: Callable[[], Values]
    relative: bool = False
    needs: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """Identifies the row in the record."""
        return self.metric, self.convention, self.reference, self.detail, self.inputs

    @property
    def packages(self) -> tuple[str, ...]:
        """Distributions without which the row cannot be measured."""
        return self.needs if self.reference == WRITTEN_OUT else (self.reference, *self.needs)


@dataclass(frozen=True)
class Row:
    """A measured check.

    Attributes:
        metric, convention, reference, detail, inputs, tolerance, relative: of the ``Check``.
        version: of the reference when it was measured; empty for what was written out.
        metric_version: of our metric then.
        ours, theirs: the values, of several their means.
        difference: the largest one, relative where the tolerance is.
    """

    metric: str
    convention: str
    reference: str
    detail: str
    inputs: str
    tolerance: float
    relative: bool
    version: str
    metric_version: str
    ours: float
    theirs: float
    difference: float

    @property
    def key(self) -> Key:
        return self.metric, self.convention, self.reference, self.detail, self.inputs

    @property
    def passed(self) -> bool:
        return bool(self.difference <= self.tolerance)  # NaN does not pass


def metric_version(name: str) -> str:
    """Of our metric, as columns carry it; the Fréchet distance's own for ``frechet``."""
    from eval.metrics import METRICS, frechet

    return frechet.VERSION if name == "frechet" else METRICS[name].make(None, "cpu").version


def missing_packages(check: Check) -> list[str]:
    """Distributions that a check needs and that are not installed."""
    lacking = []
    for name in check.packages:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            lacking.append(name)
    return lacking


def measure(check: Check) -> Row:
    """Run both implementations."""
    ours, theirs = (np.asarray(values, dtype=np.float64) for values in check.measure())
    if ours.shape != theirs.shape:
        raise ValueError(f"{check.key}: shapes {ours.shape} and {theirs.shape} do not compare")
    difference = np.abs(ours - theirs)
    if check.relative:
        difference = difference / np.maximum(np.abs(theirs), np.finfo(np.float64).tiny)
    version = "" if check.reference == WRITTEN_OUT else importlib.metadata.version(check.reference)
    return Row(
        metric=check.metric,
        convention=check.convention,
        reference=check.reference,
        detail=check.detail,
        inputs=check.inputs,
        tolerance=check.tolerance,
        relative=check.relative,
        version=version,
        metric_version=metric_version(check.metric),
        ours=float(ours.mean()),
        theirs=float(theirs.mean()),
        difference=float(difference.max()),
    )


@dataclass(frozen=True)
class Outcome:
    """The rows of a run: in the order of the checks, with those that could not be measured now.

    Attributes:
        rows: measured now, or kept from the record.
        kept: keys of the latter, each with the packages that are missing.
        lost: checks without either.
    """

    rows: list[Row]
    kept: dict[Key, list[str]]
    lost: list[Check]

    @property
    def passed(self) -> bool:
        """Whether every check has a row within its tolerance, measured on the metric as it is now."""
        current = all(
            row.metric_version == metric_version(row.metric) for row in self.rows if row.key in self.kept
        )
        return current and not self.lost and all(row.passed for row in self.rows)


def run(
    checks: Sequence[Check],
    before: Iterable[Row],
    only: Sequence[str] | None = None,
    notify: Callable[[Row], None] = lambda row: None,
) -> Outcome:
    """Measure every check whose packages are here; keep the recorded row of the others.

    Args:
        checks: all rows there should be.
        before: the recorded ones; a kept one is judged by the tolerance of today.
        only: names of metrics to measure; the others' rows are kept too.
        notify: told each row measured.
    """
    known = {row.key: row for row in before}
    outcome = Outcome([], {}, [])
    for check in checks:
        lacking = missing_packages(check)
        if not lacking and (only is None or check.metric in only):
            outcome.rows.append(measure(check))
            notify(outcome.rows[-1])
            continue
        old = known.get(check.key)
        if old is None or old.relative != check.relative:
            outcome.lost.append(check)
        else:
            outcome.rows.append(replace(old, tolerance=check.tolerance))
            outcome.kept[check.key] = lacking
    return outcome


def read_record(path: Path = RECORD) -> list[Row]:
    """The committed rows. Raises ``UserError`` for a file that is no such record."""
    if not path.is_file():
        return []
    try:
        content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return [Row(**row) for row in content["rows"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no calibration record ({error}): restore it, or delete it and measure again"
        ) from error


def write_record(rows: Sequence[Row], path: Path = RECORD) -> None:
    """Write all rows, atomically."""
    write_json(path, {"rows": [row.__dict__ for row in rows]})
