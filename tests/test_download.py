"""Downloads from a local server that resumes, refuses, breaks off or lies."""

import fcntl
import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mardini.download import DownloadError, download
from mardini.errors import UserError

DATA = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Paths: /file (with Range), /plain (without), /cut (half of the rest), /page (HTML), /other, /gone."""

    server: "Server"

    def do_GET(self) -> None:
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        self.server.requests.append((self.path, asked[1] if asked else None))
        if self.path == "/gone":
            return self.send_error(404)
        if self.path == "/insecure":
            self.send_response(302)
            self.send_header("Location", "http://example.org/file")
            return self.end_headers()
        body = {"/page": b"<html>quota exceeded</html>", "/other": b"x" * 1000}.get(self.path, DATA)
        start = int(asked[1]) if asked and self.path in ("/file", "/cut") else 0
        if start >= len(body):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("Content-Type", "text/html" if self.path == "/page" else "application/octet-stream")
        self.end_headers()
        left = body[start:]
        self.wfile.write(left[: len(left) // 2] if self.path == "/cut" else left)
        return None

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def fetch(urls: str | list[str], path: Path, **expected: str) -> Path:
    return download(urls, path, progress=False, timeout=5, **(expected or {"sha256": SHA256}))


def part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def test_whole_file(server, tmp_path):
    path = tmp_path / "new" / "weights.pt"
    assert fetch(server.url("/file"), path) == path
    assert path.read_bytes() == DATA
    assert [entry.name for entry in path.parent.iterdir()] == ["weights.pt"]
    assert fetch(server.url("/gone"), path) == path  # there already: nothing is asked for
    assert len(server.requests) == 1


def test_md5_is_enough(server, tmp_path):
    fetch(server.url("/file"), tmp_path / "a", md5=hashlib.md5(DATA).hexdigest())
    assert (tmp_path / "a").read_bytes() == DATA


def test_resumes_where_it_broke_off(server, tmp_path):
    part_of(tmp_path / "a").write_bytes(DATA[:100_000])
    fetch(server.url("/file"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA
    assert server.requests == [("/file", "100000")]


def test_a_whole_part_file_only_gets_its_name(server, tmp_path):
    part_of(tmp_path / "a").write_bytes(DATA)
    fetch(server.url("/file"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


def test_a_server_that_cannot_resume_sends_everything_again(server, tmp_path):
    part_of(tmp_path / "a").write_bytes(DATA[:100_000])
    fetch(server.url("/plain"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


def test_a_part_of_another_file_is_thrown_away(server, tmp_path):
    part_of(tmp_path / "a").write_bytes(b"?" * 100_000)
    fetch(server.url("/file"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA
    assert server.requests == [("/file", "100000"), ("/file", None)]


def test_a_broken_connection_is_resumed_and_then_given_up_with_the_part_kept(server, tmp_path):
    with pytest.raises(DownloadError, match="broke off 3 times") as failure:
        fetch(server.url("/cut"), tmp_path / "a")
    assert not failure.value.unreachable
    kept = part_of(tmp_path / "a").read_bytes()
    assert len(kept) == len(DATA) * 7 // 8
    assert DATA.startswith(kept)
    fetch(server.url("/file"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


def test_the_next_mirror_goes_on_with_the_part(server, tmp_path):
    fetch([server.url("/cut"), server.url("/gone"), server.url("/file")], tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA
    assert server.requests[-1] == ("/file", str(len(DATA) * 7 // 8))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/gone", "HTTP 404"),
        ("/other", f"a file of 1000 bytes with hash {hashlib.sha256(b'x' * 1000).hexdigest()}"),
        ("/page", "a web page with hash"),
        ("/insecure", "which is not https"),
    ],
)
def test_a_wrong_answer_leaves_nothing_behind(server, tmp_path, path, message):
    with pytest.raises(DownloadError, match=message) as failure:
        fetch(server.url(path), tmp_path / "a")
    assert not failure.value.unreachable
    assert list(tmp_path.iterdir()) == []


def test_no_server_is_told_apart(server, tmp_path):
    url = server.url("/file").replace(str(server.server_address[1]), "1")
    with pytest.raises(DownloadError, match="no connection") as failure:
        fetch(url, tmp_path / "a")
    assert failure.value.unreachable


@pytest.mark.parametrize("url", ["http://example.org/file", "ftp://example.org/file", "file:///etc/hosts"])
def test_only_https_is_allowed(tmp_path, url):
    with pytest.raises(UserError, match="only https"):
        fetch(url, tmp_path / "a")


def test_a_download_without_a_hash_is_a_programming_error(tmp_path):
    with pytest.raises(ValueError, match="sha256 or md5"):
        download("https://example.org/file", tmp_path / "a")


@pytest.mark.parametrize("finished", [True, False])
def test_a_download_waits_for_another_of_the_same_file(server, tmp_path, capsys, finished):
    """Whose bytes are taken where it ends well; where it gives up, this one goes on from them."""
    part, release = part_of(tmp_path / "a"), threading.Event()
    other = part.open("wb")
    fcntl.flock(other, fcntl.LOCK_EX)

    def end() -> None:
        release.wait(20)
        other.write(DATA if finished else DATA[:1000])
        other.flush()
        if finished:
            part.replace(tmp_path / "a")
        other.close()

    thread = threading.Thread(target=end)
    thread.start()
    threading.Timer(0.3, release.set).start()
    fetch(server.url("/file"), tmp_path / "a")
    thread.join()
    assert (tmp_path / "a").read_bytes() == DATA and not part.exists()
    assert "waiting for another process, which is downloading a" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_told(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write .*choose another folder"):
        fetch(server.url("/file"), tmp_path / "file" / "a")


def test_the_first_digits_of_a_hash_decide_where_no_more_are_published(
    server: Server, tmp_path: Path
) -> None:
    path = download(server.url("/file"), tmp_path / "a", sha256=SHA256[:8], progress=False)
    assert path.read_bytes() == DATA
    with pytest.raises(DownloadError, match="instead of 00000000"):
        download(server.url("/file"), tmp_path / "b", sha256="0" * 8, progress=False)
    with pytest.raises(ValueError, match="needs the expected sha256"):
        download(server.url("/file"), tmp_path / "c", sha256=SHA256[:7], progress=False)
