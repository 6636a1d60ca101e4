"""Thousands of clips: memory does not grow with their number."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = """
import json, resource, sys
from functools import partial
from pathlib import Path
import numpy as np
from eval.datasets.base import Clip, Dataset
from eval.metrics.collection import MetricSet
from eval.metrics.frechet import frechet_distance, frechet_estimate, frechet_estimate
from eval.metrics.pixel import PSNR
from eval.protocols import protocol_for
from eval.runner import Run
from eval.systems.baselines import Blend

class Corner:  # four numbers a frame: a set metric that costs nothing
    kind, name, version, detector, weights = "set", "corner", "1", "corner", ()
    variant, higher_is_better, decimals, suffixes, min_frames, min_clips = {}, False, 2, ("_all",), 1, 2
    extraction = {"version": "1"}
    def features(self, clips, targets, middle):
        rows = [c[list(targets), 0, 0:2, 0:2].reshape(-1, 4).astype(np.float32) for c in clips]
        return [{"corner_all": row} for row in rows]
    estimate = staticmethod(frechet_estimate)
    distance, estimate = staticmethod(frechet_distance), staticmethod(frechet_estimate)

def load(number):
    return np.random.default_rng(number).integers(0, 256, (9, 16, 16, 3), np.uint8)

count, output = int(sys.argv[1]), Path(sys.argv[2])
clips = [Clip(f"{i:06d}", str(i // 4), partial(load, i)) for i in range(count)]
protocol = protocol_for("interpolation", "folder")
metrics = MetricSet([PSNR(), Corner()])
run = Run(Dataset("folder", clips, str(count)), protocol, [Blend()], metrics, output, batch_size=16)
(record,) = run.execute()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"peak": peak, "n": record["metrics"]["corner_all"]["n"]}))
"""


def measured(count: int, output: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(count), str(output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_clips(tmp_path: Path) -> None:
    """What is kept of a clip is its name and where its row lies: less than 4 KB, a fourth of its frames."""
    few, many = measured(200, tmp_path / "few"), measured(10_000, tmp_path / "many")
    assert many["n"] == 70_000 and few["n"] == 1400
    assert many["peak"] - few["peak"] < 40  # MB, of 140 MB of true and generated frames
