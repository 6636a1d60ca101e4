"""Video diffusion models through diffusers. Each works at its own length and size; see ``resampling.py``.

To add one: an entry in ``rivals.py``, and here a class with its native format, its constant options and the arguments
that carry the given frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from eval.systems.base import Task
from eval.systems.model_folder import Model, download, load, locate, quiet
from eval.systems.resampling import Native, Times, from_model, model_size, times, to_model
from eval.systems.rivals import DIFFUSERS, INSTALL, RIVALS, Hub, check_given, missing_packages
from mardini.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

    from eval.protocols import Protocol

PROMPT = "A realistic video with smooth, natural motion."
"""For models that need words: the same for every clip, and about none of them in particular."""

WAN_NEGATIVE = (
    "Bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, images, static, overall "
    "gray, worst quality, low quality, JPEG compression residue, ugly, incomplete, extra fingers, poorly drawn hands, "
    "poorly drawn faces, deformed, disfigured, misshapen limbs, fused fingers, still picture, messy background, three "
    "legs, many people in the background, walking backwards"
)
"""Of Wan's own examples, as in diffusers' documentation."""

LTX_NEGATIVE = "worst quality, inconsistent motion, blurry, jittery, distorted"
"""Of LTX-Video's own examples, as in diffusers' documentation."""

GREY = (128, 128, 128)  # of frames that VACE is to generate, as in diffusers' documentation


class DiffusionSystem:
    """A pipeline of diffusers, one clip at a time, each on its own seed.

    Args:
        name: in ``RIVALS``.
        protocol: what will be asked.
        fps: of the clips.
        where: a folder, or a model on the Hub (``owner/name``, ``owner/name@revision``); ``None``: the usual one.
        device: ``cpu``, ``cuda`` ...

    Raises:
        UserError: the model cannot be given these frames or is at no such place, or the clips are too long for it.
    """

    pipeline: ClassVar[str]
    """Class of diffusers."""
    native: ClassVar[Native]
    options: ClassVar[Mapping[str, Any]]
    """Arguments of the pipeline that are the same for every clip."""
    precision: ClassVar[Mapping[str, str]] = {"default": "bfloat16"}
    """Of the pipeline's parts on a GPU; on a CPU all are float32."""
    variant_of_files: ClassVar[str | None] = None
    """Which of several copies of the weights a Hub repository holds."""

    def __init__(
        self, name: str, protocol: Protocol, fps: float, where: str | None = None, device: str = "cpu"
    ) -> None:
        self.rival, self.name, self.device = RIVALS[name], name, device
        check_given(self.rival, protocol.given, protocol.frames)
        assert isinstance(self.rival.source, Hub)
        if lacking := missing_packages(self.rival.source.packages):
            raise UserError(f"system '{name}' needs {', '.join(lacking)}: {INSTALL}")
        self.times = times(name, protocol.frames, protocol.given, fps, self.native)
        self.model: Model = locate(name, where, self.rival.source)
        self.variant = f"{name}-{self.model.tag}" if self.model.tag else name
        self._pipeline: Any = None

    def describe(self) -> dict[str, Any]:
        model = dict(self.model.identity)
        if self.model.revision is not None and self.variant_of_files is not None:
            model["copy"] = self.variant_of_files
        return {
            "system": self.name,
            "version": 1,
            "model": model,
            "pipeline": self.pipeline,
            "packages": {package: version(package) for package in DIFFUSERS},
            "options": dict(self.options),
            "precision": self._precision(),
            "resampling": {
                "frames": self.times.frames,
                "places": list(self.times.places),
                "rate": self.times.rate,
                "pixels": self.native.size[0] * self.native.size[1],
                "multiple": self.native.multiple,
                "shape": "the clip's, stretched to the multiple",
                "filter": "area where smaller, cubic where larger",
            },
        }

    def _precision(self) -> dict[str, str]:
        return {"default": "float32"} if self.device == "cpu" else dict(self.precision)

    def prepare(self) -> None:
        """Download the model unless it is here."""
        download(self.name, self.model, self.pipeline, self.variant_of_files)

    def predict(self, tasks: Sequence[Task]) -> list[np.ndarray]:
        if self._pipeline is None:
            folder = download(self.name, self.model, self.pipeline, self.variant_of_files)
            self._pipeline = load(
                self.name, folder, self.pipeline, self._precision(), self.variant_of_files, self.device
            )
        return [self._complete(task) for task in tasks]

    def _complete(self, task: Task) -> np.ndarray:
        import torch

        check_given(self.rival, task.given, task.frames)
        size = next(iter(task.given.values())).shape[:2]
        where = times(self.name, task.frames, task.given, task.fps, self.native)
        height, width = model_size((size[0], size[1]), self.native)
        placed = {where.places[index]: to_model(frame, self.native) for index, frame in task.given.items()}
        with quiet():
            output = self._pipeline(
                **self.arguments(placed, where),
                **self.options,
                height=height,
                width=width,
                num_frames=where.frames,
                generator=torch.Generator("cpu").manual_seed(task.seed),
                output_type="np",
            )
        try:
            return from_model(np.asarray(output.frames[0]), where, (size[0], size[1]))
        except ValueError as error:
            raise UserError(
                f"system '{self.name}' failed on clip '{task.clip_id}' ({error}): leave it out with --systems, or run "
                "the model outside and give its frames by --predictions"
            ) from error

    def arguments(self, placed: Mapping[int, np.ndarray], where: Times) -> dict[str, Any]:
        """The pipeline's arguments that hold the given frames.

        Args:
            placed: index in the model's video -> ``uint8`` (h, w, 3) in the model's size.
            where: the clip's places.
        """
        raise NotImplementedError


def image(frame: np.ndarray) -> Image.Image:
    """As the pipelines take it."""
    from PIL import Image

    return Image.fromarray(frame)


class StableVideoDiffusion(DiffusionSystem):
    """SVD-XT: motion after one image. Options are the pipeline's own; the frame rate is a condition (5 to 30)."""

    pipeline = "StableVideoDiffusionPipeline"
    native = Native(25, 1, 5, 30, (576, 1024), 64)
    options: ClassVar[Mapping[str, Any]] = {
        "num_inference_steps": 25,
        "min_guidance_scale": 1.0,
        "max_guidance_scale": 3.0,
        "motion_bucket_id": 127,
        "noise_aug_strength": 0.02,
        "decode_chunk_size": 8,
    }
    precision: ClassVar[Mapping[str, str]] = {"default": "float16"}
    variant_of_files = "fp16"

    def arguments(self, placed: Mapping[int, np.ndarray], where: Times) -> dict[str, Any]:
        return {"image": image(placed[0]), "fps": round(where.rate)}


class WanFirstLast(DiffusionSystem):
    """Wan 2.1 FLF2V: a video from its first frame to its last; options as in diffusers' documentation."""

    pipeline = "WanImageToVideoPipeline"
    native = Native(81, 4, 16, 16, (720, 1280), 16)
    options: ClassVar[Mapping[str, Any]] = {
        "prompt": PROMPT,
        "negative_prompt": WAN_NEGATIVE,
        "num_inference_steps": 50,
        "guidance_scale": 5.5,
    }
    precision: ClassVar[Mapping[str, str]] = {
        "default": "bfloat16",
        "vae": "float32",
        "image_encoder": "float32",
    }

    def arguments(self, placed: Mapping[int, np.ndarray], where: Times) -> dict[str, Any]:
        return {"image": image(placed[0]), "last_image": image(placed[where.frames - 1])}


class WanVace(DiffusionSystem):
    """Wan 2.1 VACE: a grey video with the given frames in their places, and a mask of what to generate."""

    pipeline = "WanVACEPipeline"
    native = Native(81, 4, 16, 16, (480, 832), 16)
    options: ClassVar[Mapping[str, Any]] = {
        "prompt": PROMPT,
        "negative_prompt": WAN_NEGATIVE,
        "num_inference_steps": 30,
        "guidance_scale": 5.0,
    }
    precision: ClassVar[Mapping[str, str]] = {"default": "bfloat16", "vae": "float32"}

    def arguments(self, placed: Mapping[int, np.ndarray], where: Times) -> dict[str, Any]:
        from PIL import Image

        height, width = next(iter(placed.values())).shape[:2]
        unknown = Image.new("RGB", (width, height), GREY)
        keep, generate = (Image.new("L", (width, height), value) for value in (0, 255))
        return {
            "video": [image(placed[k]) if k in placed else unknown for k in range(where.frames)],
            "mask": [keep if k in placed else generate for k in range(where.frames)],
        }


class LtxCondition(DiffusionSystem):
    """LTX-Video 0.9.5: every given frame is a condition at its place; options as in diffusers' documentation."""

    pipeline = "LTXConditionPipeline"
    native = Native(121, 8, 25, 25, (512, 704), 32)
    options: ClassVar[Mapping[str, Any]] = {
        "prompt": PROMPT,
        "negative_prompt": LTX_NEGATIVE,
        "num_inference_steps": 40,
        "guidance_scale": 3.0,
        "decode_timestep": 0.05,
        "decode_noise_scale": 0.025,
        "image_cond_noise_scale": 0.025,
        "frame_rate": 25,
    }

    def arguments(self, placed: Mapping[int, np.ndarray], where: Times) -> dict[str, Any]:
        from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

        conditions = [
            LTXVideoCondition(image=image(frame), frame_index=k) for k, frame in sorted(placed.items())
        ]
        return {"conditions": conditions}


DIFFUSION: dict[str, type[DiffusionSystem]] = {
    "svd": StableVideoDiffusion,
    "wan-flf2v": WanFirstLast,
    "wan-vace": WanVace,
    "ltx": LtxCondition,
}
