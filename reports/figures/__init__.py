"""The figures of the report: a module each, with ``rows(...)`` (the numbers, from records) and ``draw(rows, axes)``."""
