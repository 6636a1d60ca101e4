"""Cosines of CLIP's image features: does a clip stay the same scene, and the scene that was given.

No truth is needed, so these serve image suites. A clip that stands still is perfect by both: read them beside a
measure of motion.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.base import Kind, Video
from mardini.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn


class ClipSimilarity:
    """Two columns from one pass of CLIP ViT-B/32 over all frames of a clip.

    - ``clip_frames``: mean cosine of consecutive frames ("frame consistency", Esser et al. 2023, arXiv:2302.03011);
    - ``clip_image``: mean cosine of every generated frame with every given one (image-to-video similarity).
    """

    kind: Kind = "video"
    version = "1"
    higher_is_better = True
    decimals = 4
    suffixes = ("_frames", "_image")
    needs_reference = False
    min_frames = 2

    def __init__(self, weights: Path | None, device: str = "cpu") -> None:
        self.file, self.device = weights, device
        self.name = "clip" if weights else "clip_random"
        self.weights = ("clip_vit_b_32",) if weights else ()
        self.variant = {
            "encoder": "CLIP ViT-B/32 image encoder, 512 features, float32",
            "weights": "OpenAI" if weights else "seeded random",
            "resize": "Pillow bicubic, shorter side 224, centre crop",
            "frames": "consecutive frames of the whole clip",
            "image": "generated frames with given frames, all pairs",
        }

    @cached_property
    def network(self) -> nn.Module:
        from eval.metrics.vbench import clip  # the one that background_consistency uses too

        return clip("ViT-B/32", self.file, self.device)

    def __call__(self, video: Video) -> dict[str, float]:
        given, targets = list(video.given), list(video.targets)
        if len(video.frames) < 2 or not given or not targets:
            raise UserError(
                f"{self.name} compares frames with one another and with the given ones, but this clip has "
                f"{len(video.frames)} frames of which {len(given)} are given: leave it out of --metrics"
            )
        features = self.features(video.frames)
        consecutive = np.einsum("td,td->t", features[1:], features[:-1])
        return {
            "_frames": float(consecutive.mean()),
            "_image": float((features[targets] @ features[given].T).mean()),
        }

    def features(self, frames: np.ndarray) -> np.ndarray:
        """Unit features of ``uint8`` RGB frames (T, H, W, 3): float64 (T, 512)."""
        import torch

        from eval.networks.inference import full_precision

        with torch.inference_mode(), full_precision(torch.device(self.device)):
            features = self.network(preprocess(frames).to(self.device)).double().cpu().numpy()
        return features / np.linalg.norm(features, axis=1, keepdims=True)


def preprocess(frames: np.ndarray) -> Tensor:
    """``uint8`` (T, H, W, 3) -> float32 (T, 3, 224, 224), as the authors do it.

    Pillow's bicubic of the shorter side to 224 (with antialiasing, rounded to 8 bits), the middle square, then mean
    and deviation of CLIP's training images.
    """
    import torch
    from PIL import Image

    from eval.networks.clip import DEVIATION, MEAN, SIZE

    height, width = frames.shape[1:3]
    short = min(height, width)
    size = (SIZE * width // short, SIZE * height // short)
    left, top = round((size[0] - SIZE) / 2), round((size[1] - SIZE) / 2)
    resized = [np.asarray(Image.fromarray(f).resize(size, resample=Image.Resampling.BICUBIC)) for f in frames]
    squares = np.stack([image[top : top + SIZE, left : left + SIZE] for image in resized])
    x = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)
