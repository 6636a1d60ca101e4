"""Samplers of the reverse diffusion: our DDIM, and any velocity-predicting one of diffusers, by name.

All run on the schedule of ``mardini/diffusion.py``: v-prediction, ``squaredcos_cap_v2`` betas rescaled to zero
terminal SNR, trailing spacing. A scheduler is made for one window and thrown away, since many keep a history.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from mardini.diffusion import STEPS, alpha_sigma, ddim_step, sampling_steps
from mardini.errors import UserError, unknown

DEFAULT = "ddim"
"""The scheduler of the paper, in our own implementation; needs no diffusers."""

ALMOST_PURE = 2.0**-24
"""Signal power at the last step for schedulers that divide by it, as in diffusers: noise but for 1e-7."""


class Scheduler(Protocol):
    """One run of reverse diffusion over a window.

    Attributes:
        timesteps: what the networks are told at each step, from 0 to 999, descending; fractional in some.
        initial_scale: what standard normal noise is multiplied by to start.
    """

    initial_scale: float

    @property
    def timesteps(self) -> Sequence[float]: ...

    def scaled(self, z: Tensor, index: int) -> Tensor:
        """The state as the network takes it (unit variance), at the ``index``-th step."""
        ...

    def step(self, z: Tensor, v: Tensor, index: int, generators: Sequence[torch.Generator]) -> Tensor:
        """The next state; the last is the clean latent. ``generators``: one a sample, for those that add noise."""
        ...


class DDIM:
    """Deterministic DDIM (Song et al., 2021): :func:`mardini.diffusion.ddim_step` over trailing steps.

    Equal to diffusers' ``DDIMScheduler`` where the number of steps divides 1000. Elsewhere that one goes from t to
    t - 1000 // steps, which is not quite the step it visits next; ours goes to the one it visits next.
    """

    initial_scale = 1.0

    def __init__(self, steps: int) -> None:
        self._visited = sampling_steps(steps)

    @property
    def timesteps(self) -> Sequence[int]:
        return self._visited

    def scaled(self, z: Tensor, index: int) -> Tensor:
        return z

    def step(self, z: Tensor, v: Tensor, index: int, generators: Sequence[torch.Generator]) -> Tensor:
        following = self.timesteps[index + 1] if index + 1 < len(self.timesteps) else -1
        return ddim_step(z, v, self.timesteps[index], following)


class DiffusersScheduler:
    """A scheduler class of diffusers, configured for our schedule."""

    def __init__(self, kind: Any, steps: int, device: torch.device) -> None:
        sampling_steps(steps)  # refuses what no scheduler can do
        accepted = inspect.signature(kind.__init__).parameters
        config: dict[str, Any] = {
            "num_train_timesteps": STEPS,
            "prediction_type": "v_prediction",
            "timestep_spacing": "trailing",
        }
        if "rescale_betas_zero_snr" in accepted:
            config |= {"beta_schedule": "squaredcos_cap_v2", "rescale_betas_zero_snr": True}
        else:
            config |= {"trained_betas": _betas().tolist()}
        if "clip_sample" in accepted:  # latents are no pixels: they may leave [-1, 1]
            config["clip_sample"] = False
        if "snr_shift_scale" in accepted:  # of CogVideoX: 1 leaves the schedule as it is
            config["snr_shift_scale"] = 1.0
        self._inner = kind(**config)
        try:
            self._inner.set_timesteps(steps, device=device)
            if not self._inner.timesteps.isfinite().all():
                raise ValueError("its steps are not finite")
        except ValueError as error:
            raise UserError(f"{kind.__name__} cannot do {steps} steps ({error}): ask for more") from error
        self._takes_generator = "generator" in inspect.signature(kind.step).parameters
        self._visited: list[float] = self._inner.timesteps.tolist()
        self.initial_scale = float(self._inner.init_noise_sigma)

    @property
    def timesteps(self) -> Sequence[float]:
        return self._visited

    def scaled(self, z: Tensor, index: int) -> Tensor:
        return self._inner.scale_model_input(z, self._inner.timesteps[index])

    def step(self, z: Tensor, v: Tensor, index: int, generators: Sequence[torch.Generator]) -> Tensor:
        extra = {"generator": list(generators)} if self._takes_generator else {}
        return self._inner.step(v, self._inner.timesteps[index], z, **extra, return_dict=False)[0]


def build_scheduler(name: str, steps: int, device: torch.device | str = "cpu") -> Scheduler:
    """A scheduler by name for one run of ``steps`` steps.

    Args:
        name: ``ddim`` (ours), or a class of diffusers, such as ``DPMSolverMultistepScheduler``.
        steps: 1 to 1000. Some take more network calls than that (Heun: 2 a step).
        device: of the latents.

    Raises:
        UserError: diffusers is not installed, has no such scheduler, or that one cannot predict velocities.
    """
    if name.lower() == DEFAULT:
        return DDIM(steps)
    if importlib.util.find_spec("diffusers") is None:
        raise UserError(
            f"scheduler '{name}' is one of diffusers, which is not installed: "
            "run 'pip install mardini[diffusers]' or use 'ddim'"
        )
    import diffusers

    choices = [DEFAULT, *diffusers_schedulers()]
    if name not in choices:
        kind = getattr(diffusers, name, None)
        if name.endswith("Scheduler") and kind is not None:
            raise UserError(
                f"{name} of diffusers does not work with velocity prediction, trailing spacing and our betas: "
                f"choose from {', '.join(choices)}"
            )
        raise unknown("scheduler", name, choices)
    return DiffusersScheduler(getattr(diffusers, name), steps, torch.device(device))


def diffusers_schedulers() -> list[str]:
    """Names of the schedulers of the installed diffusers that predict velocities on a schedule like ours."""
    import diffusers

    needed = {"prediction_type", "beta_schedule", "trained_betas", "timestep_spacing"}
    found = []
    for name in sorted(dir(diffusers)):
        if not name.endswith("Scheduler") or "Inverse" in name:
            continue
        kind: Any = getattr(diffusers, name)
        if getattr(kind, "_backends", None):
            continue  # a stand-in for one whose own requirement is missing
        takes = list(inspect.signature(kind.step).parameters) if hasattr(kind, "step") else []
        if needed <= inspect.signature(kind.__init__).parameters.keys() and takes[1:4] == _STEP:
            found.append(name)
    return found


_STEP = ["model_output", "timestep", "sample"]


def _betas() -> Tensor:
    """Our schedule as betas, float64 (1000,), the last signal power raised from 0 to :data:`ALMOST_PURE`."""
    alpha, _ = alpha_sigma(torch.arange(STEPS), torch.zeros(1, dtype=torch.float64))
    power = (alpha**2).clamp(min=ALMOST_PURE)
    return 1 - power / torch.cat([power.new_ones(1), power[:-1]])
