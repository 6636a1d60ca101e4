"""Mistakes a user can make, told in one sentence, and how a command ends on one."""

from __future__ import annotations

import difflib
import functools
import sys
from collections.abc import Callable, Iterable


class UserError(ValueError):
    """What the user asked for cannot be done.

    The message is one sentence: what was got, what is allowed, what to do next. Commands print it
    without a traceback and exit with status 2; library callers catch it as a ``ValueError``.
    """


def unknown(kind: str, name: str, choices: Iterable[str]) -> UserError:
    """Error for an unknown ``name`` of a ``kind`` ("dataset", "system"), with the nearest choice suggested."""
    choices = sorted(choices)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return UserError(f"unknown {kind} '{name}': {hint}choose from {', '.join(choices)}")


def command(main: Callable[..., int | None]) -> Callable[..., int]:
    """Decorate a ``main(argv) -> status``: a ``UserError`` becomes one line on stderr and status 2.

    ``Ctrl-C`` becomes status 130; a closed pipe (``| head``) is no error.
    """

    @functools.wraps(main)
    def wrapped(*args: object, **kwargs: object) -> int:
        try:
            return main(*args, **kwargs) or 0
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except BrokenPipeError:
            sys.stderr.close()  # keeps the interpreter's shutdown from printing a second error
            return 0

    return wrapped
