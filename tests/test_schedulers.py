"""Schedulers: our DDIM is diffusers', and every one offered ends on the right latent."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from mardini.diffusion import STEPS, alpha_sigma
from mardini.errors import UserError
from mardini.schedulers import DDIM, Scheduler, build_scheduler, diffusers_schedulers

pytest.importorskip("diffusers")

NAMED = ["DDPMScheduler", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler", "UniPCMultistepScheduler"]
END_NOISY = {"DEISMultistepScheduler", "PNDMScheduler", "SASolverScheduler", "TCDScheduler"}
"""End, by their own design, at the noise of step 0, a deviation of 0.006."""


def velocity_towards(z0: torch.Tensor, z: torch.Tensor, step: float) -> torch.Tensor:
    """The exact velocity where all data is the one point ``z0``: eps = (z - alpha z0) / sigma."""
    low = torch.tensor(int(step))
    high = (low + 1).clamp(max=STEPS - 1)
    levels = [torch.stack(alpha_sigma(at, torch.zeros((), dtype=torch.float64))) for at in (low, high)]
    alpha, sigma = (levels[0] + (step - int(step)) * (levels[1] - levels[0])).to(z)
    return alpha * (z - alpha * z0) / sigma - sigma * z0


def run(scheduler: Scheduler, z0: torch.Tensor) -> torch.Tensor:
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(z0))]
    z = torch.randn(z0.shape, generator=torch.Generator().manual_seed(9)) * scheduler.initial_scale
    for index, step in enumerate(scheduler.timesteps):
        z = scheduler.step(z, velocity_towards(z0, scheduler.scaled(z, index), step), index, generators)
    return z


@pytest.mark.parametrize("steps", [1, 2, 5, 10, 25, 50, 100, 250])
def test_our_ddim_equals_that_of_diffusers(steps: int) -> None:
    """With a velocity that depends on the state and the step; within 1e-5 in float32 all along the way."""
    ours, theirs = DDIM(steps), build_scheduler("DDIMScheduler", steps)
    assert list(ours.timesteps) == list(theirs.timesteps)
    a = b = torch.randn(2, 3, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    for index, step in enumerate(ours.timesteps):
        wave = torch.sin(torch.arange(16.0)[:, None, None] + step)
        a = ours.step(a, torch.tanh(a) * wave, index, ())
        b = theirs.step(b, torch.tanh(b) * wave, index, ())
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("steps", [3, 7, 24, 333, 1000])
def test_our_ddim_visits_the_steps_that_diffusers_visits(steps: int) -> None:
    assert list(DDIM(steps).timesteps) == list(build_scheduler("DDIMScheduler", steps).timesteps)


@pytest.mark.parametrize("name", ["ddim", *diffusers_schedulers()])
@pytest.mark.parametrize("steps", [12, 25])
def test_with_the_true_velocity_every_scheduler_lands_on_the_data(name: str, steps: int) -> None:
    z0 = torch.randn(2, 1, 16, 2, 2, generator=torch.Generator().manual_seed(1))
    scheduler = build_scheduler(name, steps)
    assert scheduler.timesteps[0] == STEPS - 1
    torch.testing.assert_close(run(scheduler, z0), z0, atol=0.03 if name in END_NOISY else 1e-4, rtol=0)


def test_the_usual_ones_are_offered() -> None:
    assert set(NAMED) | END_NOISY <= set(diffusers_schedulers())


def test_the_schedule_of_diffusers_is_ours() -> None:
    """Also of those that cannot rescale betas themselves: signal powers within 1e-6."""
    ours = alpha_sigma(torch.arange(STEPS), torch.zeros(1, dtype=torch.float64))[0] ** 2
    for name in diffusers_schedulers():
        theirs = build_scheduler(name, 10)._inner.alphas_cumprod  # pyright: ignore[reportAttributeAccessIssue]
        torch.testing.assert_close(theirs.double(), ours, atol=1e-6, rtol=0, msg=name)


def test_mistakes_get_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="did you mean 'EulerDiscreteScheduler'"):
        build_scheduler("EulerDiscretScheduler", 5)
    with pytest.raises(UserError, match="does not work with velocity"):
        build_scheduler("FlowMatchEulerDiscreteScheduler", 5)
    for name in ("ddim", "EulerDiscreteScheduler"):
        with pytest.raises(UserError, match="choose 1 to 1000"):
            build_scheduler(name, 0)
    with pytest.raises(UserError, match="PNDMScheduler cannot do 2 steps"):
        build_scheduler("PNDMScheduler", 2)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "diffusers" else found(name, *a)
    )
    with pytest.raises(UserError, match=r"pip install mardini\[diffusers\]"):
        build_scheduler("EulerDiscreteScheduler", 5)
    assert isinstance(build_scheduler("ddim", 5), DDIM)
