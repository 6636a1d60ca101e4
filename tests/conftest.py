"""What tests share: the folder of real frames, and one thread for torch so that parallel runs do not fight."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: sums in another order differ in the last bit

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real DAVIS frames and VIDIM clips, where there is one: MARDINI_SHARED, or beside the repository."""
    folder = Path(os.environ.get("MARDINI_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no real clips at {folder}: set MARDINI_SHARED")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache of weights and data, and none reaches the network by accident."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("MARDINI_WEIGHTS", raising=False)
    monkeypatch.delenv("MARDINI_DATA", raising=False)
