"""DAVIS from the network, played by a small server here: checked, unpacked safely, complete or absent."""

from __future__ import annotations

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from eval.datasets import davis_download, load_dataset
from eval.datasets.archives import Archive, cache_folder, obtain
from eval.datasets.davis_download import fetch, unpack
from mardini.errors import UserError

Serve = Callable[[str, bytes], Archive]
SMALL = {"bear": 9, "dog": 10}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Put a file on a local server; gives the archive entry for it."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True).start()

    def put(name: str, data: bytes) -> Archive:
        (folder / name).write_bytes(data)
        url = f"http://127.0.0.1:{server.server_port}/{name}"
        return Archive(url, "1 kB", sha256=hashlib.sha256(data).hexdigest())

    yield put
    server.shutdown()
    server.server_close()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def davis(counts: dict[str, int], above: str = "DAVIS/") -> dict[str, bytes]:
    return {
        f"{above}JPEGImages/480p/{name}/{index:05d}.jpg": f"{name} {index}".encode()
        for name, count in counts.items()
        for index in range(count)
    }


def names(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("above", ["DAVIS/", "", "DAVIS-data/DAVIS/"])
def test_fetch_unpacks_only_what_is_used(tmp_path: Path, serve: Serve, above: str) -> None:
    members = davis(SMALL | {"bike-packing": 3}, above)
    members |= {
        f"{above}Annotations/480p/bear/00000.png": b"x",
        f"{above}JPEGImages/1080p/bear/00000.jpg": b"x",
    }
    archive = serve("DAVIS.zip", zipped(members))
    folder = fetch(tmp_path / "cache", archives=[archive], sequences=SMALL, progress=False)
    assert names(folder) == {name.removeprefix(above) for name in davis(SMALL, above)}
    assert (folder / "JPEGImages/480p/dog/00009.jpg").read_bytes() == b"dog 9"
    assert names(tmp_path / "cache") == {f"davis/DAVIS/{name}" for name in names(folder)}  # nothing left over


def test_fetch_uses_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "davis" / "DAVIS").mkdir(parents=True)
    assert fetch(tmp_path, archives=[Archive("https://invalid.invalid/x.zip", "1 kB", sha256="0")]) == (
        tmp_path / "davis" / "DAVIS"
    )


def test_second_archive_when_the_first_is_wrong(tmp_path: Path, serve: Serve) -> None:
    good = serve("good.zip", zipped(davis(SMALL)))
    changed = serve("changed.zip", zipped(davis(SMALL | {"dog": 9})))
    changed = Archive(changed.url, changed.size, sha256="0" * 64)
    folder = fetch(tmp_path / "cache", archives=[changed, good], sequences=SMALL, progress=False)
    assert len(names(folder)) == 19


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Archive("https://127.0.0.1:9/DAVIS.zip", "0.8 GB", sha256="0" * 64)
    monkeypatch.setattr(davis_download, "fetch", partial(fetch, archives=[nobody], progress=False))
    with pytest.raises(UserError) as error:
        load_dataset("davis", cache=tmp_path)
    message = str(error.value)
    assert "\n" not in message
    assert all(
        part in message for part in (nobody.url, "0.8 GB", "--data-root", str(tmp_path / "davis" / "DAVIS"))
    )
    assert not (tmp_path / "davis" / "DAVIS").exists()


def test_processes_that_start_together_fetch_once(tmp_path: Path, serve: Serve) -> None:
    archive, unpacked = serve("DAVIS.zip", zipped(davis(SMALL))), []

    def slowly(found: Path, folder: Path) -> None:
        unpacked.append(folder)
        time.sleep(0.2)
        unpack(found, folder, SMALL)

    def start(_: int) -> Path:
        return obtain("DAVIS", tmp_path / "cache" / "DAVIS", [archive], slowly, "JPEGImages", progress=False)

    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(start, range(4)))
    assert len(unpacked) == 1 and set(folders) == {tmp_path / "cache" / "DAVIS"}
    assert {name.partition("/")[0] for name in names(tmp_path / "cache")} == {"DAVIS"}


def test_offline_means_that_nothing_is_fetched(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARDINI_OFFLINE", "1")
    with pytest.raises(UserError, match=r"could not be downloaded \(MARDINI_OFFLINE forbids it\)"):
        fetch(tmp_path, archives=[serve("DAVIS.zip", zipped(davis(SMALL)))], sequences=SMALL)


def test_paths_in_the_archive_cannot_escape(tmp_path: Path) -> None:
    evil = {
        "../../JPEGImages/480p/dog/00000.jpg": b"0",
        "/JPEGImages/480p/dog/00001.jpg": b"1",
        "JPEGImages/480p/../dog/00002.jpg": b"2",
        "JPEGImages/480p/dog/../../../../out.jpg": b"3",
    }
    (tmp_path / "a").mkdir()
    archive = tmp_path / "a" / "evil.zip"
    archive.write_bytes(zipped(evil))
    folder = tmp_path / "a" / "b" / "DAVIS"
    with pytest.raises(UserError, match="dog"):
        unpack(archive, folder, {"dog": 9})
    assert {name for name in names(tmp_path) if not name.startswith("a/b/DAVIS.part/")} == {"a/evil.zip"}


def test_incomplete_archive_leaves_nothing_under_the_name(tmp_path: Path, serve: Serve) -> None:
    archive = serve("DAVIS.zip", zipped(davis({"bear": 9, "dog": 7})))
    with pytest.raises(UserError, match="7 frames of sequence 'dog' instead of 10"):
        fetch(tmp_path / "cache", archives=[archive], sequences=SMALL, progress=False)
    assert not (tmp_path / "cache" / "davis" / "DAVIS").exists()


def test_damaged_archive(tmp_path: Path, serve: Serve) -> None:
    archive = serve("DAVIS.zip", b"no zip at all")
    with pytest.raises(UserError, match="damaged"):
        fetch(tmp_path / "cache", archives=[archive], sequences=SMALL, progress=False)


def test_leftover_of_a_killed_run_is_replaced(tmp_path: Path, serve: Serve) -> None:
    leftover = tmp_path / "cache" / "davis" / "DAVIS.part" / "JPEGImages" / "480p" / "dog"
    leftover.mkdir(parents=True)
    (leftover / "00099.jpg").write_bytes(b"old")
    archive = serve("DAVIS.zip", zipped(davis(SMALL)))
    folder = fetch(tmp_path / "cache", archives=[archive], sequences=SMALL, progress=False)
    assert "JPEGImages/480p/dog/00099.jpg" not in names(folder)
    assert not leftover.exists()


def test_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder(None) == tmp_path / "xdg" / "mardini" / "data"
    monkeypatch.setenv("MARDINI_DATA", str(tmp_path / "mine"))
    assert cache_folder(None) == tmp_path / "mine"
    assert cache_folder(tmp_path / "given") == tmp_path / "given"
