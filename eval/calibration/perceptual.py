"""LPIPS, DISTS, CLIP and RAFT against the packages they come from, with the same injected weights."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from eval.calibration.inputs import (
    NOISE,
    PROCEDURAL,
    clips,
    generated_frames,
    noise_frames,
    quiet,
    weight_file,
    weights,
)
from eval.calibration.rows import Check, Values
from eval.metrics.base import Pair, Video

BACKBONES = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet"}


def checks() -> list[Check]:
    """All rows of this kind."""
    rows = [
        Check(
            f"lpips_{net}",
            "v0.1, images in [-1, 1]",
            "lpips",
            f"LPIPS(net='{net}'), its own linear layers",
            inputs,
            1e-6,
            functools.partial(_lpips, net, inputs),
        )
        for net in BACKBONES
        for inputs in (PROCEDURAL, NOISE)
    ]
    rows.append(
        Check(
            "dists",
            "VGG-16, L2 pooling",
            "DISTS-pytorch",
            "DISTS, its own channel weights",
            PROCEDURAL,
            5e-6,
            _dists,
        )
    )
    rows += [
        Check(
            "clip",
            convention,
            "open_clip_torch",
            "ViT-B-32-quickgelu, image_transform",
            PROCEDURAL,
            1e-5,
            functools.partial(_clip, column),
        )
        for column, convention in (
            ("_frames", "clip_frames: consecutive frames"),
            ("_image", "clip_image: with given frames"),
        )
    ]
    rows.append(
        Check(
            "warping_error_raft",
            "masked mean squared error, RAFT flow",
            "torchvision",
            "raft_large with its own transform, error by SciPy",
            "2 frames of procedural clips, 136x128",
            1e-4,
            _raft,
            relative=True,
            needs=("scipy",),
        )
    )
    return rows


def _lpips(net: str, inputs: str) -> Values:
    import torch
    from lpips import LPIPS as Package

    from eval.metrics.lpips import LPIPS

    a, b = (x[:6] for x in (generated_frames() if inputs == PROCEDURAL else noise_frames()))
    state = weights(BACKBONES[net])
    with quiet():
        theirs = Package(net=net, version="0.1", pnet_rand=True, verbose=False)
    for name, value in theirs.net.named_parameters():
        value.data.copy_(state["features." + name.split(".", 1)[1]])
    with torch.inference_mode():
        x, y = (torch.from_numpy(s).permute(0, 3, 1, 2).float() / 127.5 - 1 for s in (a, b))
        expected = theirs(x, y).flatten().numpy()
    return LPIPS(net, weight_file(BACKBONES[net]))(Pair(a, b)), expected


def _dists() -> Values:
    import torch
    import torchvision

    from eval.metrics.dists import DISTS, channel_weights

    DISTS_pt = importlib.import_module("DISTS_pytorch.DISTS_pt")
    a, b = (x[:6] for x in generated_frames())
    vgg = torchvision.models.vgg16(weights=None)
    vgg.features.load_state_dict({k.removeprefix("features."): v for k, v in weights("vgg16").items()})
    before = DISTS_pt.models.vgg16
    DISTS_pt.models.vgg16 = lambda pretrained: vgg
    try:
        theirs = DISTS_pt.DISTS(load_weights=False)
    finally:
        DISTS_pt.models.vgg16 = before
    state = torch.load(channel_weights(), map_location="cpu", weights_only=True)
    theirs.alpha.data, theirs.beta.data = state["alpha"], state["beta"]
    x, y = (torch.from_numpy(s).permute(0, 3, 1, 2).float() / 255 for s in (a, b))
    with torch.inference_mode():
        expected = theirs(x, y).numpy()
    return DISTS(weight_file("vgg16"))(Pair(a, b)), expected


@functools.cache
def _clip_features() -> tuple[Any, list[np.ndarray]]:
    """Our metric, and unit features of two clips by open_clip with the same weights."""
    import torch
    from PIL import Image

    from eval.metrics.clip import ClipSimilarity

    open_clip = importlib.import_module("open_clip")
    metric = ClipSimilarity(None)
    with quiet():
        theirs = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None)
    theirs.visual.load_state_dict(metric.network.state_dict(), strict=True)
    transform = open_clip.image_transform(224, is_train=False)
    found = []
    with torch.inference_mode():
        for clip in clips()[0][:2]:
            images = torch.stack([transform(Image.fromarray(frame)) for frame in clip])
            features = theirs.eval().encode_image(images, normalize=True)
            found.append(features.double().numpy())
    return metric, found


def _clip(column: str) -> Values:
    metric, features = _clip_features()
    given, targets = [0, 8], list(range(1, 8))
    ours = [metric(Video(clip, (0, 8), None, 24.0))[column] for clip in clips()[0][:2]]
    if column == "_frames":
        return ours, [np.mean([a @ b for a, b in zip(f[1:], f[:-1], strict=True)]) for f in features]
    return ours, [np.mean([[f[t] @ f[g] for g in given] for t in targets]) for f in features]


def _raft() -> Values:
    import torch
    from torchvision.models.optical_flow import Raft_Large_Weights, raft_large

    from eval.calibration.pixels import warping_error
    from eval.metrics.temporal import RaftWarpingError
    from mardini.synthetic import make_clip

    metric = RaftWarpingError(None)
    frames = make_clip(3, 2, (128, 136))
    theirs = raft_large(weights=None)
    theirs.load_state_dict(metric.network.network.state_dict())
    theirs.eval()
    transform = Raft_Large_Weights.C_T_SKHT_V2.transforms()

    def flow(first: list[np.ndarray], second: list[np.ndarray]) -> list[np.ndarray]:
        a, b = (torch.from_numpy(np.stack(x)).permute(0, 3, 1, 2) for x in (first, second))
        with torch.inference_mode():
            return list(theirs(*transform(a, b))[-1].permute(0, 2, 3, 1).numpy())

    return metric(Video(frames, (0,), None, 24.0))[""], warping_error(frames, flow)
