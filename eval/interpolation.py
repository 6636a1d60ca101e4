"""Score frame-interpolation systems: some frames of each clip are given, those between are compared.

  python -m eval.interpolation                                        the embedded benchmark, all systems
  python -m eval.interpolation --dataset davis                        DAVIS-7 of VIDIM-Bench (downloads DAVIS)
  python -m eval.interpolation --dataset davis --data-root DAVIS      the same, from a folder
  python -m eval.interpolation --dataset folder --data-root videos --systems flow,mardini --limit 20
  python -m eval.interpolation --dataset davis --predictions mine=out/frames
  python -m eval.interpolation --given 0,4,8 --systems blend,mardini  any frames given, not just first and last
  python -m eval.interpolation --metrics psnr,ssim --systems repeat,blend

The same command again goes on where it stopped, and does nothing when all is done. Records, per-clip rows and
predictions lie under OUTPUT/interpolation/<protocol>/<system>/. "python -m eval list" shows all names.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from eval.command import parser, run_task
from mardini.errors import command


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = parser("python -m eval.interpolation", __doc__ or "", given=True).parse_args(argv)
    return run_task("interpolation", options)


if __name__ == "__main__":
    sys.exit(main())
