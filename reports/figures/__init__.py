"""The figures of the report: a module each, with ``rows(results)`` (the numbers) and ``draw(rows, axes)``."""
