"""Names that stand for a dataset without being one."""

from __future__ import annotations

from pathlib import Path

from mardini.errors import UserError

ALIASES = {"videval": "vbench-i2v"}


def stands_for(name: str, data_root: Path | None) -> tuple[str, str]:
    """The dataset that a name means, and a sentence on that; empty where the name is a dataset's own.

    ``videval`` is not a published dataset of image-to-video generation: VIDEVAL is a quality model (Tu et al. 2021,
    arXiv:2005.14354), and MarDini's image-to-video results are on VBench-I2V. So it means VBench-I2V's pictures; with a
    data root laid out otherwise, the pictures or clips in it.
    """
    if name not in ALIASES:
        return name, ""
    said = f"'{name}' is not a published dataset; using "
    root = None if data_root is None else Path(data_root).expanduser()
    from eval.datasets import vbench_i2v

    if root is None or not root.is_dir() or vbench_i2v.looks_like(root):
        return ALIASES[name], said + "VBench-I2V's image suite"
    kind = kind_of(root)
    what = "pictures" if kind == "images" else "clips, as --dataset folder does"
    return kind, f"{said}the {what} in {root}"


def kind_of(root: Path) -> str:
    """``images`` for a folder with pictures, or with folders of one; ``folder`` for one with videos or frames."""
    from eval.datasets.chunks import visible
    from mardini.image import image_files
    from mardini.video import VIDEO_SUFFIXES

    if image_files(root):
        return "images"
    inside = [len(image_files(entry)) for entry in visible(root) if entry.is_dir()]
    videos = any(entry.suffix.lower() in VIDEO_SUFFIXES for entry in visible(root))
    if not inside and not videos:
        raise UserError(
            f"data root {root} holds no pictures and no clips: give --data-root, a folder with VBench-I2V's crop/1-1, "
            "with pictures, or with videos"
        )
    return "images" if 1 in inside else "folder"
