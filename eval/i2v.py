"""Score image-to-video systems: the first frame of each clip is given, all others are generated.

  python -m eval.i2v                                               the embedded benchmark, all systems
  python -m eval.i2v --dataset davis --data-root DAVIS             against the true clips
  python -m eval.i2v --dataset davis --frames 17 --systems mardini --checkpoint CHECKPOINT
  python -m eval.i2v --dataset folder --data-root videos --predictions mine=out

The same command again goes on where it stopped, and does nothing when all is done. Records, per-clip rows and
predictions lie under OUTPUT/i2v/<protocol>/<system>/. "python -m eval list" shows all names.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from eval.command import parser, run_task
from mardini.errors import command


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    return run_task("i2v", parser("python -m eval.i2v", __doc__ or "").parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
