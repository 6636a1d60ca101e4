"""``python -m eval list``: every name, what of it is on this machine, and at once."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.datasets import DATASETS, davis_download, ucf101_download
from eval.listing import needs
from eval.metrics import METRICS
from eval.systems import SYSTEMS
from eval.weight_files import WEIGHTS

ROOT = Path(__file__).parent.parent


def listed(capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, str]:
    """Name -> line."""
    assert main(["list", *more]) == 0
    lines = capsys.readouterr().out.splitlines()
    return {line.split()[0]: line for line in lines if line.startswith("  ")}


def test_every_name_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(capsys)
    assert {
        *DATASETS,
        *SYSTEMS,
        *METRICS,
        "videval",
        "davis-7/v1",
        "ucf101-7/v1",
        "vbench-i2v-i2v-8/v1",
    } <= found.keys()
    assert "images-7/v1" not in found and "psnr, psnr_clip" in found["psnr"] + found["vbench"]


def test_what_is_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARDINI_DATA", str(tmp_path))
    before = listed(capsys)
    assert before["davis"].endswith("[not here: is downloaded, or --data-root]")
    assert before["folder"].endswith("[needs --data-root]") and before["synthetic"].endswith(
        "[generated here]"
    )
    assert before["fid"].endswith("[weights missing: pt_inception-2015-12-05-6726825d.pth, 96 MB]")
    assert before["ssim_std"].endswith("[here]") and before["mardini"].endswith(
        "[here: mini, nano-128, nano]"
    )
    assert before["rife-4.25"].endswith("[weights missing: rife_v4.25.safetensors, 23 MB]")
    assert (
        "given any frames  [" in before["wan-vace"] and "given the first frame and no other" in before["svd"]
    )
    assert "ViT-L-14.pt, 933 MB, sa_0_4_vit_l_14_linear.pth" in before["aesthetic_quality"]
    for module in (davis_download, ucf101_download):
        module.place().mkdir(parents=True)
    (tmp_path / WEIGHTS["inception"].file).write_bytes(b"is checked when it is used")
    after = listed(capsys, "--weights-dir", str(tmp_path))
    assert after["davis"].endswith(f"[here: {tmp_path / 'davis' / 'DAVIS'}]")
    assert after["ucf101"].endswith(f"[here: {tmp_path / 'ucf101' / 'UCF101'}]")
    assert after["fid"].endswith("[weights here]")


def test_optional_packages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert needs((), "pyiqa", None) == "package pyiqa not installed"
    assert "package pyiqa not installed" in listed(capsys)["imaging_quality"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert needs((), "pyiqa", None) == "package pyiqa installed"


def test_it_is_instant() -> None:
    code = "import sys; from eval.__main__ import main; main(['list']); "
    code += "print(*{'torch', 'cv2', 'av'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "eval", "list"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 3  # half a second where nothing else runs
