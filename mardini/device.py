"""Where networks run."""

from __future__ import annotations

import torch

from mardini.errors import UserError


def find_device(name: str | torch.device) -> torch.device:
    """A device by name, ``auto`` being CUDA where present; one that is not there is a ``UserError``."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        raise UserError(
            f"device {name} cannot be used here: choose cpu, or cuda where there is a GPU"
        ) from error
    return device
