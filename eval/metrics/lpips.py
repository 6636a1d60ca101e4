"""LPIPS v0.1 (Zhang et al. 2018, arXiv:1801.03924) through the authors' package ``lpips``.

The package brings the linear layers; the backbone's ImageNet weights are loaded by us, checked by hash, so
nothing is downloaded behind the user's back. Frames go in at their own size: the score depends on it.

The forward pass is the package's, cut in two: features of the true frames are kept while several systems are scored
on a clip, and the linear layers are applied to means over space, which is the same sum in another order.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.base import Kind, Pair, middle_and_mean
from eval.metrics.recent import Recent, in_batches
from mardini.errors import UserError
from mardini.files import sha256

if TYPE_CHECKING:
    import torch
    from torch import nn

# The linear layers in the package, version 0.1.
LINEAR_SHA256 = {
    "alex": "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "vgg": "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    "squeeze": "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
}
SMALLEST = {"alex": 31, "vgg": 16, "squeeze": 17}  # pixels, below which a layer has no output
BATCH = {"alex": 32, "vgg": 1, "squeeze": 8}  # frames at a time on a CPU: more do not fit its cache
BACKBONE = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet"}


class LPIPS:
    """LPIPS of each frame with one of the backbones ``alex``, ``vgg`` and ``squeeze``.

    Args:
        net: the backbone.
        backbone: its verified weight file; ``None``: seeded random weights, and ``_random`` in the name.
        device: where to run.
    """

    kind: Kind = "frame"
    version = "1"
    higher_is_better = False
    decimals = 4
    suffixes = ("_mid", "_all")

    def __init__(self, net: str, backbone: Path | None, device: str = "cpu") -> None:
        self.net, self.backbone, self.device = net, backbone, device
        self.name = self.row = f"lpips_{net}" + ("" if backbone else "_random")
        self.weights = (BACKBONE[net],) if backbone else ()
        self.min_size = SMALLEST[net]
        self.batch = BATCH[net] if device == "cpu" else 16
        self.recent = Recent()
        self.variant = {
            "package": "lpips",
            "version": "0.1",
            "net": net,
            "input": "RGB in [-1, 1], no resize",
            "weights": f"ImageNet, linear {LINEAR_SHA256[net][:8]}" if backbone else "seeded random",
        }

    @cached_property
    def network(self) -> nn.Module:
        """Loaded on first use: importing torchvision takes seconds."""
        return load_lpips(self.net, self.backbone).to(self.device)

    def __call__(self, pair: Pair) -> np.ndarray:
        import torch

        height, width = pair.reference.shape[1:3]
        if min(height, width) < self.min_size:
            raise UserError(
                f"LPIPS with {self.net} needs frames of at least {self.min_size}x{self.min_size} pixels, got "
                f"{width}x{height}: score larger frames or leave lpips out of --metrics"
            )
        with torch.inference_mode():
            real = self.recent.batches(pair.reference, self.batch, self._unit)
            parts = [
                self._compare(self._unit(frames), theirs)
                for frames, theirs in zip(in_batches(pair.prediction, self.batch), real, strict=True)
            ]
            return torch.cat(parts).double().cpu().numpy()

    def _compare(self, ours: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Weighted squared differences of ``_unit``'s features, one value (N,) a frame; ``ours`` are overwritten."""
        values = []
        for a, b, linear in zip(ours, theirs, self.network.lins, strict=True):  # type: ignore[arg-type]
            values.append(a.sub_(b).square_().mean(dim=(2, 3)) @ linear.model[-1].weight.flatten())
        return sum(values[1:], values[0])

    def _unit(self, frames: np.ndarray) -> list[torch.Tensor]:
        """Each layer's features (N, C, h, w), of unit length in every place."""
        from lpips import normalize_tensor

        from eval.networks.inference import full_precision

        x = self._scaled(frames)
        with full_precision(x.device):
            layers = self.network.net(self.network.scaling_layer(x))  # type: ignore[operator]
        return [normalize_tensor(layer) for layer in layers]

    def _scaled(self, frames: np.ndarray) -> torch.Tensor:
        import torch

        x = torch.from_numpy(np.ascontiguousarray(frames)).to(self.device)
        return x.permute(0, 3, 1, 2).float() / 127.5 - 1

    def forms(self, values: np.ndarray, middle: int | None) -> dict[str, float]:
        return middle_and_mean(values, middle)


def load_lpips(net: str, backbone: Path | None) -> nn.Module:
    """The ``lpips`` package's network in evaluation mode; ``backbone`` as in ``LPIPS``.

    Raises:
        UserError: the installed package brings other linear layers than version 0.1's.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision deprecates the argument the package uses
        import lpips as package
        import torch

        with torch.device("meta"):  # it makes a classifier of half a gigabyte, and drops it
            network = package.LPIPS(pretrained=False, net=net, pnet_rand=True, verbose=False)
    network.net.to_empty(device="cpu")
    network.lins.to_empty(device="cpu")  # type: ignore[union-attr]
    if backbone is None:
        randomize_lpips(network)
    else:
        _load_backbone(network.net, torch.load(backbone, map_location="cpu", weights_only=True))
        linear = Path(package.__file__).parent / "weights" / "v0.1" / f"{net}.pth"
        if sha256(linear) != LINEAR_SHA256[net]:
            raise UserError(f"{linear} is not LPIPS v0.1 for {net}: reinstall the package lpips 0.1.4")
        _load_linear(network, torch.load(linear, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(False)


def randomize_lpips(network: nn.Module, seed: int = 0) -> None:
    """Seeded He-normal backbone and linear layers drawn from [0, 1): trained ones are non-negative too."""
    import torch

    from eval.networks.initialize import randomize

    randomize(network.net, seed)  # type: ignore[arg-type]
    random = np.random.default_rng(seed + 1)
    with torch.no_grad():
        for layer in network.lins:  # type: ignore[union-attr]
            weight = layer.model[-1].weight
            weight.copy_(torch.from_numpy(random.random(tuple(weight.shape), dtype=np.float32)))


def _load_backbone(trunk: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Torchvision's ``features.<i>.*`` into the package's ``slice<k>.<i>.*``; the classifier is not used."""
    wanted = trunk.state_dict()
    trunk.load_state_dict({name: state["features." + name.split(".", 1)[1]] for name in wanted}, strict=True)
    used = {"features." + name.split(".", 1)[1] for name in wanted}
    surplus = [name for name in state if name not in used and not name.startswith("classifier.")]
    if surplus:
        raise UserError(f"the backbone file holds unknown layers ({', '.join(surplus[:3])}): fetch it again")


def _load_linear(network: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """``lin<k>.model.1.weight`` into each linear layer, strictly."""
    layers = list(network.lins)  # type: ignore[arg-type]
    if set(state) != {f"lin{k}.model.1.weight" for k in range(len(layers))}:
        raise UserError("the lpips package brings unknown linear layers: reinstall lpips 0.1.4")
    for k, layer in enumerate(layers):
        layer.model[-1].load_state_dict({"weight": state[f"lin{k}.model.1.weight"]}, strict=True)
