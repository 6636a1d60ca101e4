"""The command line from files to files, on a tiny random model."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mardini import checkpoint
from mardini.config import preset
from mardini.generate import main
from mardini.image import read_image, write_png
from mardini.model import MarDini
from mardini.pipeline import MarDiniPipeline
from mardini.strip import sheet
from mardini.vae import LatentCodec
from mardini.video import read_frames, read_video, write_video

CLIP = np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, three images, a folder of them, and a video."""
    root = tmp_path_factory.mktemp("generate")
    torch.manual_seed(0)
    config = preset("tiny")
    model = MarDini(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    checkpoint.save(root / "model", model, LatentCodec(config.codec))
    for number, frame in enumerate(CLIP):
        write_png(root / f"{number}.png", frame)
        write_png(root / "clip" / f"{number}.png", frame)
    write_video(root / "clip.mp4", CLIP, 24)
    return root


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder beside links to the inputs."""
    for item in folder.iterdir():
        (tmp_path / item.name).symlink_to(item)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def generate(*words: str) -> int:
    return main([*words, "--checkpoint", "model", "--device", "cpu", "--steps", "1"])


@pytest.mark.parametrize(
    ("words", "frames"),
    [
        (["interpolate", "0.png", "1.png", "--frames", "3"], 5),
        (["animate", "0.png"], 5),
        (["animate", "0.png", "--frames", "2"], 3),
        (["expand", "clip", "--frames", "2"], 5),
        (["expand", "clip.mp4", "--frames", "2"], 5),
        (["fill", "clip", "--given", "0,2,5", "--length", "7"], 7),
        (["fill", "0.png", "1.png", "--given", "0,4"], 5),
        (["fill", "clip", "--given", "1"], 3),
        (["slow-motion", "clip", "--factor", "4"], 9),
        (["rollout", "0.png", "--frames", "6", "--references", "2"], 7),
    ],
)
def test_every_task_writes_its_frames(here: Path, words: list[str], frames: int) -> None:
    assert generate(*words, "--out", "made") == 0
    assert read_frames(here / "made").shape == (frames, 32, 48, 3)
    assert sorted(file.name for file in (here / "made").iterdir())[-1] == f"{frames - 1:05d}.png"


def test_what_is_written_is_what_the_pipeline_makes(here: Path) -> None:
    assert generate("fill", "clip", "--given", "0,2,5", "--length", "7", "--seed", "3", "--out", "made") == 0
    window = np.zeros((7, 32, 48, 3), np.uint8)
    window[[0, 2, 5]] = CLIP
    pipeline = MarDiniPipeline.from_pretrained(here / "model", device="cpu")
    np.testing.assert_array_equal(
        read_frames(here / "made"), pipeline.fill(window, (0, 2, 5), seed=3, steps=1)
    )
    assert (
        generate(
            "animate",
            "0.png",
            "--guidance",
            "1",
            "--skip-guidance",
            "2",
            "--detail",
            "0.5",
            "--sharpness",
            "1",
            "--resolution",
            "native",
            "--out",
            "other",
        )
        == 0
    )
    expected = pipeline.animate(
        CLIP[0], guidance=1, skip_guidance=2, detail=0.5, sharpness=1, resolution="native", steps=1
    )
    np.testing.assert_array_equal(read_frames(here / "other"), expected)


@pytest.mark.parametrize("name", ["clip2.mp4", "clip2.GIF"])
def test_videos(here: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("animate", "0.png", "--out", name, "--fps", "10") == 0
    assert read_video(here / name).shape == (5, 32, 48, 3)
    captured = capsys.readouterr()
    assert captured.out == f"{name}: 5 frames of 32x48\n"
    assert "1/1" in captured.err


@pytest.mark.parametrize(
    ("words", "given", "frames"),
    [
        (["interpolate", "0.png", "1.png", "--frames", "3"], (0, 4), 5),
        (["animate", "0.png"], (0,), 5),
        (["expand", "clip", "--frames", "2"], (0, 1, 2), 5),
        (["fill", "clip", "--given", "0,2,5", "--length", "7"], (0, 2, 5), 7),
        (["slow-motion", "clip", "--factor", "4"], (0, 4, 8), 9),
        (["rollout", "0.png", "1.png", "--frames", "9"], (0, 1), 11),
    ],
)
def test_a_picture_shows_all_frames_and_frames_the_given(
    here: Path, words: list[str], given: tuple[int, ...], frames: int
) -> None:
    assert generate(*words, "--out", "made") == 0
    assert generate(*words, "--out", "made.png") == 0
    made = read_frames(here / "made")
    assert len(made) == frames
    np.testing.assert_array_equal(read_image(here / "made.png"), sheet(made, given))


def test_the_default_output_is_named_after_the_task(here: Path) -> None:
    assert generate("slow-motion", "0.png", "1.png", "--factor", "2") == 0
    assert len(read_video(here / "slow-motion.mp4")) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["animate", "nothing.png"], "nothing.png does not exist"),
        (["animate", "clip"], "holds 3 frames"),
        (["animate", "0.png", "--out", "a.txt"], "end it in .mp4"),
        (["animate", "0.png", "--out", "clip"], "exists already"),
        (["animate", "0.png", "--frames", "0"], "--frames is 0"),
        (["animate", "0.png", "--fps", "-1"], "positive"),
        (["animate", "0.png", "--fps", "inf"], "positive number of at most 1000"),
        (["animate", "0.png", "--out", "0.png/a"], "0.png cannot be written"),
        (["animate", "0.png", "--resolution", "big"], "or native"),
        (["animate", "0.png", "--scheduler", "dim"], "did you mean 'ddim'"),
        (["animate", "0.png", "--device", "cuda:77"], "cannot be used here"),
        (["animate", "0.png", "--checkpoint", "nowhere"], "no checkpoint at nowhere"),
        (["animate", "0.png", "--codec", "nowhere"], "no codec at nowhere"),
        (["fill", "clip", "--given", "0,x"], "such as 0,4,8"),
        (["fill", "clip", "--given", "2,0"], "rising order"),
        (["fill", "clip", "--given", "0,7"], "does not fit a window"),
        (["fill", "clip", "--given", "0,1,2"], "nothing to generate"),
        (["fill", "clip", "--given", "0", "--length", "9"], "whole window"),
        (["slow-motion", "clip", "--factor", "7"], "does not split"),
        (["slow-motion", "0.png"], "at least 2"),
    ],
)
def test_mistakes_are_told_in_a_line_and_write_nothing(
    here: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(here.iterdir())
    defaults = ["--checkpoint", "model", "--device", "cpu", "--steps", "1"]
    assert main([words[0], *defaults, *words[1:]]) == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert err[-1].startswith("error: ") and message in err[-1]
    assert sorted(here.iterdir()) == before


def test_sizes_that_differ_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_png(here / "other.png", read_image(here / "0.png")[:20])
    assert generate("expand", "0.png", "other.png") == 2
    assert "other.png is 20x48 but 0.png is 32x48" in capsys.readouterr().err


def test_unknown_tasks_and_options_exit_with_2(here: Path) -> None:
    for words in (["dance"], [], ["animate", "0.png", "--stepz", "3"]):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2


@pytest.mark.parametrize("words", [["--help"], ["slow-motion", "--help"]])
def test_help_is_instant(words: list[str]) -> None:
    code = (
        f"import sys\nfrom mardini.generate import main\n"
        f"try: main({words!r})\nexcept SystemExit as e: assert not e.code\n"
        "heavy = {'torch', 'numpy', 'cv2', 'av', 'huggingface_hub'} & set(sys.modules)\nassert not heavy, heavy"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 0.5


def test_importing_the_package_imports_no_torch() -> None:
    code = (
        "import sys, mardini\nassert not {'torch', 'numpy'} & set(sys.modules)\n"
        "from mardini import MarDini, MarDiniPipeline\nassert MarDiniPipeline.__name__ == 'MarDiniPipeline'\n"
        "assert MarDini.from_pretrained\n"
        "try: mardini.nothing\nexcept AttributeError: pass\nelse: raise AssertionError"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
