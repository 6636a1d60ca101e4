"""Score video expansion: the first half of each clip is given, the rest is generated.

  python -m eval.expansion                                         the embedded benchmark, all systems
  python -m eval.expansion --dataset davis --data-root DAVIS
  python -m eval.expansion --dataset davis --frames 18 --systems mardini,repeat

The same command again goes on where it stopped, and does nothing when all is done. Records, per-clip rows and
predictions lie under OUTPUT/expansion/<protocol>/<system>/. "python -m eval list" shows all names.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from eval.command import parser, run_task
from mardini.errors import command


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    return run_task("expansion", parser("python -m eval.expansion", __doc__ or "").parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
