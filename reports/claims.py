"""The paper's claims at the scale of small models: each a few differences, paired by seed, with a verdict by rule.

A difference is first minus second, so that the claim wants it below zero. It *holds* where the whole 95 % interval is
below zero, does *not* where the whole interval is above, and is *not resolved* otherwise; a claim holds, by a measure,
where all its differences do. Seeds share codec, clips and masks, so differences are taken seed by seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.records import Record, Results, read_ablations, read_cells, read_notes
from reports.table import MISSING, RANDOM, Block, Cell, Column, Row, Table
from reports.tables import RUN, mean_over_seeds, same

HOLDS, NOT, OPEN, UNKNOWN = "holds", "does not hold", "not resolved", "not measured"
FVD = "fvd_random"
MEASURES = {f"FVD{RANDOM}": FVD, f"LPIPS{RANDOM}": "lpips_alex_random_all"}
"""What quality is judged by. Random features tell blur from sharpness first: of sharp models FVD says little more."""
FEW, MANY = "10", "100"
"""Inference steps of "few suffice", and those that they are held to."""
SHARE = 0.1
"""How much of what ``MANY`` steps gain on one step ``FEW`` may lack."""
ABLATIONS = "python -m benchmarks run ablations --only arm={}"


@dataclass(frozen=True)
class Difference:
    """One line: what is compared by which measure, and its cell."""

    compared: str
    measure: str
    cell: Cell

    @property
    def verdict(self) -> str:
        low, high = self.cell.low, self.cell.high
        if low is None or high is None:
            return UNKNOWN
        return HOLDS if high < 0 else NOT if low > 0 else OPEN


def claims(results: Results) -> Table:
    """All six claims, a block each."""
    done = [cell for cell in read_ablations(results) if cell["status"] == "done"]
    arms: dict[str, dict[int, Record]] = {}
    for cell in done:
        arms.setdefault(cell["cell"]["arm"], {})[cell["cell"]["seed"]] = cell
    blocks = (
        _block("Planner and generator beat either alone, a larger planner more so (Table 2)", _together(arms),
               "planner-small,planner-large,generator,both-small,both-large"),
        _block("Few inference steps suffice (Figure 6a)", _few_steps(arms), "both-small"),
        _block("Interpolation and image-to-video improve together (Figure 6b)", _improve(arms), "both-small"),
        _block("Identity Attention lowers the generator's loss (Figure 6c)", _identity(arms),
               "generator,generator-no-identity"),
        _block("Asymmetric attention and resolution save time and memory (Table 3)",
               _asymmetry(read_cells(results, "efficiency")), ""),
        _block("Easy masks first are better than the final masks from the start (progressive training)", _masks(arms),
               "both-small,both-small-curriculum"),
    )  # fmt: skip
    notes = (
        "First minus second; below zero is what the claim wants. Intervals: 95 % by Student's t over paired seeds; of "
        "times, from the fastest and slowest repeats. A claim holds, by a measure, where all its intervals lie below "
        "zero. By random features FVD† sees first of all whether frames are as sharp as real ones, and LPIPS† forgives "
        "blur: where they disagree, neither alone says what is better.",
        *read_notes(results, "ablations"),
    )
    return Table("claims", "The paper's claims, tested on small models", blocks, notes)


def _block(claim: str, found: Sequence[Difference], arms: str) -> Block:
    rows = tuple(Row((d.compared, d.measure, d.verdict), (d.cell,)) for d in found)
    source, command, again = (
        ("ablations", ABLATIONS.format(arms), ())
        if arms
        else ("efficiency", RUN.format("efficiency"), ("--device cuda",))
    )
    columns = (Column("difference", None, 3, ranked=False),)
    return Block(
        f"{claim}: {by_measure(found)}",
        False,
        ("compared", "measure", "verdict"),
        columns,
        rows,
        source,
        command,
        again,
    )


def by_measure(found: Sequence[Difference]) -> str:
    """The verdict on a claim: one where all measures agree, else one for each."""
    measures = dict.fromkeys(difference.measure for difference in found)
    verdicts = {name: overall([d for d in found if d.measure == name]) for name in measures}
    if len(set(verdicts.values())) <= 1:
        return overall(found)
    return ", ".join(f"{verdict} by {name}" for name, verdict in verdicts.items())


def overall(found: Sequence[Difference]) -> str:
    """The verdict of several differences."""
    verdicts = {difference.verdict for difference in found}
    for word in (UNKNOWN, NOT, OPEN):
        if word in verdicts:
            return word
    return HOLDS if verdicts else UNKNOWN


# -- the claims ---------------------------------------------------------------------------------------------------

Arms = Mapping[str, Mapping[int, Record]]


def _together(arms: Arms) -> list[Difference]:
    pairs = {
        "both − planner alone (small)": ("both-small", "planner-small"),
        "both − planner alone (large)": ("both-large", "planner-large"),
        "both (small planner) − generator alone": ("both-small", "generator"),
        "both (large planner) − generator alone": ("both-large", "generator"),
        "both: large planner − small planner": ("both-large", "both-small"),
    }
    return [
        Difference(words, measure, _between(arms, *pair, name))
        for words, pair in pairs.items()
        for measure, name in MEASURES.items()
    ]


def _few_steps(arms: Arms) -> list[Difference]:
    def sweep(record: Record) -> Callable[[str], float]:
        return lambda steps: record["details"]["sweep"][steps][FVD]

    def few_many(record: Record) -> float | None:
        if not {"1", FEW, MANY} <= record["details"]["sweep"].keys():
            return None
        at = sweep(record)
        return at(FEW) - at(MANY) - SHARE * (at("1") - at(MANY))

    def few_one(record: Record) -> float | None:
        return sweep(record)(FEW) - sweep(record)("1") if len(record["details"]["sweep"]) > 1 else None

    own = arms.get("both-small", {})
    allowed = f"({FEW} steps − {MANY} steps) − {SHARE:.0%} of (1 step − {MANY} steps)"
    return [
        Difference(f"{FEW} steps − 1 step", f"FVD{RANDOM}", _over(own, few_one, "sweep")),
        Difference(allowed, f"FVD{RANDOM}", _over(own, few_many, "sweep")),
    ]


def _improve(arms: Arms) -> list[Difference]:
    def gain(task: str, name: str) -> Callable[[Record], float | None]:
        def of(record: Record) -> float | None:
            points = record["details"]["points"]
            return points[-1][task][name] - points[0][task][name] if len(points) > 1 else None

        return of

    return [
        Difference(
            f"{words}: end − a quarter of training",
            measure,
            _over(arms.get("both-small", {}), gain(task, name), "points"),
        )
        for task, words in (("interpolation", "interpolation"), ("i2v", "image-to-video"))
        for measure, name in MEASURES.items()
    ]


def _identity(arms: Arms) -> list[Difference]:
    def last(record: Record) -> float:
        return [row["held_out"] for row in record["details"]["curve"] if "held_out" in row][-1]

    with_it, without = arms.get("generator", {}), arms.get("generator-no-identity", {})

    def gap(record: Record) -> float | None:
        other = without.get(record["cell"]["seed"])
        return None if other is None else last(record) - last(other)

    others = [f"{record['path']}#curve" for record in without.values()]
    return [Difference("with − without", "held-out loss", _over(with_it, gap, "curve", others))]


def _asymmetry(cells: Sequence[Record]) -> list[Difference]:
    """Both asymmetries against neither: each model on each machine, at the most frames and pixels measured of both."""
    found = []
    done = [cell for cell in cells if cell["status"] == "done"]
    for machine, model in dict.fromkeys((cell["machine"], cell["cell"]["model"]) for cell in done):
        own = [c for c in done if (c["machine"], c["cell"]["model"]) == (machine, model)]
        ours, theirs = (
            {
                (c["cell"]["frames"], c["cell"]["size"]): c
                for c in own
                if (c["cell"]["attention"], c["cell"]["resolution"]) == kind
            }
            for kind in (("T", "asymmetric"), ("ST", "symmetric"))
        )
        both = ours.keys() & theirs.keys()
        if not both:  # where one of the two was never measured nothing is claimed
            continue
        frames, size = most = max(both)
        for name, measure in (("latency", "seconds a clip"), ("memory", "peak GiB")):
            words = f"asymmetric − symmetric, {model}, {frames} frames of {size} px, {machine}"
            found.append(Difference(words, measure, _apart(ours[most], theirs[most], name)))
    return found or [Difference("asymmetric − symmetric", "seconds a clip", MISSING)]


def _masks(arms: Arms) -> list[Difference]:
    pair = "both-small-curriculum", "both-small"
    tasks = {
        "interpolation: easy masks first − from the start": "",
        "image-to-video: the same": "i2v_",
    }
    return [
        Difference(words, measure, _between(arms, *pair, prefix + name))
        for words, prefix in tasks.items()
        for measure, name in MEASURES.items()
    ]


# -- differences --------------------------------------------------------------------------------------------------


def _between(arms: Arms, first: str, second: str, name: str) -> Cell:
    """A value of one arm minus that of another, over the seeds of both."""
    others = arms.get(second, {})

    def gap(record: Record) -> float | None:
        other = others.get(record["cell"]["seed"])
        return None if other is None else record["values"][name]["value"] - other["values"][name]["value"]

    return _over(arms.get(first, {}), gap, name, [f"{record['path']}#{name}" for record in others.values()])


def _over(
    records: Mapping[int, Record],
    gap: Callable[[Record], float | None],
    name: str,
    others: Iterable[str] = (),
) -> Cell:
    """The mean of a difference over seeds, with its interval."""
    found = [
        (value, f"{record['path']}#{name}")
        for record in records.values()
        if (value := gap(record)) is not None
    ]
    origins = (*(origin for _, origin in found), *others)
    return mean_over_seeds([value for value, _ in found], origins, signed=True)


def _apart(first: Record | None, second: Record | None, name: str) -> Cell:
    """A cost of one cell minus that of another; its interval spans their repeats."""
    if first is None or second is None:
        return MISSING
    a, b = _repeats(first["values"][name]), _repeats(second["values"][name])
    value, low, high = (same(x) for x in (a[0] - b[0], a[1] - b[2], a[2] - b[1]))
    return Cell(
        value, low, high, signed=True, origin=tuple(f"{record['path']}#{name}" for record in (first, second))
    )


def _repeats(entry: Mapping[str, Any]) -> tuple[float, float, float]:
    """Value, lowest and highest of a cost; what was measured once counts for all three."""
    value = entry["value"]
    return value, entry.get("low") or value, entry.get("high") or value
