"""Our metrics against the tools people use, on the same frames with the same random weights: seconds and memory.

Frames are in memory already, networks are loaded, and the first call does not count; every cell has a process of its
own. A peer that is not installed is a recorded row. What is aimed at: no slower than the fastest peer on any metric,
twice as fast on the whole set, less memory, ten times as fast on the Fréchet step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.suite import Context, Outcome, Record, Shown, Suite, entry
from mardini.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from benchmarks.peers.tools import Tool

OURS, CHAIN = "mardini", "fastest-peers"
SET = ("psnr", "ssim", "lpips_alex", "fid", "fvd")
"""The metrics of the whole set."""
NAMES = {"psnr": "psnr", "ssim": "ssim_std", "lpips_alex": "lpips_alex", "lpips_vgg": "lpips_vgg"}
"""What our toolkit calls them; ``fid`` and ``fvd`` alike."""
PEERS: dict[str, tuple[str, ...]] = {
    "psnr": ("scikit-image", "torchmetrics", "common_metrics"),
    "ssim": ("scikit-image", "torchmetrics", "common_metrics"),
    "lpips_alex": ("lpips", "torchmetrics", "common_metrics"),
    "lpips_vgg": ("lpips", "torchmetrics"),
    "fid": ("pytorch-fid", "torch-fidelity", "clean-fid", "torchmetrics"),
    "fvd": ("cd-fvd", "common_metrics"),
    "frechet-200x2048": ("pytorch-fid", "torch-fidelity", "clean-fid", "torchmetrics", "cd-fvd"),
    "frechet-4096x2048": ("pytorch-fid", "torch-fidelity", "clean-fid", "torchmetrics", "cd-fvd"),
    "frechet-357x400": ("pytorch-fid", "torch-fidelity", "clean-fid", "torchmetrics", "cd-fvd"),
    "set": (CHAIN,),
}
"""Metric -> the tools that have it. ``frechet-NxD``: the distance alone, between N features of D dimensions."""
FIRST_SEED = 19_100_000
REPEATS = 3


@dataclass(frozen=True)
class Cell:
    """A tool on a metric of ``clips`` clips of ``frames`` frames, ``size`` pixels a side."""

    metric: str
    tool: str
    clips: int
    frames: int
    size: int


def allowed(cell: Cell) -> bool:
    """Tools that have the metric. Longer clips are for FVD alone, which some refuse on short ones."""
    tools = (OURS, *PEERS.get(cell.metric, ()))
    return cell.tool in tools and (cell.frames == 9 or cell.metric == "fvd")


def measure(cell: Cell, context: Context) -> Outcome:
    """Seconds of a repeat, peak memory of the process, and the value, so that tools can be held to each other."""
    import torch

    from benchmarks import peers
    from benchmarks.timing import GIB, peak_memory, timed

    details: dict[str, Any] = {"version": peers.version(cell.tool), "threads": torch.get_num_threads()}
    found: list[float] = []
    if cell.metric.startswith("frechet-"):
        a, b = features(cell.metric)
        distance = our_distance if cell.tool == OURS else peers.sets.frechet(cell.tool)
        timing = timed(lambda: found.append(distance(a, b)), repeats=REPEATS)
        values = {"value": entry(found[-1])}
    else:
        chain: Mapping[str, str] = {cell.metric: cell.tool}
        if cell.metric == "set":
            chain = dict.fromkeys(SET, OURS) if cell.tool == OURS else fastest(cell, context)
            details["chain"] = dict(chain)
        tool = together(chain, context)
        prediction, reference = pairs(cell)
        tool(prediction[:2], reference[:2])
        results: list[Mapping[str, float]] = []
        timing = timed(lambda: results.append(tool(prediction, reference)), repeats=REPEATS, warm=0)
        values = {name: entry(value) for name, value in results[-1].items()}
        values = {"value": values[cell.metric]} if len(values) == 1 else values
    values |= {"seconds": timing.entry(), "memory": entry(peak_memory() / GIB)}
    return Outcome(
        values, {**details, "repeats": timing.seconds}, {"seed": FIRST_SEED, "weights": "seeded random"}
    )


def together(chain: Mapping[str, str], context: Context) -> Callable[[Any, Any], dict[str, float]]:
    """One call for several metrics: ours in one pass, as the toolkit scores; peers one after the other."""
    from benchmarks import peers

    if set(chain.values()) == {OURS}:
        return our_metrics(list(chain), context)
    cache = context.cache / "metric-speed"
    tools: dict[str, Tool] = {metric: peers.make(tool, metric, cache) for metric, tool in chain.items()}
    return lambda prediction, reference: {name: tool(prediction, reference) for name, tool in tools.items()}


def our_metrics(metrics: Sequence[str], context: Context) -> Callable[[Any, Any], dict[str, float]]:
    """Our metrics through ``build_metrics``: per-clip scores, features, and distances with their intervals."""
    import numpy as np

    from eval.metrics import build_metrics
    from eval.metrics.base import Video
    from eval.metrics.lpips import LPIPS
    from eval.metrics.recent import Recent

    built = build_metrics([NAMES.get(name, name) for name in metrics], "random", middle=False)
    columns = {column.metric.removesuffix("_random"): column.name for column in built.columns}

    def run(prediction: np.ndarray, reference: np.ndarray) -> dict[str, float]:
        for metric in built.metrics:  # a repeat must not find the true frames' features of the one before
            if isinstance(metric, LPIPS):
                metric.recent = Recent()
        frames = prediction.shape[1]
        given = (0, frames - 1)
        scores: dict[str, list[float]] = {}
        features: tuple[dict[str, list[Any]], ...] = ({}, {})
        for a, b in zip(prediction, reference, strict=True):
            row, _ = built.score(Video(a, given, b, 24.0), None)
            for name, value in row.items():
                scores.setdefault(name, []).append(value)
            for clip, side in zip((a, b), features, strict=True):
                for key, rows in built.features(clip, range(1, frames - 1), None).items():
                    side.setdefault(key, []).append(rows)
        sources = [str(number) for number in range(len(prediction))]
        ours, true = ({key: np.concatenate(rows) for key, rows in side.items()} for side in features)
        distances = built.distances(ours, true, sources)
        values = {name: sum(found) / len(found) for name, found in scores.items()}
        values |= {name: found.value for name, found in distances.items()}
        return {name: values[columns[NAMES.get(name, name)]] for name in metrics}

    return run


def our_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The Fréchet step of ours, its import left out of ``--help``."""
    from eval.metrics.frechet import frechet_distance

    return frechet_distance(a, b)


def fastest(cell: Cell, context: Context) -> dict[str, str]:
    """Metric -> the peer that was fastest on the same clips, by the records of this machine."""
    chain = {}
    for metric in SET:
        known = [r for r in alike(context, cell, metric) if r["cell"]["tool"] in PEERS[metric]]
        if not known:
            raise UserError(f"no peer of {metric} has been measured on these clips: run those cells first")
        chain[metric] = min(known, key=lambda r: r["values"]["seconds"]["value"])["cell"]["tool"]
    return chain


def alike(context: Context, cell: Cell, metric: str) -> list[Record]:
    """Finished records of a metric on the same clips."""
    from benchmarks.records import read_all

    wanted = {"metric": metric, "clips": cell.clips, "frames": cell.frames, "size": cell.size}
    return [
        record
        for record in read_all(context.records)
        if record["status"] == "done" and wanted.items() <= record["cell"].items()
    ]


def pairs(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Cross-faded and true procedural clips, each ``uint8`` (N, T, H, W, 3)."""
    import numpy as np

    from eval.systems.baselines import cross_fade
    from mardini.synthetic import make_clip

    size = (cell.size, cell.size)
    true = np.stack([make_clip(FIRST_SEED + n, frames=cell.frames, size=size) for n in range(cell.clips)])
    made = true.copy()
    for clip in made:
        clip[1:-1] = cross_fade(clip[0], clip[-1], cell.frames - 2)
    return made, true


def features(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of correlated random features, as many and as long as ``frechet-NxD`` says."""
    import numpy as np

    rows, columns = map(int, name.removeprefix("frechet-").split("x"))
    random = np.random.default_rng(0)
    mixing = random.standard_normal((columns, columns)) / np.sqrt(columns)
    a, b = (random.standard_normal((rows, columns)) @ mixing for _ in range(2))
    return a.astype(np.float32), (0.9 * b + 0.1).astype(np.float32)


def axes(device: str) -> dict[str, tuple[Any, ...]]:
    """Values of every field of a cell, where ``--with`` gives no others."""
    tools = dict.fromkeys([OURS, *(tool for tools in PEERS.values() for tool in tools)])
    return {"metric": tuple(PEERS), "tool": tuple(tools), "clips": (8,), "frames": (9, 16), "size": (256,)}


def summary(records: Sequence[Record]) -> str:
    """Ours against the fastest and the thriftiest peer, metric by metric."""
    groups: dict[tuple[Any, ...], dict[str, Record]] = {}
    for record in records:
        cell = record["cell"]
        if record["status"] == "done":
            place = (cell["metric"], cell["clips"], cell["frames"], cell["size"])
            groups.setdefault(place, {})[cell["tool"]] = record
    lines = []
    for (metric, clips, frames, size), tools in groups.items():
        others = {tool: record for tool, record in tools.items() if tool != OURS}
        if OURS in tools and others:
            of = {name: of_tools(others, name) for name in ("seconds", "memory")}
            own = {name: tools[OURS]["values"][name]["value"] for name in of}
            faster, share = of["seconds"][1] / own["seconds"], own["memory"] / of["memory"][1]
            on = "" if metric.startswith("frechet-") else f", {clips} clips of {frames} x {size} px"
            lines.append(
                f"{metric}{on}: {faster:.2f} times as fast as {of['seconds'][0]}; "
                f"{share:.2f} of the peak memory of {of['memory'][0]}"
            )
    missing = [r for r in records if r["status"] != "done"]
    lines += [f"{r['cell']['metric']} by {r['cell']['tool']}: {r['error']['sentence']}" for r in missing]
    return "\n".join(lines)


def of_tools(records: Mapping[str, Record], name: str) -> tuple[str, float]:
    """The tool with the least of a value, and the value."""
    tool = min(records, key=lambda t: records[t]["values"][name]["value"])
    return tool, records[tool]["values"][name]["value"]


SUITE = Suite(
    name="metric-speed",
    line="seconds and memory of our metrics against pytorch-fid, torchmetrics, lpips, cd-fvd and others",
    cell=Cell,
    axes=axes,
    measure=measure,
    on_gpu=False,
    shown=(Shown("seconds", "seconds", 4), Shown("memory", "GiB", 2), Shown("value", "value", 4)),
    allowed=allowed,
    work=lambda cell: cell.clips * cell.frames * cell.size**2,
    alike=("metric", "tool"),
    isolated=True,
    timed=True,
    summary=summary,
)
