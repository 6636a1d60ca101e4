"""Dense optical flow between two pictures, by OpenCV's DIS (Kroeger et al. 2016, arXiv:1603.03590)."""

from __future__ import annotations

import cv2
import numpy as np


def estimate(gray0: np.ndarray, gray1: np.ndarray) -> np.ndarray:
    """Flow (H, W, 2) in pixels (x, y) from ``uint8`` (H, W) to another. Small images are padded for DIS."""
    height, width = gray0.shape
    pad = max(0, 32 - height), max(0, 32 - width)
    if any(pad):
        gray0, gray1 = (
            cv2.copyMakeBorder(gray, 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE) for gray in (gray0, gray1)
        )
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = dis.calc(gray0, gray1, np.zeros((*gray0.shape, 2), np.float32))
    return np.asarray(flow)[:height, :width]


def target(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel's vector points: x and y, ``float32`` (H, W) each."""
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x + flow[..., 0].astype(np.float32), y + flow[..., 1].astype(np.float32)
