"""The model card says what is so, and nothing it was not told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mardini import checkpoint
from mardini.card import find_logs, main, model_card, results_table
from mardini.config import preset
from mardini.errors import UserError
from mardini.model import MarDini
from mardini.shipped import hash_of
from mardini.vae import LatentCodec


def parts(**changes: Any) -> tuple[MarDini, LatentCodec]:
    config = replace(preset("tiny"), **changes)
    return MarDini(config), LatentCodec(config.codec)


RECORD = {
    "system": "mardini",
    "variant": "mardini-steps8",
    "protocol": "davis-7/v1",
    "dataset": {"name": "davis", "clips": 40},
    "metrics": {
        "psnr_all": {"value": 21.186, "low": 19.8, "high": 22.64, "decimals": 2},
        "fvd": {"value": 123.456, "low": None, "high": None, "decimals": 1},
    },
}


def test_configuration_and_counts_are_those_of_the_model() -> None:
    model, codec = parts(low_ratio=4)
    card = model_card(model, codec)
    for part in (model.planner, model.generator, codec):
        assert f"{sum(p.numel() for p in part.parameters()):,}" in card
    assert "1 to 4 per side" in card and "1 to 2 per side" in model_card(*parts())
    assert "No training logs" in card and "not recorded with this checkpoint" in card
    header = yaml.safe_load(card.split("---")[1])
    assert header["library_name"] == "mardini" and header["license"] == "apache-2.0"


def test_identity_attention_off_is_told() -> None:
    generator = replace(preset("tiny").generator, identity=False)
    assert "switched off" in model_card(*parts(generator=generator))
    assert "switched off" not in model_card(*parts())


def test_stages_come_from_logs_in_the_manuals_order(tmp_path: Path) -> None:
    for name, clips in (("joint-task", 64_000), ("codec", 2_000)):
        (tmp_path / name).mkdir()
        rows = [{"clips": 16, "loss": 9.0}, {"clips": clips, "loss": 0.25, "held_out": 0.5}]
        (tmp_path / name / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    card = model_card(*parts(), logs=find_logs(tmp_path), data="procedural video")
    assert "| joint-task | both | 15% to 60% | 64,000 | 0.2500 | 0.5000 |" in card
    assert card.index("| codec |", card.index("clips seen")) < card.index("| joint-task |")
    assert "Trained on: procedural video." in card and "initial-planner" not in card


def test_results_are_the_records() -> None:
    other = {**RECORD, "variant": "flow", "metrics": {"psnr_all": {"value": 1, "decimals": 2}}}
    fewer = {**RECORD, "dataset": {"name": "davis", "clips": 4}}
    davis, few = results_table([RECORD, other, fewer]).split("On davis, protocol davis-7/v1, ")[1:]
    assert davis.startswith("40 clips:") and "| metric | mardini-steps8 | flow |" in davis
    assert "| psnr_all | 21.19 [19.80, 22.64] | 1.00 |" in davis and "| fvd | 123.5 | – |" in davis
    assert few.startswith("4 clips:") and "flow" not in few
    with pytest.raises(UserError, match="not a record"):
        results_table([{"system": "x"}])


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "checkpoint"
    checkpoint.save(folder, *parts())
    (tmp_path / "results" / "a").mkdir(parents=True)
    (tmp_path / "results" / "a" / "record.json").write_text(json.dumps(RECORD))
    assert main([str(folder), "--records", str(tmp_path / "results")]) == 0
    assert "mardini-steps8" in (folder / "README.md").read_text()
    assert "training.png" not in (folder / "README.md").read_text()
    for name in ("2-codec", "3-codec.2"):  # as training's --logs leaves them
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"clips": 7, "loss": 0.5}))
    (tmp_path / "notes.md").write_text("Two cores, an hour.")
    (tmp_path / "summary.md").write_text("Sees far.")
    (folder / "training.png").touch()
    texts = ["--notes", str(tmp_path / "notes.md"), "--summary", str(tmp_path / "summary.md")]
    assert main([str(folder), "--runs", str(tmp_path), *texts]) == 0
    card = (folder / "README.md").read_text()
    assert "| codec | codec |" in card and "| codec.2 | codec |" in card
    assert card.index("Sees far.") < card.index("## Configuration") < card.index("Two cores, an hour.")
    assert "](training.png)" in card
    for flag in ("--runs", "--notes", "--summary"):
        assert main([str(folder), flag, str(tmp_path / "nothing")]) == 2
        assert "is no f" in capsys.readouterr().err


def test_records_of_other_checkpoints_are_left_out_but_for_the_default_as_it_comes(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "mini", *parts())
    ours, other = (
        {"system": "mardini", "checkpoint": "mini", "weights_sha256": weights}
        for weights in (hash_of(tmp_path / "mini"), "of another run")
    )
    variants = {
        "flow": {"system": "flow"},
        "mardini": {"system": "mardini"},
        "mardini-skip0": {"system": "mardini"},
    }
    for name, told in {**variants, "mardini-mini-steps6": ours, "mardini-nano-128": other}.items():
        record = {**RECORD, "variant": name, "described": told}
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "record.json").write_text(json.dumps(record))
    assert main([str(tmp_path / "mini"), "--records", str(tmp_path / "results")]) == 0
    assert (
        "| metric | flow | mardini | mardini-mini-steps6 |\n" in (tmp_path / "mini" / "README.md").read_text()
    )


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_record_is_named(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint.save(tmp_path / "mini", *parts())
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "record.json").write_text(text)
    assert main([str(tmp_path / "mini"), "--records", str(tmp_path / "results")]) == 2
    assert "record.json is no record" in capsys.readouterr().err


def test_damaged_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "codec.jsonl").write_text("not json\n")
    with pytest.raises(UserError, match=r"codec\.jsonl is no training log"):
        model_card(*parts(), logs=find_logs(tmp_path))
