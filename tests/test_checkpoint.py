"""Checkpoints: what is saved is what is loaded, and nothing else is."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mardini import checkpoint
from mardini.codecs import load_codec
from mardini.config import preset
from mardini.errors import UserError
from mardini.model import MarDini
from mardini.pipeline import MarDiniPipeline
from mardini.vae import LatentCodec


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = preset("tiny")
    checkpoint.save(tmp_path, MarDini(config), LatentCodec(config.codec))
    return tmp_path


def test_round_trip(saved: Path) -> None:
    torch.manual_seed(0)
    config = preset("tiny")
    expected = MarDini(config), LatentCodec(config.codec)
    for module, loaded in zip(expected, checkpoint.load(saved), strict=True):
        for (name, tensor), (other, got) in zip(
            module.state_dict().items(), loaded.state_dict().items(), strict=True
        ):
            assert name == other
            torch.testing.assert_close(tensor, got, atol=0, rtol=0)


def test_half_precision_on_disk_loads_as_float32(saved: Path) -> None:
    model, codec = checkpoint.load(saved)
    checkpoint.save(saved / "half", model, codec, torch.float16)
    assert {t.dtype for t in load_file(saved / "half" / checkpoint.WEIGHTS).values()} == {torch.float16}
    assert {p.dtype for p in checkpoint.load(saved / "half")[0].parameters()} == {torch.float32}


def test_a_codec_alone_is_loaded_as_it_was_in_its_checkpoint(saved: Path) -> None:
    target = saved / "codec-alone"
    assert checkpoint.main([str(saved), str(target), "--codec-only"]) == 0
    assert all(name.startswith("codec.") for name in load_file(target / checkpoint.WEIGHTS))
    expected, codec = checkpoint.load(saved)[1].state_dict(), load_codec(target)
    assert all(torch.equal(expected[name], tensor) for name, tensor in codec.state_dict().items())
    assert checkpoint.main([str(target), str(saved / "half"), "--codec-only", "--half"]) == 0
    with pytest.raises(UserError, match="a codec and no model"):
        checkpoint.load(target)


def test_a_model_is_saved_with_the_codec_it_was_given(saved: Path) -> None:
    model, _ = checkpoint.load(saved)
    other = LatentCodec(replace(preset("tiny").codec, decoder=48, convolutions="dense"))
    checkpoint.save(saved / "other", model, other)
    again, codec = checkpoint.load(saved / "other")
    assert codec.config == again.config.codec == other.config
    assert all(torch.equal(other.state_dict()[name], tensor) for name, tensor in codec.state_dict().items())


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"chanels": 16}, "describes no codec"), ({"convolutions": "dens"}, "'dense'"), ({}, "does not fit")],
)
def test_a_codec_alone_with_a_wrong_configuration(saved: Path, sizes: dict[str, Any], message: str) -> None:
    checkpoint.main([str(saved), str(saved / "alone"), "--codec-only"])
    (saved / "alone" / checkpoint.CONFIG).write_text(json.dumps({"codec": sizes}))
    with pytest.raises(UserError, match=message):
        load_codec(saved / "alone")


@pytest.mark.parametrize("change", ["missing", "surplus", "shape"])
def test_tensors_must_fit_exactly(saved: Path, change: str) -> None:
    path = saved / checkpoint.WEIGHTS
    tensors = load_file(path)
    name = "model.planner.mask_token"
    if change == "missing":
        del tensors[name]
    elif change == "surplus":
        tensors["model.planner.surplus"] = torch.zeros(1)
    else:
        tensors[name] = torch.zeros(3)
    save_file(tensors, path)
    with pytest.raises(UserError, match="does not fit"):
        checkpoint.load(saved)


def test_damaged_and_missing_files_are_named(saved: Path) -> None:
    weights = saved / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match="readable checkpoint"):
        checkpoint.load(saved)
    weights.unlink()
    with pytest.raises(UserError, match=r"no model\.safetensors"):
        checkpoint.load(saved)


def test_configuration_of_another_model_is_refused(saved: Path) -> None:
    (saved / checkpoint.CONFIG).write_text(json.dumps(preset("nano").to_dict()))
    with pytest.raises(UserError, match="does not fit"):
        checkpoint.load(saved)


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    mine, other = a.state_dict(), b.state_dict()
    return mine.keys() == other.keys() and all(torch.equal(mine[name], other[name]) for name in mine)


@pytest.mark.parametrize("kind", [MarDini, MarDiniPipeline])
def test_save_pretrained_and_back(saved: Path, tmp_path: Path, kind: type[MarDini | MarDiniPipeline]) -> None:
    kind.from_pretrained(saved).save_pretrained(tmp_path / "again")
    assert {file.name for file in (tmp_path / "again").iterdir()} == {
        "config.json",
        "model.safetensors",
        "README.md",
    }
    card = (tmp_path / "again" / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\n") and "Data and training" in card
    for before, after in zip(checkpoint.load(saved), checkpoint.load(tmp_path / "again"), strict=True):
        assert same(before, after)


def test_the_codec_stays_beside_the_model_and_out_of_its_weights(saved: Path) -> None:
    model = MarDini.from_pretrained(saved)
    assert isinstance(model.codec, LatentCodec)
    assert not [name for name in model.state_dict() if name.startswith("codec")]
    assert same(copy.deepcopy(model), model)


def test_a_failed_save_leaves_what_was_there(saved: Path) -> None:
    with pytest.raises(UserError, match="has no codec"):
        MarDini(preset("tiny")).save_pretrained(saved)
    checkpoint.load(saved)


def test_a_checkpoint_with_a_codec_of_diffusers(saved: Path, tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers")
    from mardini.codecs import DiffusersCodec

    torch.manual_seed(1)
    vae = diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4, latent_channels=16
    )
    model, _ = checkpoint.load(saved)
    checkpoint.save(tmp_path / "with", model, DiffusersCodec(vae))
    assert all(name.startswith("model.") for name in load_file(tmp_path / "with" / checkpoint.WEIGHTS))
    again, codec = checkpoint.load(tmp_path / "with")
    assert same(again, model) and isinstance(codec, DiffusersCodec) and same(codec.vae, vae)
    with pytest.raises(UserError, match="another codec"):
        checkpoint.save(tmp_path / "with", *checkpoint.load(saved))


def test_push_to_hub(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the mixin, to a Hub that only takes note."""
    pushed: dict[str, Any] = {}

    class Api:
        def __init__(self, token: str | None = None) -> None:
            pushed["token"] = token

        def create_repo(self, repo_id: str, **_: Any) -> Any:
            return type("Url", (), {"repo_id": repo_id})()

        def upload_folder(self, *, repo_id: str, folder_path: Path, **_: Any) -> str:
            pushed["files"] = sorted(file.name for file in folder_path.iterdir())
            pushed["card"] = (folder_path / "README.md").read_text()
            pushed["model"] = checkpoint.load(folder_path)[0]
            return f"https://hub/{repo_id}"

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    model = MarDini.from_pretrained(saved)
    record = {
        "system": "mardini",
        "protocol": "davis-7/v1",
        "dataset": {"name": "davis", "clips": 40},
        "metrics": {"fvd": {"value": 99.0, "decimals": 1}},
    }
    url = model.push_to_hub("me/nano", token="t", model_card_kwargs={"records": [record]})
    assert url == "https://hub/me/nano" and pushed["token"] == "t"
    assert pushed["files"] == ["README.md", "config.json", "model.safetensors"]
    assert same(pushed["model"], model)
    assert "On davis, protocol davis-7/v1, 40 clips" in pushed["card"] and "| fvd | 99.0 |" in pushed["card"]


def test_hub_id_is_downloaded(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(name: str, **options: Any) -> str:
        asked.append((name, options["revision"], options["token"]))
        return str(saved)

    monkeypatch.setattr("mardini.hub.snapshot_download", download)
    model = MarDini.from_pretrained("me/nano", revision="v1", token="t")
    assert asked == [("me/nano", "v1", "t")] and same(model, checkpoint.load(saved)[0])


def test_a_hub_that_cannot_be_reached_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"no checkpoint at nobody/nothing.*check the name and the network"):
        MarDini.from_pretrained("nobody/nothing", local_files_only=True)

    def refuse(*_: Any, **__: Any) -> str:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr("mardini.hub.snapshot_download", refuse)
    with pytest.raises(UserError, match=r"\(no route\); check") as caught:
        MarDiniPipeline.from_pretrained("nobody/nothing")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="a folder that holds one"):
        MarDini.from_pretrained(Path("nobody/nothing"))
