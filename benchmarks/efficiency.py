"""Table 3 of the paper, and the latency column of Table 5: seconds, memory and operations of image-to-video.

Attention of the generator (spatio-temporal or temporal) and resolution of the planner (that of the generator, or
low), by frames and size. Weights are random, since neither time nor memory depends on them; on a GPU the models are
the paper's, in bfloat16, on a CPU small ones in float32. Running out of memory is a result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.suite import Context, Outcome, Shown, Suite, entry
from mardini.config import MarDiniConfig, preset

if TYPE_CHECKING:
    from mardini.pipeline import MarDiniPipeline

STEPS, GUIDANCE = 25, 2.5  # of the paper's image-to-video
REPEATS = 3
ATTENTION = {"ST": "spatio-temporal", "T": "temporal"}
MODELS = {"S": "S/ST", "L": "L/ST", "nano": "nano", "mini": "mini", "tiny": "tiny"}


@dataclass(frozen=True)
class Cell:
    """One image continued to ``frames`` frames of ``size`` pixels a side.

    ``attention``: ``ST`` or ``T``, of the generator (``T``: asymmetric). ``resolution``: ``asymmetric`` where the
    planner works at low resolution, ``symmetric`` where it works at the generator's.
    """

    model: str
    attention: str
    resolution: str
    frames: int
    size: int


def configuration(cell: Cell) -> MarDiniConfig:
    """The model of a cell."""
    from mardini.errors import unknown

    for what, value, choices in (
        ("model", cell.model, MODELS),
        ("attention", cell.attention, ATTENTION),
        ("resolution", cell.resolution, ("symmetric", "asymmetric")),
    ):
        if value not in choices:
            raise unknown(what, value, choices)
    usual = preset(MODELS[cell.model])
    attention: Any = ATTENTION[cell.attention]
    return dataclasses.replace(
        usual,
        name=f"{cell.model}/{cell.attention}",
        generator=dataclasses.replace(usual.generator, attention=attention),
        low_ratio=usual.low_ratio if cell.resolution == "asymmetric" else 1,
        frames=cell.frames,
        resolution=cell.size,
    )


def measure(cell: Cell, context: Context) -> Outcome:
    """Latency with and without the codec, peak memory, operations, and their share of the device's peak."""
    import numpy as np
    import torch

    from benchmarks.timing import GIB, peak_memory, timed
    from mardini.device import find_device
    from mardini.flops import peak_flops

    config = configuration(cell)
    device = find_device(context.device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    pipeline = build(config, device)
    before = peak_memory(context.device)
    image = np.random.default_rng(0).integers(0, 256, (cell.size, cell.size, 3), np.uint8)
    options: dict[str, Any] = {
        "steps": STEPS,
        "guidance": GUIDANCE,
        "skip_guidance": 0,
        "detail": 0,
        "resolution": "native",
    }
    whole = timed(lambda: pipeline.animate(image, cell.frames - 1, **options), context.device, REPEATS)
    memory = peak_memory(context.device)
    networks = timed(latents_only(pipeline, cell), context.device, REPEATS, warm=0)
    generated = cell.frames - 1
    flops, codec = operations(config, cell)
    peak = peak_flops(device)
    mfu = None if peak is None else flops / networks.median / peak
    values = {
        "latency": whole.entry(),
        "latency_networks": networks.entry(),
        "seconds_per_frame": whole.entry(generated),
        "memory": entry(memory / GIB),
        "memory_weights": entry(before / GIB),
        "flops": entry(flops + codec),
        "flops_networks": entry(flops),
        "flops_per_second": entry(flops / networks.median),
        "mfu": entry(mfu),
    }
    details = {
        "repeats": {"latency": whole.seconds, "latency_networks": networks.seconds},
        "steps": STEPS,
        "guidance": GUIDANCE,
        "sampler": "ddim",
        "precision": str(next(pipeline.model.parameters()).dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "memory": "GiB at most allocated on the device"
        if device.type == "cuda"
        else "GiB, resident set at most",
        "model": config.to_dict(),
    }
    return Outcome(values, details, {"seed": 0, "weights": "seeded random"})


def build(config: MarDiniConfig, device: Any) -> MarDiniPipeline:
    """Random weights, made where and in the precision in which they are used: the large ones fill a CPU's memory."""
    import torch

    from mardini.model import MarDini
    from mardini.pipeline import MarDiniPipeline
    from mardini.vae import LatentCodec

    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    with torch.device("meta"):
        model = MarDini(config).to(dtype).requires_grad_(False)
    model.to_empty(device=device)
    random = torch.Generator(device).manual_seed(0)
    for parameter in model.parameters():
        parameter.normal_(0, 0.02, generator=random)
    codec = LatentCodec(config.codec).requires_grad_(False)
    return MarDiniPipeline(model, codec, device, dtype)


def latents_only(pipeline: MarDiniPipeline, cell: Cell) -> Callable[[], object]:
    """The same window without the codec: planner and generator on random latents."""
    import torch

    from mardini.sampling import sample
    from mardini.vae import FACTOR

    config, device = pipeline.model.config, pipeline.device
    random = torch.Generator().manual_seed(0)
    high, low = cell.size // FACTOR, cell.size // config.low_ratio // FACTOR
    channels, frames = config.codec.channels, cell.frames
    shapes = ((1, 1, channels, high, high), (1, frames, channels, low, low))
    shapes = (*shapes, (1, frames - 1, channels, high, high))
    z_given, z_low, noise = (torch.randn(shape, generator=random).to(device) for shape in shapes)
    mask = (torch.arange(frames) > 0).to(device)
    return lambda: sample(pipeline.model, z_given, z_low, mask, noise, STEPS, GUIDANCE)


def operations(config: MarDiniConfig, cell: Cell) -> tuple[float, float]:
    """Floating-point operations of a clip: of planner and generator, and of the codec."""
    from mardini.flops import decoder, encoder, sampling
    from mardini.vae import FACTOR

    high, low = cell.size // FACTOR, cell.size // config.low_ratio // FACTOR
    networks = sampling(config, cell.frames, 1, (high, high), (low, low), STEPS, guided=True)
    shrunk = cell.size // config.low_ratio
    coded = encoder(config.codec, (cell.size, cell.size)) + encoder(config.codec, (shrunk, shrunk))
    return networks.forward, (
        coded + decoder(config.codec, (cell.size, cell.size)) * (cell.frames - 1)
    ).forward


def work(cell: Cell) -> float:
    """Relative cost: tokens, and their square where all attend to all. Rough, and needs no torch."""
    config = configuration(cell)
    tokens = (cell.size / 8) ** 2
    across = tokens * cell.frames if cell.attention == "ST" else cell.frames
    g, p = config.generator, config.planner
    generator = (
        2 * STEPS * g.depth * g.hidden * cell.frames * tokens * (20 * g.hidden + 4 * (tokens + across))
    )
    low = tokens / config.low_ratio**2
    planner = p.depth * p.hidden * cell.frames * low * (16 * p.hidden + 4 * low * cell.frames)
    return generator + planner


def axes(device: str) -> dict[str, tuple[Any, ...]]:
    """The paper's models at its sizes on a GPU; the small presets elsewhere."""
    kinds = {"attention": ("ST", "T"), "resolution": ("symmetric", "asymmetric")}
    if device.startswith("cuda"):
        return {"model": ("S", "L"), **kinds, "frames": (9, 13, 17), "size": (256, 512, 768, 1024)}
    return {"model": ("nano",), **kinds, "frames": (9, 13), "size": (64, 128)}


SUITE = Suite(
    name="efficiency",
    line="latency, memory and operations by attention, resolution, frames and size (Tables 3 and 5)",
    cell=Cell,
    axes=axes,
    measure=measure,
    shown=(
        Shown("latency", "s/clip", 3),
        Shown("latency_networks", "no codec", 3),
        Shown("seconds_per_frame", "s/frame", 4),
        Shown("memory", "GiB", 3),
        Shown("flops", "TFLOP", 3, 1e-12),
        Shown("mfu", "MFU", 3),
    ),
    work=work,
    alike=("model",),
    isolated=True,
    timed=True,
)
