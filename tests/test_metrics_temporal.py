"""Flicker and warping error: formulas restated, closed forms, and what a mask leaves out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import skimage.data
import torch

from eval.metrics.base import Video
from eval.metrics.temporal import RaftWarpingError, WarpingError, visible, warping_error
from eval.metrics.vbench import TemporalFlickering
from mardini.errors import UserError


def moving(step: int = 2, frames: int = 3, size: int = 96) -> np.ndarray:
    """A photograph that moves to the left by ``step`` pixels a frame."""
    astronaut = skimage.data.astronaut()
    return np.stack(
        [astronaut[100 : 100 + size, 150 + step * t : 150 + step * t + size] for t in range(frames)]
    )


def video(frames: np.ndarray) -> Video:
    return Video(frames, (0,), None, 24.0)


def test_flicker_is_vbenchs_formula():
    frames = moving()
    maes = [np.mean(np.abs(a.astype(np.float32) - b)) for a, b in itertools.pairwise(frames)]
    assert TemporalFlickering()(video(frames))[""] == pytest.approx((255 - np.mean(maes)) / 255, abs=1e-6)


def test_a_still_clip_is_perfect_by_both():
    still = np.repeat(moving(frames=1), 3, axis=0)
    assert TemporalFlickering()(video(still)) == {"": 1.0}
    assert WarpingError()(video(still))[""] == pytest.approx(0, abs=1e-20)


def test_motion_that_flow_explains_costs_little_and_noise_much():
    frames = moving(3)
    squared = float(np.square(np.diff(frames.astype(float), axis=0) / 255).mean())
    moved = WarpingError()(video(frames))[""]
    assert moved < 0.05 * squared
    noise = np.random.default_rng(0).integers(-40, 41, frames.shape)
    assert WarpingError()(video(np.clip(frames + noise, 0, 255).astype(np.uint8)))[""] > 20 * moved


def restated(
    frame: np.ndarray, after: np.ndarray, forward: np.ndarray, backward: np.ndarray
) -> tuple[float, np.ndarray]:
    """Warping error and mask, pixel by pixel, after the formulas of Lai et al. and Ruder et al."""
    height, width = frame.shape[:2]

    def at(image: np.ndarray, y: float, x: float) -> np.ndarray:
        y0, x0 = int(np.floor(y)), int(np.floor(x))
        total = np.zeros(image.shape[2])
        for dy in (0, 1):
            for dx in (0, 1):
                weight = (1 - abs(y - y0 - dy)) * (1 - abs(x - x0 - dx))
                row, column = np.clip(y0 + dy, 0, height - 1), np.clip(x0 + dx, 0, width - 1)
                total += weight * image[row, column]
        return total

    errors, mask = [], np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            u, v = forward[y, x]
            inside = -0.5 <= x + u <= width - 0.5 and -0.5 <= y + v <= height - 0.5
            back = at(backward, y + v, x + u)
            strict = np.sum((forward[y, x] + back) ** 2) <= 0.01 * (u * u + v * v + np.sum(back**2)) + 0.5
            right = forward[y, min(x + 1, width - 1)] - forward[y, x]
            below = forward[min(y + 1, height - 1), x] - forward[y, x]
            smooth = np.sum(right**2) + np.sum(below**2) <= 0.01 * (u * u + v * v) + 0.002
            mask[y, x] = inside and strict and smooth
            if mask[y, x]:
                errors.append(np.mean(np.square((at(after, y + v, x + u) - frame[y, x]) / 255)))
    return float(np.mean(errors)), mask


def test_warping_error_equals_its_formula_pixel_by_pixel():
    random = np.random.default_rng(0)
    frame, after = random.integers(0, 256, (2, 12, 14, 3), dtype=np.uint8)
    forward = (random.uniform(-0.02, 0.02, (12, 14, 2)) + 1.3).astype(np.float32)
    forward[3:6, 4:9] += 3
    backward = (random.uniform(-0.6, 0.6, (12, 14, 2)) - 1.3).astype(np.float32)
    expected, mask = restated(frame, after, forward, backward)
    assert 0.1 < mask.mean() < 0.9
    np.testing.assert_array_equal(visible(forward, backward), mask)
    assert warping_error(frame, after, forward, backward) == pytest.approx(expected, rel=1e-6)


def test_a_pair_without_a_visible_pixel_is_no_perfect_one():
    frame, after = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 51, np.uint8)
    forward, backward = np.full((8, 8, 2), 2, np.float32), np.full((8, 8, 2), 2, np.float32)
    assert not visible(forward, backward).any()
    assert warping_error(frame, after, forward, backward) == pytest.approx(0.04, rel=1e-6)


def test_raft_takes_frames_of_any_size_above_its_least():
    metric = RaftWarpingError(None)
    assert (metric.name, metric.weights) == ("warping_error_raft_random", ())
    frames = moving(2, frames=2, size=132)[:, :129]
    flow = metric.network.flow(frames[0], frames[1])
    assert flow.shape == (129, 132, 2)
    assert np.isfinite(flow).all()
    with pytest.raises(UserError, match="at least 128x128 pixels, got 96x96"):
        metric(video(moving()))


def test_rafts_flow_is_what_warping_uses(monkeypatch):
    """A network that answers with the true motion, in (x, y)."""
    metric = RaftWarpingError(None)
    frames = moving(4, frames=2, size=128)

    def network(a: torch.Tensor, b: torch.Tensor, num_flow_updates: int) -> list[torch.Tensor]:
        assert a.min() >= -1 and a.max() <= 1 and num_flow_updates == 12
        sign = -1.0 if torch.equal(a[0, 0, 0, 4:9], b[0, 0, 0, 0:5]) else 1.0
        flow = torch.zeros(1, 2, 128, 128)
        flow[:, 0] = 4 * sign
        return [torch.full_like(flow, 99.0), flow]

    monkeypatch.setattr(metric.network, "network", network)
    assert metric(video(frames))[""] < 1e-9


def test_refusals():
    metric = WarpingError()
    with pytest.raises(UserError, match="compares consecutive frames, but this clip has 1"):
        metric(video(moving(frames=1)))
    with pytest.raises(UserError, match="must be uint8 RGB"):
        metric(video(moving() / 255))
    assert not metric.needs_reference
