"""``python -m eval.check`` on predictions broken in every way, and the same refusals by a run."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from eval.check import main, parser
from eval.interpolation import main as interpolate
from eval.systems.inspection import KINDS
from mardini.image import write_png
from mardini.video import write_video

ROOT = Path(__file__).parent.parent
IDS = ("ape/00000", "bee/00000", "cat/00000")
SIZE = (32, 40)


def clip(seed: int, frames: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, *SIZE, 3), np.uint8)


def pngs(folder: Path, frames: np.ndarray, suffix: str = ".png") -> None:
    for index, frame in enumerate(frames):
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame).save(folder / f"{index}{suffix}")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(IDS):
        pngs(root / name.split("/")[0], clip(seed, 9))
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good folder: PNGs, an array of the generated frames, an array of all."""
    folder = tmp_path / "mine"
    pngs(folder / "ape" / "00000", clip(0))
    np.save(folder / "bee_00000.npy", clip(1))
    np.savez(folder / "cat_00000.npz", frames=clip(2, 9))
    return folder


def png16(file: Path) -> None:
    """A 16-bit RGB PNG, which Pillow would cut to 8 bits in silence."""
    height, width = SIZE
    raw = b"".join(b"\0" + bytes(6 * width) for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


def ffv1(file: Path, frames: np.ndarray) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def ape(folder: Path, change: Callable[[np.ndarray], np.ndarray], suffix: str = ".png") -> None:
    """Write the clip of PNGs again, changed."""
    shutil.rmtree(folder / "ape")
    pngs(folder / "ape" / "00000", change(clip(0)), suffix)


def bee(folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Write the clip of an array again, changed."""
    np.save(folder / "bee_00000.npy", change(clip(1)))


def damaged_npz(folder: Path) -> None:
    """Some bytes within the deflated array are others."""
    (folder / "cat_00000.mp4").unlink(missing_ok=True)
    path = folder / "cat_00000.npz"
    np.savez_compressed(path, clip(2))
    content = bytearray(path.read_bytes())
    content[50:74] = b"\xff" * 24
    path.write_bytes(content)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda f: (f / "bee_00000.npy").unlink(), "1 of 3 clips are missing"),
    "surplus": (lambda f: np.save(f / "fox_00000.npy", clip(3)), "fox_00000.npy"),
    "ambiguous": (lambda f: pngs(f / "bee" / "00000", clip(1)), "bee/00000 is bee/00000 and bee_00000.npy"),
    "unreadable": (lambda f: (f / "ape/00000/3.png").write_bytes(b"x" * 40), "ape/00000 (cannot read"),
    "unreadable array": (lambda f: (f / "bee_00000.npy").write_bytes(b"x"), "bee/00000 (cannot read"),
    "unreadable archive": (lambda f: damaged_npz(f), "cat/00000 (cannot read"),
    "unreadable video": (lambda f: broken_video(f), "cat/00000 (cannot read video"),
    "unreadable axes": (lambda f: bee(f, lambda c: c.transpose(0, 3, 1, 2)), "has shape (7, 3, 32, 40)"),
    "unreadable names": (lambda f: np.savez(f / "cat_00000.npz", a=clip(2), b=clip(2)), "holds the arrays a, b"),
    "length": (lambda f: (f / "ape/00000/3.png").unlink(), "ape/00000 has 6 frames"),
    "length array": (lambda f: bee(f, lambda c: c[:5]), "bee/00000 has 5 frames"),
    "size": (lambda f: ape(f, lambda c: c[:, :, :32]), "ape/00000 is 32x32, not 32x40"),
    "size of one": (lambda f: write_png(f / "ape/00000/3.png", clip(0)[3, :16]), "is 16x40, not 32x40"),
    "depth": (lambda f: png16(f / "ape/00000/3.png"), "ape/00000 has 3.png of mode RGB, 16 bits"),
    "range": (lambda f: bee(f, lambda c: c.astype(np.float32)), "has floats from 0 to 255"),
    "range signed": (lambda f: bee(f, lambda c: c / 127.5 - 1), "has floats from -1 to 1"),
    "range type": (lambda f: bee(f, lambda c: c.astype(np.uint16)), "bee/00000 is uint16"),
    "unscaled": (lambda f: [zeros_and_ones(f)], "all 3 clips hold no value above 1"),
    "lossy": (lambda f: ape(f, lambda c: c, ".jpg"), "ape/00000 is JPEG"),
    "lossy video": (lambda f: video(f, ".mp4"), "cat/00000 is h264 in yuv420p"),
    "dark": (lambda f: ape(f, lambda c: c * 0), "ape/00000 has no value above 0"),
    "alpha": (lambda f: ape(f, lambda c: np.concatenate([c, c[..., :1]], -1)), "0.png of mode RGBA"),
    "grey": (lambda f: ape(f, lambda c: c[..., 0]), "0.png of mode L"),
    "float": (lambda f: bee(f, lambda c: c / 255), "bee/00000 is float64"),
    "capitals": (lambda f: (f / "ape/00000/3.png").rename(f / "ape/00000/3.PNG"), "ape/00000 has 3.PNG"),
}  # fmt: skip


def video(folder: Path, suffix: str) -> None:
    (folder / "cat_00000.npz").unlink()
    write_video(folder / f"cat_00000{suffix}", clip(2), 24)


def broken_video(folder: Path) -> None:
    (folder / "cat_00000.npz").unlink()
    (folder / "cat_00000.mp4").write_bytes(b"no video" * 100)


def zeros_and_ones(folder: Path) -> None:
    ape(folder, lambda c: c // 128)
    bee(folder, lambda c: c // 128)
    np.savez(folder / "cat_00000.npz", frames=clip(2) // 128)


def words(folder: Path, data: Path) -> list[str]:
    return ["--dataset", "folder", "--data-root", str(data), "--predictions", str(folder)]


def test_a_good_folder(folder: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(folder, data)) == 0
    printed = capsys.readouterr().out
    assert (
        "for folder-7/v1: 3 clips of 9 frames, or of the 7 generated ones, in the size of the clip" in printed
    )
    assert "no kind of errors, no kind of warnings; 3 of 3 clips can be scored as they are" in printed


@pytest.mark.parametrize("case", BROKEN)
def test_each_kind_of_mistake(
    case: str, folder: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, message = BROKEN[case]
    spoil(folder)
    kind = KINDS[case.split()[0]]
    assert main(words(folder, data)) == (2 if kind.severity == "error" else 1)
    printed = capsys.readouterr().out
    assert message in printed
    heads = [line for line in printed.splitlines() if line.startswith(("error:", "warning:"))]
    assert len(heads) == 1 and heads[0].startswith(f"{kind.severity}: ")


@pytest.mark.parametrize("case", [case for case in BROKEN if KINDS[case.split()[0]].severity == "error"])
def test_a_run_refuses_what_the_check_calls_an_error(
    case: str, folder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, message = BROKEN[case]
    spoil(folder)
    out = tmp_path / "out"
    assert interpolate([*words(folder, data), "--metrics", "psnr", "--output", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: predictions 'mine'") and error.count("\n") == 1
    assert message in error and "python -m eval.check lists all" in error
    assert not list(out.rglob("clips.jsonl"))


def test_every_kind_has_a_case() -> None:
    assert {case.split()[0] for case in BROKEN} == set(KINDS)


def test_all_mistakes_are_listed_together(
    folder: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "cat_00000.npz").unlink()
    np.save(folder / "fox.npy", clip(3))
    ape(folder, lambda c: c[:5], ".JPG")
    bee(folder, lambda c: c[:, :, :30])
    assert main(words(folder, data)) == 2
    printed = capsys.readouterr().out
    for part in (
        "cat/00000",
        "fox.npy",
        "ape/00000 has 5 frames",
        "bee/00000 is 32x30",
        "is JPEG",
        "has 0.JPG",
    ):
        assert part in printed
    assert "4 kinds of errors, 2 kinds of warnings; 0 of 3 clips can be scored" in printed


def test_long_lists_are_cut_unless_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On DAVIS-7, whose clips are known without any data."""
    monkeypatch.setattr("eval.datasets.load_dataset", lambda *a, **k: pytest.fail("read the dataset"))
    (tmp_path / "mine").mkdir()
    command = ["--dataset", "davis", "--predictions", str(tmp_path / "mine")]
    assert main(command) == 2
    printed = capsys.readouterr().out
    assert "357 of 357 clips are missing" in printed and "... and 337 more, which --all lists" in printed
    assert printed.count("\n  ") == 21
    assert main([*command, "--all"]) == 2
    assert capsys.readouterr().out.count("\n  ") == 357
    assert main([*command, "--limit", "5"]) == 2
    assert "5 of 5 clips are missing" in capsys.readouterr().out
    assert main(["--dataset", "ucf101", "--predictions", str(tmp_path / "mine")]) == 2
    assert "400 of 400 clips are missing" in capsys.readouterr().out


def test_lossless_videos_are_no_loss(folder: Path, data: Path) -> None:
    (folder / "cat_00000.npz").unlink()
    ffv1(folder / "cat_00000.mkv", clip(2))
    assert main(words(folder, data)) == 0


@pytest.mark.parametrize(
    ("more", "frames", "status"),
    [
        (["--task", "i2v"], 8, 0),
        (["--task", "i2v"], 7, 2),
        (["--task", "expansion"], 5, 0),
        (["--given", "0,4,8"], 6, 0),
        (["--given", "0,4,8"], 7, 2),
        (["--limit", "1"], 7, 0),
    ],
)
def test_tasks_and_masks(more: list[str], frames: int, status: int, folder: Path, data: Path) -> None:
    for seed, name in enumerate(IDS):
        np.save(folder / f"{name.replace('/', '_')}.npy", clip(seed, frames))
    shutil.rmtree(folder / "ape")
    (folder / "cat_00000.npz").unlink()
    assert main([*words(folder, data), *more]) == status


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--task", "interpolate"], "unknown task 'interpolate': did you mean 'interpolation'?"),
        (["--dataset", "davsi"], "did you mean 'davis'?"),
        (["--given", "0,9"], "do not fit clips of 9"),
        (["--limit", "0"], "--limit 0: give at least 1"),
        (["--predictions", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_mistakes_end_in_one_sentence(
    more: list[str], message: str, folder: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words(folder, data), *more]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_help_and_a_check_are_quick(tmp_path: Path) -> None:
    assert "Exit status: 0 all is well, 1 there are warnings, 2" in parser().format_help()
    (tmp_path / "mine").mkdir()
    command = [
        sys.executable,
        "-m",
        "eval.check",
        "--dataset",
        "davis",
        "--predictions",
        str(tmp_path / "mine"),
    ]
    code = (
        f"import sys; from eval.check import main; main({command[3:]!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    began = time.perf_counter()
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 2
    assert time.perf_counter() - began < 10
