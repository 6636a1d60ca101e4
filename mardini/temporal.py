"""The paper's swap: a generator with spatio-temporal attention becomes one with temporal attention."""

from __future__ import annotations

from dataclasses import replace

import torch

from mardini.model import MarDini


def to_temporal(model: MarDini) -> MarDini:
    """The same model with temporal attention across frames in its generator; every weight is kept.

    Both kinds of layer have the same weights and differ only in which tokens see which, so nothing is initialised
    anew; a short fine-tuning adapts them (arXiv:2410.20280, Figure 4). The result shares no memory with ``model``;
    a model that is temporal already is copied.
    """
    config = replace(model.config, generator=replace(model.config.generator, attention="temporal"))
    with torch.device("meta"):
        converted = MarDini(config)
    weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    converted.load_state_dict(weights, strict=True, assign=True)
    for (_, new), old in zip(converted.named_parameters(), model.parameters(), strict=True):
        new.requires_grad_(old.requires_grad)
    return converted.train(model.training)
