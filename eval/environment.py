"""What a record says about the machine, the packages and the code that made it."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

from eval.workers import cores

PACKAGES = ("av", "lpips", "mardini", "numpy", "opencv-python-headless", "scipy", "torch", "torchvision")


@functools.cache
def environment() -> dict[str, Any]:
    """Package versions, code commit and machine, JSON-able."""
    return {"packages": packages(), "commit": commit(), "machine": machine()}


def packages() -> dict[str, str | None]:
    """Installed version of each package that can move a number; ``None`` where it is not installed."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def commit() -> str:
    """Commit of the checkout the code runs from, ``+dirty`` if tracked files differ; else the version."""
    root = Path(__file__).resolve().parents[1]
    if (root / ".git").exists():
        try:
            revision = _git(root, "rev-parse", "--short=12", "HEAD")
            return revision + ("+dirty" if _git(root, "status", "--porcelain", "-uno") else "")
        except (OSError, subprocess.SubprocessError):
            pass
    try:
        return importlib.metadata.version("mardini")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.strip()


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, GPU, Python and system."""
    import torch

    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def cpu_model() -> str:
    """Model name of the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
