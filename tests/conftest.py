"""What tests share: clips and results, and one thread for torch so that parallel runs do not fight."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: sums in another order differ in the last bit

from collections.abc import Callable
from pathlib import Path

import made_results
import pytest
import runs

from mardini.image import write_png
from mardini.synthetic import make_clip

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


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four procedural clips as folders of PNG."""
    root = tmp_path_factory.mktemp("videos")
    for seed, name in enumerate(runs.VIDEOS):
        for index, frame in enumerate(make_clip(seed, frames=9, size=runs.SIZE)):
            write_png(root / name / f"{index:03d}.png", frame)
    return root


@pytest.fixture
def run(videos: Path, tmp_path: Path) -> Callable[..., Path]:
    """Run the command on the four clips; the output folder."""
    from eval.interpolation import main

    def run(*more: str, output: str = "out", status: int = 0) -> Path:
        assert main(runs.arguments(videos, tmp_path / output, *more)) == status
        return tmp_path / output

    return run


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interpolation and expansion, as the toolkit writes them."""
    folder = tmp_path_factory.mktemp("results")
    made_results.make_group(folder)
    made_results.make_group(folder, "expansion", (0, 1, 2, 3))
    return folder


@pytest.fixture(scope="session")
def report(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of these results."""
    from reports.build import build

    out = tmp_path_factory.mktemp("report")
    build([results], out, tell=lambda sentence: None)
    return out


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs: a chain of stages on a tiny model."""
    from tiny_training import train_chain

    out = tmp_path_factory.mktemp("runs")
    train_chain(out)
    return out
