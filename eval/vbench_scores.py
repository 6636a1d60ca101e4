"""How VBench-I2V's dimensions become scores: the columns of MarDini's Table 5, and VBench's board of today.

Dimensions are fractions, 0 to 1; scores are percent, as both print them. A missing dimension makes every score that
needs it missing, and named: VBench's own script counts it as 0 in silence.

Sources: ranges and weights, ``scripts/constant.py`` and ``scripts/cal_i2v_final_score.py`` of Vchitect/VBench; what the
columns of Table 5 (arXiv:2410.20280) are, found by recomputing its rows from the table of VBench++ (arXiv:2411.13503).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mardini.errors import UserError

Part = Literal["subject", "background", "all"]


@dataclass(frozen=True)
class Dimension:
    """One of VBench-I2V's dimensions.

    Attributes:
        part: of its pictures, over which VBench averages.
        low, high: of the values seen, which normalisation maps to 0 and 1.
        weight: in VBench's weighted means.
        how: to get it, where it is not computed here; empty where it is.
    """

    part: Part
    low: float = 0.0
    high: float = 1.0
    weight: float = 1.0
    how: str = ""


_BRIDGE = "python -m eval.vbench write, then VBench itself"

DIMENSIONS: dict[str, Dimension] = {
    "i2v_subject": Dimension("subject", 0.1462),
    "i2v_background": Dimension("background", 0.2615, how=f"needs DreamSim: {_BRIDGE}"),
    "camera_motion": Dimension("background", weight=0.1, how="needs prompts with camera motions"),
    "subject_consistency": Dimension("subject", 0.1462),
    "background_consistency": Dimension("background", 0.2615),
    "temporal_flickering": Dimension("all", 0.6293),
    "motion_smoothness": Dimension("subject", 0.706, 0.9975, how=f"needs AMT: {_BRIDGE}"),
    "dynamic_degree": Dimension("subject", weight=0.5),
    "aesthetic_quality": Dimension("all"),
    "imaging_quality": Dimension("all"),
}

QUALITY = (
    "subject_consistency",
    "background_consistency",
    "temporal_flickering",
    "motion_smoothness",
    "aesthetic_quality",
    "imaging_quality",
)
"""The six that MarDini calls video quality without dynamic degree."""
I2V = ("i2v_subject", "i2v_background")
BOARD_QUALITY = (
    "subject_consistency",
    "background_consistency",
    "motion_smoothness",
    "dynamic_degree",
    "aesthetic_quality",
    "imaging_quality",
)
BOARD_I2V = ("camera_motion", *I2V)


@dataclass(frozen=True)
class Score:
    """A score in percent, or ``None`` and the dimensions that it lacks."""

    value: float | None
    missing: tuple[str, ...] = ()


def plain(scores: Mapping[str, float], names: Sequence[str]) -> Score:
    """Mean of the dimensions as they are."""
    if missing := tuple(name for name in names if name not in scores):
        return Score(None, missing)
    return Score(100 * sum(scores[name] for name in names) / len(names))


def normalised(scores: Mapping[str, float], names: Sequence[str]) -> Score:
    """Weighted mean of the normalised dimensions."""
    if missing := tuple(name for name in names if name not in scores):
        return Score(None, missing)
    total = 0.0
    for name in names:
        dimension = DIMENSIONS[name]
        total += dimension.weight * (scores[name] - dimension.low) / (dimension.high - dimension.low)
    return Score(100 * total / sum(DIMENSIONS[name].weight for name in names))


def table_5(scores: Mapping[str, float]) -> dict[str, Score]:
    """The columns of MarDini's Table 5, by the names of our records.

    - ``i2v_subject``, ``i2v_background``: as they are;
    - ``mardini_vq_dd``: VBench's quality score of 2024, seven normalised dimensions, dynamic degree at half weight;
    - ``mardini_vq``: plain mean of the six without dynamic degree;
    - ``vbench_avg``: plain mean of the two and those six.
    """
    check(scores)
    return {
        **{name: plain(scores, (name,)) for name in I2V},
        "mardini_vq_dd": normalised(scores, (*QUALITY, "dynamic_degree")),
        "mardini_vq": plain(scores, QUALITY),
        "vbench_avg": plain(scores, (*I2V, *QUALITY)),
    }


def board(scores: Mapping[str, float]) -> dict[str, Score]:
    """The three scores of VBench-I2V's board today: without flickering, and with camera motion."""
    check(scores)
    quality, i2v = normalised(scores, BOARD_QUALITY), normalised(scores, BOARD_I2V)
    if quality.value is None or i2v.value is None:
        total = Score(None, (*quality.missing, *i2v.missing))
    else:
        total = Score((quality.value + i2v.value) / 2)
    return {"vbench_quality": quality, "vbench_i2v": i2v, "vbench_total": total}


def check(scores: Mapping[str, float]) -> None:
    """Refuse dimensions that are unknown, or no fraction: percent would go through normalisation unnoticed."""
    for name, value in scores.items():
        if name not in DIMENSIONS:
            raise UserError(f"'{name}' is no dimension of VBench-I2V: choose from {', '.join(DIMENSIONS)}")
        if not 0 <= value <= 1:
            raise UserError(
                f"{name} is {value}: give a fraction from 0 to 1, as VBench's result files have it"
            )
