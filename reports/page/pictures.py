"""Pictures inside the page, as data URIs."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from reports.figure import Figure
from reports.style import styled

QUALITY = 78
"""Of WebP, for frames; scores are always of the lossless ones."""


def webp(frames: np.ndarray) -> str:
    """``uint8`` (H, W, 3) as WebP."""
    from PIL import Image

    return _webp(Image.fromarray(frames))


def _webp(image: Any) -> str:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=6)
    return uri("image/webp", out.getvalue())


def small(svg: str) -> str:
    """An SVG of Matplotlib's with two digits after the point, and a font of the same widths where its own is not."""
    svg = re.sub(r"(\d+\.\d\d)\d+", r"\1", svg)
    return svg.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")


def uri(kind: str, data: bytes) -> str:
    """Bytes as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def of_figure(figure: Figure, folder: Path) -> str:
    """A plot as SVG, sharp at any size; a figure with frames as WebP, of its PNG in ``folder``."""
    if figure.frames is not None:
        from PIL import Image

        with Image.open(folder / f"{figure.name}.png") as image:
            return _webp(image.convert("RGB"))
    out = io.BytesIO()
    with styled() as pyplot:
        figure.drawn(pyplot).savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml," + quote(small(out.getvalue().decode()), safe=" \"'<>=/:;,.()[]{}-+*&?!@")
