"""Quality by which frames are given: fixed places, and random ones at preserved ratios; layouts drawn as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.records import Record, order
from reports.style import INK, colour, look

PANELS = (
    (("psnr_clip",), "PSNR, dB ↑"),
    (("ssim_vidim_all",), "SSIM ↑"),
    (("lpips_alex_all", "lpips_alex_random_all"), "LPIPS{} ↓"),
    (("fvd", "fvd_random"), "FVD{} ↓"),
)
FIXED = ("0+8", "0", "4", "0..3", "0+4+8", "every-2nd")
"""In the order in which the suite lists them."""
Row = Mapping[str, Any]


def rows(cells: Sequence[Record], dataset: str) -> list[dict[str, Any]]:
    """Given frames, system and numbers of each finished cell of a data set, in the order of layouts."""
    found = []
    for record in cells:
        if record["status"] == "done" and record["cell"]["dataset"] == dataset:
            row = {name: record["cell"][name] for name in ("given", "system", "seed")}
            row["places"] = "+".join(map(str, record["details"]["places"]))
            for name, entry in record["values"].items():
                row |= {
                    name: entry["value"],
                    f"{name}.low": entry.get("low"),
                    f"{name}.high": entry.get("high"),
                }
            found.append(row)
    return sorted(found, key=lambda row: (_place(row["given"]), order(row["system"]), row["seed"]))


def _place(given: str) -> tuple[int, str]:
    """Fixed masks in the order in which the suite lists them, then random ones by their share."""
    return (FIXED.index(given), given) if given in FIXED else (len(FIXED), given)


def draw(rows: Sequence[Row], axes: Sequence[Any]) -> None:
    """A panel a metric, a mark a system; under the lower panels the layouts, first frame on top."""
    layouts = {row["given"]: [int(place) for place in row["places"].split("+")] for row in rows}
    systems = list(dict.fromkeys(row["system"] for row in rows))
    for ax, (names, title) in zip(axes, PANELS, strict=True):
        metric = next((name for name in names if any(name in row for row in rows)), names[0])
        for number, system in enumerate(systems):
            shift = (number - (len(systems) - 1) / 2) * 0.15
            own = [row for row in rows if row["system"] == system and row.get(metric) is not None]
            for row in own:
                place = list(layouts).index(row["given"]) + shift
                style = look(system, number) | {"linestyle": "", "label": system if row is own[0] else None}
                ax.plot(place, row[metric], markersize=3, **style)
                if row[f"{metric}.low"] is not None:
                    ends = row[f"{metric}.low"], row[f"{metric}.high"]
                    ax.plot([place] * 2, ends, color=colour(system, number), linewidth=0.6, alpha=0.7)
        ax.set_title(title.format("†" if "_random" in metric else ""))
        ax.set_xlim(-0.6, len(layouts) - 0.4)
        ax.set_xticks(range(len(layouts)), [])
        for place in range(1, len(layouts), 2):
            ax.axvspan(place - 0.5, place + 0.5, color="#F5F5F5", zorder=0)
    for ax in axes[-2:]:
        glyphs(ax, layouts)


def glyphs(ax: Any, layouts: Mapping[str, Sequence[int]]) -> None:
    """Under each place of the axis its layout, a box a frame: filled if given; and below it what it is called."""
    from matplotlib.patches import Rectangle

    frames = 1 + max(max(given) for given in layouts.values())
    high, top = 0.030, -0.04
    across = ax.get_xaxis_transform()
    for place, (name, given) in enumerate(layouts.items()):
        for frame in range(frames):
            fill = INK if frame in given else "white"
            corner = place - 0.2, top - (frame + 1) * high
            style = {"facecolor": fill, "edgecolor": "#777777", "linewidth": 0.4, "clip_on": False}
            ax.add_patch(Rectangle(corner, 0.4, high, transform=across, **style))
        text = f"{float(name.removeprefix('random-')):.0%}" if name.startswith("random-") else name
        bottom = top - frames * high - 0.03
        style = {"rotation": 90, "ha": "center", "va": "top", "fontsize": 6}
        ax.text(place, bottom, text, transform=across, **style)
