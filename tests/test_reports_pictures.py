"""Frames in the report: only generated ones, only those of the records, in pictures that say so."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_results import CLIPS, group_of, make_group, save, true_clip

from eval.interpolation import main as evaluate
from reports.build import build, differing
from reports.catalogue import sharper
from reports.figures import planning, sharpness, strips
from reports.frames import Frames
from reports.page.build import data, data_of, embedded
from reports.page.clips import sets
from reports.records import ReportError, read_groups, sha256_of
from reports.report import Report
from reports.style import styled

ROOT = Path(__file__).parent.parent

PICTURES = {"figure-5-planning", "figure-7-views", "figure-8-expansion", "figure-10-middle"}


# -- whose frames -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["davis", "vidim", "ucf101", "folder"])
def test_no_frame_of_another_data_set_is_ever_shown(dataset: str, tmp_path: Path) -> None:
    make_group(tmp_path / "results", dataset=dataset)
    (group,) = read_groups([tmp_path / "results"])
    with pytest.raises(ReportError, match="are never part of a report"):
        Frames(group)
    made = Report.of([tmp_path / "results"], tmp_path / "out")
    assert [figure.name for figure in made.shown if figure.frames is not None] == []
    assert {figure.name for figure in made.missing} >= PICTURES | {"figure-9-sharpness"}
    assert sets(made.groups) == [] and data(made)["sheets"] == []


def test_no_frame_of_another_data_set_is_ever_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.catalogue.losses", lambda results: [])  # they take most of the time
    make_group(tmp_path / "results", dataset="davis")
    build([tmp_path / "results"], tmp_path / "out", tell=lambda sentence: None)
    page = tmp_path / "out" / "report.html"
    assert embedded(page, "sheets") == {} and "image/webp" not in page.read_text()
    assert not PICTURES & {path.stem for path in (tmp_path / "out" / "figures").iterdir()}


def test_a_variant_of_what_is_ours_alone_is_in_the_tables_only(tmp_path: Path) -> None:
    make_group(tmp_path)
    (before,) = sets(read_groups([tmp_path]))
    (folder,) = (path.parent for path in tmp_path.rglob("mardini/record.json"))
    shutil.copytree(folder, folder.with_name("mardini-skip0-detail0"))
    (after,) = sets(read_groups([tmp_path]))
    assert after[0]["left_out"] == ["mardini-skip0-detail0"] and before[0]["left_out"] == []
    assert after[0]["systems"] == before[0]["systems"] == ["blend", "flow", "mardini", "mardini-guidance0"]
    assert [sheet.name for sheet in after[1]] == [sheet.name for sheet in before[1]]
    shutil.rmtree(folder)
    (alone,) = sets(read_groups([tmp_path]))  # of nothing else in the report
    assert "mardini-skip0-detail0" in alone[0]["systems"] and alone[0]["left_out"] == []


def test_a_group_is_shown_only_if_every_record_says_so(tmp_path: Path) -> None:
    make_group(tmp_path)
    (path,) = tmp_path.rglob("flow/record.json")
    path.write_text(path.read_text().replace('"name": "synthetic"', '"name": "davis"'))
    (group,) = read_groups([tmp_path])
    with pytest.raises(ReportError, match="are never part of a report"):
        Frames(group)


def test_one_module_alone_opens_stored_frames() -> None:
    readers = {"load", "imread", "fromfile", "memmap", "read_clip", "VideoCapture"}
    for path in sorted((ROOT / "reports").rglob("*.py")):
        called = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not called & readers or path.name == "frames.py", path


def test_frames_with_another_hash_than_the_records_are_not_shown(tmp_path: Path) -> None:
    make_group(tmp_path)
    (group,) = read_groups([tmp_path])
    assert len(Frames(group).truth) == len(Frames(group).made("flow")) == CLIPS
    (path,) = tmp_path.rglob("flow/predictions/synth/00001.npz")
    save(path, true_clip(7))
    assert sorted(Frames(group).made("flow")) == ["synth/00000", "synth/00002", "synth/00003"]
    (path,) = tmp_path.rglob("_reference/predictions/synth/00001.npz")
    save(path, true_clip(7))
    assert Frames(group).truth == {}


def test_what_the_toolkit_writes_is_what_the_report_reads(tmp_path: Path) -> None:
    """Hashes, places of files and names in records are the toolkit's own."""
    words = ["--systems", "repeat,blend", "--metrics", "psnr,ssim", "--limit", "2", "--output", str(tmp_path)]
    assert evaluate(words) == 0
    (group,) = read_groups([tmp_path])
    frames = Frames(group)
    assert list(frames.truth) == list(frames.made("blend")) == ["synth/00000", "synth/00001"]
    assert frames.truth["synth/00000"].shape == (9, 128, 128, 3)
    assert np.array_equal(frames.made("repeat")["synth/00001"][1], frames.truth["synth/00001"][0])


# -- pictures -----------------------------------------------------------------------------------------------------


def test_a_strip_shows_the_frames_that_its_rows_name(results: Path) -> None:
    group = group_of(results)
    frames, rows = Frames(group), planning.rows(group)
    with styled() as pyplot:
        _, ax = pyplot.subplots(figsize=strips.size(rows))
        strips.draw(rows, [ax], frames)
        images = [image.get_array() for image in ax.images]
    clip = rows[0]["clip"]
    shown = [row for row in rows if row["show"] != "nothing"]
    assert len(images) == len(shown) + 1  # and the scale
    for row, image in zip(shown, images, strict=False):
        source = frames.truth if row["system"] == "truth" else frames.made(row["system"])
        picture, truth = source[clip][row["frame"]], frames.truth[clip][row["frame"]]
        if row["show"] == "difference":
            assert np.allclose(image, np.abs(picture.astype(float) - truth).mean(-1), atol=1e-4)
        else:
            assert np.array_equal(image, picture)
    assert {row["frame"] for row in rows if row["given"]} == {0, 8}
    for row in rows:
        if "psnr" in row:
            known = {r["clip"]: r for r in group.rows(row["system"])}[clip]
            assert row["psnr"] == pytest.approx(known["frames"]["psnr"][row["frame"] - 1], abs=1e-4)
            assert known["prediction"].startswith(row["clip_sha256"])


def test_every_picture_is_drawn(report: Path) -> None:
    for name in PICTURES:
        for suffix in ("pdf", "png", "csv"):
            assert (report / "figures" / f"{name}.{suffix}").stat().st_size > 100
        pdf = (report / "figures" / f"{name}.pdf").read_bytes()
        assert b"CreationDate" not in pdf and b"/Type3" not in pdf


def test_pictures_are_kept_where_frames_are_not_and_dropped_when_records_change(
    results: Path, report: Path, tmp_path: Path
) -> None:
    bare, out = tmp_path / "results", tmp_path / "out"
    shutil.copytree(results, bare, ignore=shutil.ignore_patterns("*.npz"))
    shutil.copytree(report, out)
    before = {path.name: path.read_bytes() for path in (out / "figures").iterdir()}
    assert differing([bare], out) == []
    build([bare], out, tell=lambda sentence: None)
    assert {path.name: path.read_bytes() for path in (out / "figures").iterdir()} == before
    assert embedded(out / "report.html", "sheets") == embedded(report / "report.html", "sheets") != {}
    assert differing([results], out) == []

    (folder,) = bare.glob("interpolation/*/mardini")
    rows = [json.loads(line) for line in (folder / "clips.jsonl").read_text().splitlines()]
    for row in rows:
        row["prediction"] = "f" * 64
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    record = json.loads((folder / "record.json").read_text())
    record["predictions_sha256"] = sha256_of(part for row in rows for part in (row["clip"], "f" * 64))
    (folder / "record.json").write_text(json.dumps(record))
    assert {"figures/figure-5-planning.png", "report.html"} <= set(differing([bare], out))
    now = Report.of([bare], out)
    assert {figure.name for figure in now.missing} >= PICTURES - {"figure-8-expansion"}
    assert "figure-8-expansion" in {figure.name for figure in now.shown}
    lost = set(data_of(out / "report.html")["sheets"]) - set(data(now)["sheets"])
    assert len(lost) == CLIPS  # those of one system; the others play on


def test_the_sharper_frame_that_scores_worse_is_found() -> None:
    """Of a cross-fade, noise of the truth's sharpness less a little, and the truth displaced: the last."""
    truth = true_clip(1)
    made = {
        "blend": (np.roll(truth, 3, axis=2).astype(float) / 2 + np.roll(truth, -3, axis=2) / 2).astype(
            np.uint8
        ),
        "flow": np.roll(truth, 2, axis=2),
        "mardini": np.clip(truth + np.random.default_rng(0).normal(0, 30, truth.shape), 0, 255).astype(
            np.uint8
        ),
    }
    ssim = {"blend": 0.7, "flow": 0.6, "mardini": 0.1}
    row = {"clip": "a", "prediction": "0" * 64, "frames": {"psnr": [9.0] * 7}}
    rows_of: dict[str, Any] = {
        name: [{**row, "scores": {"ssim_vidim_mid": value}}] for name, value in ssim.items()
    }
    first = {"frames": {"middle": 4, "generated": list(range(1, 8))}}
    group: Any = SimpleNamespace(
        first=first, records=dict.fromkeys(made, first), complete=True, rows=rows_of.__getitem__
    )
    frames: Any = SimpleNamespace(truth={"a": truth}, made=lambda name: {"a": made[name]})
    rows = sharpness.rows(group, frames)
    assert [row["system"] for row in rows] == ["truth", "blend", "flow"]
    assert rows[1]["sharpness"] < rows[2]["sharpness"] == pytest.approx(rows[0]["sharpness"], rel=0.1)
    for name in ("flow", "mardini"):  # now the sharper frames score better
        rows_of[name][0]["scores"]["ssim_vidim_mid"] = 0.8
    assert sharpness.rows(group, frames) == []


def test_the_sharper_frame_is_chosen_among_the_frames_that_are_here(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a system's frames are not, a choice made before stands; else the others are chosen from."""
    some = tmp_path / "results"
    shutil.copytree(results, some)
    shutil.rmtree(next(some.glob("interpolation/*/flow/predictions")))
    found = planning.rows(group_of(results))[:2]
    monkeypatch.setattr(sharpness, "rows", lambda group, frames: found)
    assert sharper(group_of(some), tmp_path / "none", "").rows == found
    kept = tmp_path / "kept" / "figure-9-sharpness.csv"
    kept.parent.mkdir()
    kept.write_text("system,clip,clip_sha256\ntruth,synth/00000,\n")
    assert [row["clip"] for row in sharper(group_of(some), kept.parent, "").rows] == ["synth/00000"]
    assert sharper(group_of(results), kept.parent, "").rows == found
