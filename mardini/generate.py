"""Make video from images, frame folders or videos.

    python -m mardini.generate interpolate first.png last.png --frames 7 --out clip.mp4
    python -m mardini.generate interpolate first.png last.png --out strip.png
    python -m mardini.generate animate image.png --out clip.gif
    python -m mardini.generate expand clip.mp4 --frames 4
    python -m mardini.generate fill frames --given 0,4,8 --out filled
    python -m mardini.generate slow-motion frames --factor 8 --out slow.mp4
    python -m mardini.generate rollout image.png --frames 40

--out decides the format: .mp4, .mov, .mkv, .gif, one .png with all frames side by side, or, without a suffix, a
folder of PNGs. Given frames are kept as they are (but for the compression of a video).
"python -m mardini.generate TASK --help" shows a task's options.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mardini.errors import UserError, command
from mardini.guidance import scales
from mardini.shipped import SHIPPED

if TYPE_CHECKING:
    import numpy as np

    from mardini.pipeline import MarDiniPipeline

FORMATS = (".mp4", ".mov", ".mkv", ".gif", ".png")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    shared = argparse.ArgumentParser(add_help=False)
    add = shared.add_argument
    add(
        "--out",
        type=Path,
        metavar="PATH",
        help="video, gif, .png, or folder of PNGs (default: TASK.mp4)",
    )
    add(
        "--steps",
        type=int,
        metavar="N",
        help="diffusion steps (default: the checkpoint's own, 25 where that names none)",
    )
    add(
        "--guidance",
        type=float,
        metavar="X",
        help="guidance on the plan; 1 is none (default: 2.5 for animate, expand and rollout, else none)",
    )
    add(
        "--skip-guidance",
        type=scales,
        metavar="X[,Y]",
        help="more makes things move as wholes; 0 is none, as in the paper; of two numbers the first counts at full "
        "noise, the second at none (default: 3,0.5 for animate, 2 for expand and rollout, else 3.5,0.5)",
    )
    add(
        "--detail",
        type=float,
        metavar="X",
        help="share of given frames' fine detail carried over to new ones; 0 is none, as in the paper (default: 1)",
    )
    add(
        "--sharpness",
        type=float,
        metavar="X",
        help="1 makes new frames as sharp as given ones; 0 does not, as in the paper (default: 0)",
    )
    add("--seed", type=int, default=0, metavar="N", help="of the noise (default: 0)")
    add(
        "--checkpoint",
        metavar="DIR",
        help=f"{', '.join(SHIPPED)}, a folder, or a Hub id (default: {SHIPPED[0]})",
    )
    add("--codec", metavar="DIR", help="folder or Hub id of another codec (default: the checkpoint's)")
    add("--scheduler", default="ddim", metavar="NAME", help="ddim, or one of diffusers (default: ddim)")
    add(
        "--resolution",
        metavar="N",
        help="pixels of the shorter side to work at, or native (default: as trained)",
    )
    add("--fps", type=float, metavar="X", help="frames a second of a video written (default: the model's)")
    add("--device", default="auto", help="cpu, cuda, cuda:1, auto (default: auto, CUDA where present)")
    add(
        "--dtype",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of the networks (default: float32)",
    )
    add("--compile", action="store_true", help="compile the generator: a slow start, then faster")
    main = argparse.ArgumentParser(
        prog="python -m mardini.generate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    tasks = main.add_subparsers(dest="task", metavar="TASK", required=True)

    def task(name: str, text: str) -> Any:
        return tasks.add_parser(
            name, help=text, description=text, parents=[shared], allow_abbrev=False
        ).add_argument

    clip = "a video, a folder of images, or images"
    add = task("interpolate", "frames between two images")
    add("first", type=Path)
    add("last", type=Path)
    add("--frames", type=int, default=7, metavar="N", help="between the two (default: 7)")
    add = task("animate", "image to video")
    add("image", type=Path)
    add("--frames", type=int, metavar="N", help="after the image (default: what fills the model's window)")
    add = task("expand", "frames after a clip, in one window with all of it")
    add("clip", type=Path, nargs="+", help=clip)
    add("--frames", type=int, default=4, metavar="N", help="after the clip (default: 4)")
    add = task("fill", "all frames of a window but the given ones")
    add("clip", type=Path, nargs="+", help=f"{clip}: the whole window, or the given frames alone")
    add("--given", required=True, metavar="A,B", help="places of the given frames in the window, from 0")
    add(
        "--length",
        type=int,
        metavar="N",
        help="frames of the window (default: the clip's, or up to the last given)",
    )
    add = task("slow-motion", "new frames between every two of a clip, hierarchically")
    add("clip", type=Path, nargs="+", help=clip)
    add("--factor", type=int, default=8, metavar="N", help="how many times slower (default: 8)")
    add("--window", type=int, metavar="N", help="frames of the longest window (default: as trained)")
    add = task("rollout", "any number of frames after a clip, window by window")
    add("clip", type=Path, nargs="+", help=clip)
    add("--frames", type=int, default=16, metavar="N", help="after the clip (default: 16)")
    add("--window", type=int, metavar="N", help="frames of a window (default: as trained)")
    add("--references", type=int, metavar="N", help="frames kept from one window to the next (default: half)")
    return main


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = parser().parse_args(argv)
    out = options.out or Path(f"{options.task}.mp4")
    check(options, out)
    frames = [read(path) for path in inputs(options)]  # before the model: reading fails sooner than loading

    import torch

    from mardini.pipeline import MarDiniPipeline

    pipeline = MarDiniPipeline.from_pretrained(
        options.checkpoint,
        codec=options.codec,
        device=options.device,
        dtype=getattr(torch, options.dtype),
        compile=options.compile,
    )
    made, given = run(pipeline, options, frames)
    write(out, made, given, options.fps or pipeline.model.config.fps)
    print(f"{out}: {len(made)} frames of {made.shape[1]}x{made.shape[2]}")
    return 0


def check(options: argparse.Namespace, out: Path) -> None:
    """Refuse at once what can be refused without reading a frame."""
    for path in inputs(options):
        if not path.exists():
            raise UserError(f"{path} does not exist: give an image, a folder of images or a video")
    for flag in ("steps", "frames", "factor", "window", "references", "length"):
        number = getattr(options, flag, None)
        if number is not None and number < 1:
            raise UserError(f"--{flag} is {number}: give at least 1")
    if options.fps is not None and not 0 < options.fps <= 1000:
        raise UserError(f"--fps is {options.fps:g}: give a positive number of at most 1000, such as 24")
    if options.resolution not in (None, "native"):
        if not options.resolution.isdecimal():
            raise UserError(f"--resolution is {options.resolution}: give a number of pixels, or native")
        options.resolution = int(options.resolution)
    if out.suffix and out.suffix.lower() not in FORMATS:
        raise UserError(f"--out {out}: end it in {', '.join(FORMATS)}, or in nothing for a folder of PNGs")
    if out.suffix and out.is_dir():
        raise UserError(f"--out {out} is a folder: give the name of a file")
    parent = next(folder for folder in out.absolute().parents if folder.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK)):
        raise UserError(f"--out {out}: {parent} cannot be written: choose another place")
    if not out.suffix and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            f"--out {out} exists already: give a new or empty folder, or a name that ends in .mp4"
        )


def inputs(options: argparse.Namespace) -> list[Path]:
    """The paths that a task reads, in order."""
    if options.task == "interpolate":
        return [options.first, options.last]
    return [options.image] if options.task == "animate" else options.clip


def read(path: Path) -> np.ndarray:
    """Frames of an image (one), a folder or a video: uint8 (T, H, W, 3)."""
    from mardini.video import read_clip

    return read_clip(path)


def run(
    pipeline: MarDiniPipeline, options: argparse.Namespace, parts: list[np.ndarray]
) -> tuple[np.ndarray, Sequence[int]]:
    """The frames of a task, uint8 (T, H, W, 3), and which of them were given."""
    sampling: dict[str, Any] = {
        "steps": options.steps,
        "seed": options.seed,
        "scheduler": options.scheduler,
        "resolution": options.resolution,
        "progress": True,
    }
    for name in ("guidance", "skip_guidance", "detail", "sharpness"):
        if getattr(options, name) is not None:
            sampling[name] = getattr(options, name)
    if options.task == "interpolate":
        first, last = (single(part, path) for part, path in zip(parts, inputs(options), strict=True))
        return pipeline.interpolate(first, last, options.frames, **sampling), (0, options.frames + 1)
    if options.task == "animate":
        return pipeline.animate(single(parts[0], options.image), options.frames, **sampling), (0,)
    clip = joined(parts, options.clip)
    if options.task == "expand":
        return pipeline.expand(clip, options.frames, **sampling), range(len(clip))
    if options.task == "fill":
        window, given = placed(clip, options.given, options.length)
        return pipeline.fill(window, given, **sampling), given
    if options.task == "slow-motion":
        made = pipeline.slow_motion(clip, options.factor, window=options.window, **sampling)
        return made, range(0, len(made), options.factor)
    made = pipeline.rollout(
        clip, options.frames, window=options.window, references=options.references, **sampling
    )
    return made, range(len(clip))


def single(clip: np.ndarray, path: Path) -> np.ndarray:
    """The only frame of what was read from ``path``."""
    if len(clip) != 1:
        raise UserError(
            f"{path} holds {len(clip)} frames: give one image, or use expand, fill or slow-motion"
        )
    return clip[0]


def joined(parts: list[np.ndarray], paths: list[Path]) -> np.ndarray:
    """Clips one after the other; all must have one size."""
    import numpy as np

    for part, path in zip(parts, paths, strict=True):
        if part.shape[1:] != parts[0].shape[1:]:
            (height, width), (first_height, first_width) = part.shape[1:3], parts[0].shape[1:3]
            raise UserError(
                f"{path} is {height}x{width} but {paths[0]} is {first_height}x{first_width}: give frames of one size"
            )
    return np.concatenate(parts)


def placed(clip: np.ndarray, given: str, length: int | None) -> tuple[np.ndarray, list[int]]:
    """A window and the places of its given frames, from a whole window or from the given frames alone."""
    import numpy as np

    try:
        places = [int(place) for place in given.split(",")]
    except ValueError:
        raise UserError(f"--given is '{given}': give places such as 0,4,8") from None
    if places != sorted(set(places)) or places[0] < 0:
        raise UserError(f"--given is '{given}': give each place once, in rising order, from 0")
    alone = len(clip) == len(places)
    length = length or (places[-1] + 1 if alone else len(clip))
    if not alone and length != len(clip):
        raise UserError(
            f"--length {length} with {len(clip)} frames and {len(places)} given ones: give the frames of the whole "
            "window, or the given ones alone"
        )
    if places[-1] >= length:
        raise UserError(f"--given {given} does not fit a window of {length}: the last place is {length - 1}")
    window = np.zeros((length, *clip.shape[1:]), np.uint8)
    window[places] = clip if alone else clip[places]
    return window, places


def write(out: Path, frames: np.ndarray, given: Sequence[int], fps: float) -> None:
    """A video or gif, a picture of all frames, or PNGs named 00000.png and on in the folder ``out``."""
    from mardini.image import write_png
    from mardini.strip import sheet
    from mardini.video import write_video

    if out.suffix.lower() == ".png":
        write_png(out, sheet(frames, given))
    elif out.suffix:
        write_video(out, frames, fps)
    else:
        for number, frame in enumerate(frames):
            write_png(out / f"{number:05d}.png", frame)


if __name__ == "__main__":
    sys.exit(main())
