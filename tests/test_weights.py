"""Weight files: where they are looked for, what is said when they are missing, that hashes decide."""

import dataclasses
import hashlib
import re
from pathlib import Path

import pytest

from eval import weights
from eval.weights import WEIGHTS, Weight, availability, fetch, find_weights, rows
from mardini.download import DownloadError
from mardini.errors import UserError

CONTENT = b"not really a network"


@pytest.fixture(autouse=True)
def small_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two files with a known content, no network, an empty cache."""
    for name in ("inception", "i3d"):
        changed = dataclasses.replace(WEIGHTS[name], sha256=hashlib.sha256(CONTENT).hexdigest())
        monkeypatch.setitem(WEIGHTS, name, changed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MARDINI_WEIGHTS", raising=False)
    monkeypatch.setenv("MARDINI_OFFLINE", "1")


def put(folder: Path, name: str, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WEIGHTS[name].file
    path.write_bytes(content)
    return path


def test_the_table_is_well_formed():
    from eval.metrics import METRICS
    from eval.systems.rivals import RIVALS

    assert len({weight.file for weight in WEIGHTS.values()}) == len(WEIGHTS)
    for name, weight in WEIGHTS.items():
        assert weight.name == name
        assert re.fullmatch(r"[0-9a-f]{64}", weight.sha256)
        assert weight.urls
        assert all(url.startswith("https://") for url in weight.urls)
        assert [METRICS[metric].weight for metric in weight.metrics] == [name] * len(weight.metrics)
        assert [RIVALS[system].source for system in weight.systems] == [name] * len(weight.systems)
        assert weight.metrics or weight.systems
        # a name that carries the first digits of its hash, as torch hub's do, must carry the right ones
        if name not in ("inception", "i3d") and (digits := re.search(r"-([0-9a-f]{8})\.pth$", weight.file)):
            assert weight.sha256.startswith(digits[1])


def test_folders_are_searched_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("MARDINI_WEIGHTS", str(tmp_path / "environment"))
    assert find_weights("inception", tmp_path / "given") is None
    cached = put(tmp_path / "cache" / "mardini" / "weights", "inception")
    assert find_weights("inception", tmp_path / "given") == cached
    from_environment = put(tmp_path / "environment", "inception")
    assert find_weights("inception", tmp_path / "given") == from_environment
    given = put(tmp_path / "given", "inception")
    assert find_weights("inception", tmp_path / "given") == given


def test_a_wrong_hash_stops_everything(tmp_path):
    put(tmp_path, "inception", b"an HTML page")
    found, wanted = hashlib.sha256(b"an HTML page").hexdigest(), WEIGHTS["inception"].sha256
    with pytest.raises(UserError, match=f"has SHA-256 {found}, but .* must have {wanted}: delete it"):
        find_weights("inception", tmp_path)
    with pytest.raises(UserError, match="has SHA-256"):
        availability(["inception"], tmp_path)


def test_a_replaced_file_is_hashed_again(tmp_path):
    path = put(tmp_path, "inception")
    assert find_weights("inception", tmp_path) == path
    put(tmp_path, "inception", CONTENT + b"!")
    with pytest.raises(UserError, match="has SHA-256"):
        find_weights("inception", tmp_path)


def test_offline_each_missing_file_gets_one_sentence(tmp_path):
    path = put(tmp_path, "i3d")
    found = availability(["inception", "i3d", "inception"], tmp_path)
    assert list(found) == ["inception", "i3d"]
    assert found["i3d"].path == path
    assert found["i3d"].sentence == ""
    assert found["inception"].path is None
    assert found["inception"].sentence == (
        "pt_inception-2015-12-05-6726825d.pth is missing (MARDINI_OFFLINE forbids downloads): get "
        f"{WEIGHTS['inception'].urls[0]} and put it into {tmp_path}"
    )
    with pytest.raises(UserError, match="MARDINI_OFFLINE forbids downloads"):
        fetch("inception", tmp_path)


def test_without_a_network_only_the_first_file_is_tried(tmp_path, monkeypatch):
    monkeypatch.setenv("MARDINI_OFFLINE", "0")
    tried = []

    def unreachable(urls, path, **kwargs):
        tried.append(path)
        raise DownloadError("could not download", unreachable=True)

    monkeypatch.setattr(weights, "download", unreachable)
    found = availability(["inception", "i3d"], tmp_path)
    assert tried == [tmp_path / WEIGHTS["inception"].file]
    assert all("the network cannot be reached" in entry.sentence for entry in found.values())


def test_a_dead_link_does_not_stop_the_other_files(tmp_path, monkeypatch):
    monkeypatch.setenv("MARDINI_OFFLINE", "")

    def download(urls, path, sha256, progress):
        if path.name == WEIGHTS["inception"].file:
            raise DownloadError("could not download it (HTTP 404)", unreachable=False)
        return put(path.parent, "i3d")

    monkeypatch.setattr(weights, "download", download)
    found = weights.fetch_all(["inception", "i3d"], tmp_path)
    assert "HTTP 404" in found["inception"].sentence
    assert found["i3d"].path == tmp_path / WEIGHTS["i3d"].file


def test_rows_say_what_is_here(tmp_path):
    path = put(tmp_path, "i3d")
    put(tmp_path, "inception", b"wrong")
    here = {row["file"]: row["here"] for row in rows(tmp_path)}
    assert len(here) == len(WEIGHTS)
    assert here[path.name] == str(path)
    assert here[WEIGHTS["inception"].file].startswith("wrong hash: ")
    assert here[WEIGHTS["vgg16"].file] == "missing"


def test_unknown_names_get_a_suggestion():
    with pytest.raises(UserError, match="did you mean 'inception'"):
        find_weights("inceptoin")
    assert isinstance(WEIGHTS["vgg16"], Weight)
