"""Weight files: where they are looked for, what is said when they are missing, that hashes decide."""

import dataclasses
import hashlib
import re
from pathlib import Path

import pytest

from eval import weights
from eval.weight_files import WEIGHTS, Weight
from eval.weights import availability, fetch, find_weights, rows
from mardini.download import DownloadError
from mardini.errors import UserError

CONTENT = b"not really a network"

# Files of which the publisher gives no SHA-256, and what is known instead. Nothing may join them without a reason.
LESS_THAN_A_HASH = {
    "dino_vitb16": "MD5 552daf80332dbde16bba2a52c6508b77",
    "raft_large": "begins with 22a6c225",
    "laion_aesthetic": "not published",
}


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
        if name in LESS_THAN_A_HASH:
            assert weight.pin == LESS_THAN_A_HASH[name]
        else:
            assert re.fullmatch(r"[0-9a-f]{64}", weight.sha256) and weight.pin == weight.sha256
        assert weight.urls
        assert all(url.startswith("https://") for url in weight.urls)
        assert {m for m, entry in METRICS.items() if name in entry.weights} == set(weight.metrics)
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


def pinned(monkeypatch: pytest.MonkeyPatch, **pins: str) -> None:
    """The weight ``raft_large`` checked by something else."""
    changed = dataclasses.replace(WEIGHTS["raft_large"], **({"sha256": ""} | pins))
    monkeypatch.setitem(WEIGHTS, "raft_large", changed)


@pytest.mark.parametrize(
    ("pins", "fits"),
    [
        ({"sha256": hashlib.sha256(CONTENT).hexdigest()[:8]}, True),
        ({"sha256": "00000000"}, False),
        ({"md5": hashlib.md5(CONTENT).hexdigest()}, True),
        ({"md5": "0" * 32}, False),
        ({}, True),
    ],
)
def test_files_with_less_than_a_hash(tmp_path, monkeypatch, pins, fits):
    """The first digits, or the MD5, decide; records get the SHA-256 of the file that was used."""
    pinned(monkeypatch, **pins)
    path = put(tmp_path, "raft_large")
    if fits:
        assert find_weights("raft_large", tmp_path) == path
        assert weights.sha256_of_used("raft_large") == hashlib.sha256(CONTENT).hexdigest()
    else:
        with pytest.raises(UserError, match=r"raft_large_C_T_V1-22a6c225\.pth has"):
            find_weights("raft_large", tmp_path)


def test_a_file_without_any_hash_is_not_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("MARDINI_OFFLINE", "")
    monkeypatch.setattr(weights, "download", lambda *a, **k: pytest.fail("fetched"))
    pinned(monkeypatch)
    found = availability(["raft_large"], tmp_path)["raft_large"]
    assert "not fetched, as no hash of it is published" in found.sentence and str(tmp_path) in found.sentence
    with pytest.raises(UserError, match="no hash of it is published"):
        fetch("raft_large", tmp_path)


def test_a_file_is_fetched_by_what_is_known_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MARDINI_OFFLINE", "")
    digits, md5 = hashlib.sha256(CONTENT).hexdigest()[:8], hashlib.md5(CONTENT).hexdigest()
    asked = []

    def download(urls, path, sha256, md5, progress):
        asked.append((sha256, md5))
        return put(path.parent, "raft_large")

    monkeypatch.setattr(weights, "download", download)
    pinned(monkeypatch, sha256=digits)
    assert fetch("raft_large", tmp_path / "a").is_file()
    pinned(monkeypatch, md5=md5)
    assert fetch("raft_large", tmp_path / "b").is_file()
    assert asked == [(digits, None), (None, md5)]
