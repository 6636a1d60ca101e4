"""Lets test environments use the torch that is already installed beside tox, instead of several GB once more.

Before anything is installed into a tox environment, the folders that hold the running interpreter's packages are
added to it as a path file, if torch is among them and the Python version is the same. pip then finds those
requirements satisfied and installs only what is missing. With no torch beside tox, everything is installed.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from tox.plugin import impl
from tox.tox_env.api import ToxEnv
from tox.tox_env.python.runner import PythonRun


@impl
def tox_on_install(tox_env: ToxEnv, arguments: Any, section: str, of_type: str) -> None:
    """Write the path file, once, before the first installation."""
    if not isinstance(tox_env, PythonRun) or importlib.util.find_spec("torch") is None:
        return
    if tox_env.conf["skip_install"]:  # does not hold the project, so needs no torch
        return
    if tuple(tox_env.base_python.version_info[:2]) != sys.version_info[:2]:
        return
    host = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    target = tox_env.env_site_package_dir() / "zz_packages_beside_tox.pth"
    if not target.exists():
        target.write_text("\n".join(host) + "\n", encoding="utf-8")
