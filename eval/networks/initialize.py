"""Seeded random weights, for runs without pretrained detectors.

Scores from such networks carry another name (``fid_random``): they compare systems with one another on one
machine and test the pipeline, and say nothing about published numbers.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn


def randomize(network: nn.Module, seed: int = 0) -> None:
    """Fill ``network`` in place: He-normal convolutions, zero biases, identity batch norms.

    Activations keep their scale through ReLU layers, so features vary with the input and do not blow up.
    Drawn by NumPy's PCG64, whose stream is the same on every machine, in the order of ``modules()``.
    """
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
                shape = tuple(module.weight.shape)
                scale = math.sqrt(2 / math.prod(shape[1:]))
                drawn = random.standard_normal(shape, dtype=np.float32) * np.float32(scale)
                module.weight.copy_(torch.from_numpy(drawn))
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
                module.reset_parameters()
