"""Rivals by name: what they can be given, whether they could run here, and FILM and RIFE as systems."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from eval.datasets.base import Clip, Dataset
from eval.interpolation import main
from eval.networks.film import FILM
from eval.networks.rife import RIFE
from eval.protocols import protocol_for
from eval.systems import PLACED, SYSTEMS, build_systems, parse_place
from eval.systems.base import Task
from eval.systems.interpolators import INTERPOLATORS, Interpolator
from eval.systems.rivals import RIVALS, Hub, Readiness, fits, missing_packages, readiness
from eval.weight_files import WEIGHTS
from mardini.errors import UserError
from mardini.files import sha256
from mardini.image import write_png

CLIP = np.random.default_rng(0).integers(0, 256, (9, 40, 48, 3), np.uint8)
DATA = Dataset("folder", [Clip("a", "a", lambda: CLIP, {"amt": lambda: CLIP[1:8]})], "fingerprint")
BETWEEN = protocol_for("interpolation", "folder")


def test_the_table_is_well_formed() -> None:
    assert list(RIVALS) == ["film-style", "rife-4.25", "svd", "wan-flf2v", "wan-vace", "ltx"]
    assert PLACED == ["svd", "wan-flf2v", "wan-vace", "ltx"]
    for name, rival in RIVALS.items():
        assert rival.name == name and SYSTEMS[name].usual == ()
        assert "\n" not in rival.line and len(rival.line) < 100
        if isinstance(rival.source, Hub):
            assert re.fullmatch(r"[0-9a-f]{40}", rival.source.revision)
            assert f"{rival.source.gigabytes:g} GB" in rival.line
        else:
            assert WEIGHTS[rival.source].systems == (name,)
            assert f"{WEIGHTS[rival.source].megabytes} MB" in rival.line


@pytest.mark.parametrize(
    ("given", "able"),
    [
        ((0,), ["svd", "wan-vace", "ltx"]),
        ((0, 8), ["film-style", "rife-4.25", "wan-flf2v", "wan-vace", "ltx"]),
        ((0, 4, 8), ["film-style", "rife-4.25", "wan-vace", "ltx"]),
        ((0, 1, 2, 3), ["wan-vace", "ltx"]),
        ((4,), ["wan-vace", "ltx"]),
        ((8,), ["wan-vace", "ltx"]),
    ],
)
def test_which_frames_each_can_be_given(given: tuple[int, ...], able: list[str]) -> None:
    assert [name for name, rival in RIVALS.items() if fits(rival.takes, given, 9)] == able


def test_a_mask_that_a_rival_cannot_take_is_refused_before_anything_is_loaded() -> None:
    i2v, expansion = protocol_for("i2v", "folder"), protocol_for("expansion", "folder")
    message = (
        "'film-style' takes the first and the last frame, and any between, but frames 0 of 9 are given: leave it out "
        "of --systems; svd, wan-vace, ltx can take them"
    )
    with pytest.raises(UserError, match=message):
        build_systems(["film-style"], DATA, i2v)
    with pytest.raises(UserError, match=r"'rife-4\.25' takes .*frames 0, 1, 2, 3 of 9.*wan-vace, ltx can"):
        build_systems(["rife-4.25"], DATA, expansion)
    with pytest.raises(UserError, match="'svd' takes the first frame and no other, but frames 0, 8"):
        build_systems(["svd"], DATA, BETWEEN)
    with pytest.raises(UserError, match="'wan-flf2v' takes the first and the last frame and no other"):
        build_systems(["wan-flf2v"], DATA, i2v)


def test_places_of_models_on_the_command_line() -> None:
    assert parse_place("svd") == ("svd", None)
    assert parse_place("svd=models/svd") == ("svd", "models/svd")
    for text in ("svd=", "svd=a=b"):
        with pytest.raises(UserError, match="without '=' in its path"):
            parse_place(text)
    for text in ("flow=DIR", "film-style=DIR", "amt=DIR"):
        with pytest.raises(UserError, match="takes no place for a model: svd, wan-flf2v, wan-vace, ltx do"):
            build_systems([text], DATA, BETWEEN)
    with pytest.raises(UserError, match=r"unknown system 'rife': did you mean 'rife-4\.25'"):
        build_systems(["rife"], DATA, BETWEEN)
    with pytest.raises(UserError, match="unknown system 'film': did you mean 'film-style'"):
        build_systems(["film"], DATA, BETWEEN)
    with pytest.raises(UserError, match="'ltx' is a built-in system: name yours"):
        build_systems([], DATA, BETWEEN, predictions=["ltx=here"])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random weights under the names of the published files."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name, network in (("film", FILM()), ("rife", RIFE())):
        state = network.state_dict()
        if name == "film":
            state = {key: value.half() for key, value in state.items()}
        save_file(state, folder / WEIGHTS[name].file)
    return folder


@pytest.fixture
def weights(files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder, its hashes in the table, and no network."""
    for name in ("film", "rife"):
        digest = sha256(files / WEIGHTS[name].file)
        monkeypatch.setitem(WEIGHTS, name, dataclasses.replace(WEIGHTS[name], sha256=digest))
    monkeypatch.setenv("MARDINI_OFFLINE", "1")
    return files


def built(name: str, weights: Path | None) -> Interpolator:
    (system,) = build_systems([name], DATA, BETWEEN, weights_dir=weights)
    assert isinstance(system, Interpolator)
    return system


@pytest.mark.parametrize("name", INTERPOLATORS)
def test_every_gap_is_filled_from_its_own_ends(name: str, weights: Path) -> None:
    system = built(name, weights)
    system.prepare()
    known = {i: CLIP[i] for i in (0, 2, 5)}
    whole, alone = system.predict([Task("a", known, 6, 1), Task("b", {0: CLIP[0], 2: CLIP[2]}, 3, 2)])
    assert whole.shape == (6, *CLIP.shape[1:]) and whole.dtype == np.uint8
    np.testing.assert_array_equal(whole[[0, 2, 5]], CLIP[[0, 2, 5]])
    np.testing.assert_array_equal(alone[1], whole[1])
    assert len({frame.tobytes() for frame in whole}) == 6
    with pytest.raises(UserError, match="takes the first and the last frame"):
        system.predict([Task("c", {0: CLIP[0]}, 9, 0)])


@pytest.mark.parametrize("name", INTERPOLATORS)
def test_the_record_names_the_weights(name: str, weights: Path) -> None:
    system = built(name, weights)
    weight = WEIGHTS[str(RIVALS[name].source)]
    described = system.describe()
    assert described["weights"] == {weight.file: weight.sha256}
    assert described["times"] == {"film-style": "bisection", "rife-4.25": "direct"}[name]
    assert (system.name, system.variant) == (name, name)


@pytest.mark.parametrize("name", INTERPOLATORS)
def test_missing_and_wrong_weights_are_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARDINI_OFFLINE", "1")
    weight = WEIGHTS[str(RIVALS[name].source)]
    with pytest.raises(
        UserError, match=rf"{weight.file} is not here .*get https://huggingface.co/Comfy-Org/.*"
    ):
        built(name, tmp_path).prepare()
    (tmp_path / weight.file).write_bytes(b"something else")
    with pytest.raises(UserError, match=f"must have {weight.sha256}"):
        built(name, tmp_path).prepare()


def test_readiness_of_weights(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert readiness("film-style", weights) == Readiness(
        "ready", f"weights in {weights / 'film_net_fp16.safetensors'}"
    )
    absent = readiness("rife-4.25", tmp_path)
    assert absent.state == "missing"
    assert re.search(r"rife_v4.25.safetensors \(23 MB\) is not here and MARDINI_OFFLINE", absent.sentence)
    monkeypatch.delenv("MARDINI_OFFLINE")
    later = readiness("rife-4.25", tmp_path)
    assert later.state == "download" and "will be downloaded when used" in later.sentence
    (tmp_path / WEIGHTS["rife"].file).write_bytes(b"wrong")
    assert readiness("rife-4.25", tmp_path).state == "missing"


def test_readiness_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing heavy is imported, and a snapshot in the Hugging Face cache is found by its revision."""
    hub = RIVALS["svd"].source
    assert isinstance(hub, Hub)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("eval.systems.rivals.missing_packages", lambda packages: [])
    assert readiness("svd").state == "download"
    assert re.search(r"the model \(4.5 GB\) will be downloaded .*stabilityai/", readiness("svd").sentence)
    monkeypatch.setenv("MARDINI_OFFLINE", "1")
    assert readiness("svd").state == "missing"
    snapshot = tmp_path / f"models--{hub.repository.replace('/', '--')}" / "snapshots" / hub.revision
    snapshot.mkdir(parents=True)
    (snapshot / "model_index.json").write_text("{}")
    assert readiness("svd") == Readiness("ready", f"model in {snapshot}")
    monkeypatch.setattr("eval.systems.rivals.missing_packages", lambda packages: ["ftfy"])
    assert readiness("wan-vace") == Readiness("missing", "needs ftfy: run 'pip install mardini[rivals]'")


def test_a_missing_package_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_ftfy(packages: Collection[str]) -> list[str]:
        return ["ftfy"] if "ftfy" in packages else []

    monkeypatch.setattr("eval.systems.diffusion.missing_packages", without_ftfy)
    with pytest.raises(UserError, match=r"'wan-vace' needs ftfy: run 'pip install mardini\[rivals\]'"):
        build_systems(["wan-vace"], DATA, BETWEEN)
    assert build_systems(["ltx"], DATA, BETWEEN)
    assert missing_packages(("numpy", "no_such_package")) == ["no_such_package"]


def test_a_run_fetches_first_and_only_when_there_is_work(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the weights nothing is begun; a finished run does not ask for them any more."""
    for index, frame in enumerate(CLIP[:3]):
        write_png(tmp_path / "videos" / "a" / f"{index}.png", frame)
    command = [
        "--dataset",
        "folder",
        "--data-root",
        str(tmp_path / "videos"),
        "--output",
        str(tmp_path / "out"),
    ]
    command += ["--frames", "3", "--metrics", "psnr", "--systems", "repeat,rife-4.25", "--weights-dir"]
    assert main([*command, str(tmp_path)]) == 2
    assert "rife_v4.25.safetensors is not here" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.npz"))
    assert main([*command, str(weights)]) == 0
    (record,) = (tmp_path / "out").rglob("rife-4.25/record.json")
    described = json.loads(record.read_text())["described"]
    assert described["weights"] == {WEIGHTS["rife"].file: WEIGHTS["rife"].sha256}
    assert main([*command, str(tmp_path)]) == 0
