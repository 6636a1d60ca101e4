"""Which clips were cut from the same video, judged by their pictures: for clips whose names do not tell.

Clips of one video share a background. Local features (SIFT, compared as RootSIFT, Arandjelovic & Zisserman
2012) of two clips are matched by Lowe's ratio test, and enough matches must agree on one similarity
transform of moderate zoom (RANSAC). On 60 clips of VIDIM's web site sorted by eye, 1743 pairs of different
scenes never reach 5 such matches, and 23 of 27 pairs of one scene reach the 8 asked for. Two videos of one
place may be joined; that only widens the intervals computed from the result.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

SIDE = 192  # frames are shrunk to this: four times faster than 256, and as telling
FEATURES = 150  # strongest ones per frame
AGREEING = 8  # matches on one transform that make two frames one scene
RATIO = 0.8  # Lowe's ratio test: the best match is this much nearer than the second best
PIXELS = 3.0  # how far a match may lie from the common transform
ZOOM = (0.5, 2.0)


def group(clips: Sequence[np.ndarray]) -> list[int]:
    """For each clip the index of the first clip of its scene (its own, if it is the first or alone).

    Args:
        clips: a few frames of each clip, ``uint8`` RGB (N, H, W, 3), such as the first and the last.
    """
    scene = list(range(len(clips)))

    def first(clip: int) -> int:
        while scene[clip] != clip:
            clip = scene[clip]
        return clip

    frames = [(index, *_features(frame)) for index, clip in enumerate(clips) for frame in clip]
    if not frames:
        return scene
    owners = np.array([index for index, _, _ in frames])
    descriptors = np.stack([descriptor for _, _, descriptor in frames])
    for number, (index, points, own) in enumerate(frames[:-1]):
        if len(points) < AGREEING:
            continue
        rest = slice(number + 1, None)
        best, passed = _match(own[: len(points)], descriptors[rest])
        candidates = np.flatnonzero((passed.sum(axis=1) >= AGREEING) & (owners[rest] != index))
        for candidate in candidates:
            other, other_points, _ = frames[number + 1 + candidate]
            if first(index) == first(other):
                continue
            chosen = passed[candidate]
            if _agreeing(points[chosen], other_points[best[candidate, chosen]]) >= AGREEING:
                low, high = sorted((first(index), first(other)))
                scene[high] = low
    return [first(index) for index in range(len(clips))]


def _features(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n, 2) in pixels and unit descriptors (FEATURES, 128), zero from row n on."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    if (shrink := SIDE / max(grey.shape)) < 1:
        grey = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    detector = cv2.SIFT_create(nfeatures=FEATURES)  # pyright: ignore[reportAttributeAccessIssue]
    keypoints, found = detector.detectAndCompute(grey, None)
    descriptors = np.zeros((FEATURES, 128), np.float32)
    points = np.array([keypoint.pt for keypoint in keypoints[:FEATURES]], np.float32).reshape(-1, 2)
    if len(points):
        found = found[:FEATURES]
        descriptors[: len(points)] = np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-7))
    return points, descriptors


def _match(own: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest feature of each of ``others`` (M, F, 128) to each of ``own`` (n, 128), and who passes the test.

    Returns:
        Indices (M, n) into F, and booleans (M, n).
    """
    similarity = (own @ others.reshape(-1, others.shape[2]).T).reshape(len(own), *others.shape[:2])
    best = similarity.argmax(axis=2)[..., None]
    nearest = np.take_along_axis(similarity, best, axis=2)[..., 0]
    np.put_along_axis(similarity, best, -1.0, axis=2)
    second = similarity.max(axis=2)
    passed = (1.0 - nearest) < RATIO**2 * (1.0 - second)  # squared distance of unit vectors: 2 - 2 cos
    return best[..., 0].T, passed.T


def _agreeing(points: np.ndarray, others: np.ndarray) -> int:
    """How many of the matched points (n, 2) agree on one similarity transform."""
    transform, inliers = cv2.estimateAffinePartial2D(points, others, ransacReprojThreshold=PIXELS)
    if transform is None or not ZOOM[0] < np.hypot(transform[0, 0], transform[1, 0]) < ZOOM[1]:
        return 0
    return int(inliers.sum())
