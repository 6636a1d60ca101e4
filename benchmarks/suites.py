"""The suites by name. Only the module of the suite asked for is imported."""

from __future__ import annotations

import importlib

from benchmarks.suite import Suite
from mardini.errors import unknown

NAMES = (
    "mask-configs",
    "inference-steps",
    "efficiency",
    "ablations",
    "metric-speed",
    "scaling",
    "codec",
    "ceiling",
)


def suite_of(name: str) -> Suite:
    """A suite by name; an unknown one is a ``UserError`` with the nearest suggested."""
    if name not in NAMES:
        raise unknown("suite", name, NAMES)
    return importlib.import_module(f"benchmarks.{name.replace('-', '_')}").SUITE
