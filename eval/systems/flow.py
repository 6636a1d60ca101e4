"""In-between frames by optical flow: estimate both ways, splat to time t, warp both frames, blend.

Scheme: Baker et al. 2011, "A Database and Evaluation Methodology for Optical Flow", section 3.3.2, with
flow from ``mardini/optical_flow.py`` and the visibility test of Sundaram et al. 2010.
"""

from __future__ import annotations

import cv2
import numpy as np

from mardini.optical_flow import estimate, target

HOLE_SIGMA = 4.0  # pixels; Gaussian that fills pixels no flow vector lands on


def flow_frames(first: np.ndarray, last: np.ndarray, n: int) -> np.ndarray:
    """``n`` frames between two, ``uint8`` (n, H, W, 3), at times 1/(n+1) ... n/(n+1)."""
    gray0, gray1 = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (first, last))
    forward, backward = estimate(gray0, gray1), estimate(gray1, gray0)
    visible0, visible1 = visibility(forward, backward), visibility(backward, forward)
    frames = []
    for k in range(1, n + 1):
        t = k / (n + 1)
        motion = motion_at(t, forward, backward, visible0, visible1)
        image0, weight0 = warp(first, visible0, -t * motion)
        image1, weight1 = warp(last, visible1, (1 - t) * motion)
        # The floor keeps the plain cross-fade where neither frame shows the pixel.
        weight0 = (1 - t) * (weight0 + 1e-3)
        weight1 = t * (weight1 + 1e-3)
        blended = (weight0 * image0 + weight1 * image1) / (weight0 + weight1)
        frames.append(np.rint(np.clip(blended, 0, 255)).astype(np.uint8))
    return np.stack(frames)


def moved_on(previous: np.ndarray, last: np.ndarray, n: int) -> np.ndarray:
    """``n`` frames after ``last`` at the velocity that led to it, ``uint8`` (n, H, W, 3).

    A pixel at time k shows what was, in ``last``, at the place whose motion ends there: the fixed point of
    ``source = pixel + k * backward flow at source``, found in three rounds.
    """
    gray0, gray1 = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (previous, last))
    backward = estimate(gray1, gray0)
    frames = []
    for k in range(1, n + 1):
        motion = k * backward
        for _ in range(3):
            x, y = target(motion)
            motion = k * cv2.remap(backward, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        x, y = target(motion)
        frames.append(cv2.remap(last, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(frames)


def visibility(flow: np.ndarray, back: np.ndarray) -> np.ndarray:
    """1.0 where a pixel is seen in the other frame too, else 0.0; ``float32`` (H, W).

    A pixel is visible where going there and back ends near the start (Sundaram et al. 2010, eq. 5) and
    within the image.
    """
    height, width = flow.shape[:2]
    x, y = target(flow)
    returned = cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    error = np.square(flow + returned).sum(-1)
    allowed = 0.01 * (np.square(flow).sum(-1) + np.square(returned).sum(-1)) + 0.5
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return ((error <= allowed) & inside).astype(np.float32)


def motion_at(
    t: float, forward: np.ndarray, backward: np.ndarray, visible0: np.ndarray, visible1: np.ndarray
) -> np.ndarray:
    """Motion from frame 0 to frame 1, (H, W, 2), of the points that are at each pixel at time ``t``.

    Vectors of both flows are carried to time ``t``. Where several land on one pixel, visible ones go before
    occluded ones, then the larger motion wins (what moves more is usually in front).
    """
    height, width = forward.shape[:2]
    vectors, places, ranks = [], [], []
    for flow, visible, share, sign in ((forward, visible0, t, 1), (backward, visible1, 1 - t, -1)):
        x, y = target(share * flow)
        column, row = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        vectors.append(sign * flow[inside])
        places.append((row * width + column)[inside])
        ranks.append(np.where(visible > 0, 1e6, 0)[inside] + np.square(flow[inside]).sum(-1))
    vector, place, rank = np.concatenate(vectors), np.concatenate(places), np.concatenate(ranks)
    order = np.lexsort((rank, place))
    place = place[order]
    best = order[np.append(place[1:] != place[:-1], True)] if len(place) else order
    motion = np.zeros((height * width, 2), np.float32)
    hit = np.zeros(height * width, np.float32)
    landed = np.concatenate(places)[best]
    motion[landed] = vector[best]
    hit[landed] = 1
    return fill_holes(motion.reshape(height, width, 2), hit.reshape(height, width))


def fill_holes(motion: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """Give pixels where ``hit`` is 0 a Gaussian average of those around them, at growing widths."""
    filled, sigma = motion.copy(), HOLE_SIGMA
    empty = hit == 0
    while empty.any():
        weight = cv2.GaussianBlur(hit, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        mean = cv2.GaussianBlur(motion * hit[..., None], (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        now = empty & (weight > 1e-4)
        filled[now] = mean[now] / weight[now, None]
        empty &= ~now
        sigma *= 4
        if sigma > 4 * max(hit.shape):  # nothing landed anywhere: leave those pixels still
            break
    return filled


def warp(image: np.ndarray, visible: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sample ``image`` at pixel + ``flow``: ``float32`` (H, W, 3), and its visibility there, (H, W, 1)."""
    x, y = target(flow)
    sampled = cv2.remap(image.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.remap(visible, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return sampled, seen[..., None]
