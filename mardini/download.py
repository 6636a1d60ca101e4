"""Downloads that resume, are checked by hash and appear under their name only when whole.

The bytes arrive in ``<name>.part`` beside the target. An interrupted download goes on from there; the file
gets its name only after its SHA-256 (or MD5) matched, so a web page sent in place of a file is never kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from mardini.errors import UserError
from mardini.files import has_its_name

CHUNK = 1 << 20
ATTEMPTS = 3  # per address, each resuming where the last one broke off
SHORTEST = 8  # digits of a SHA-256 that some publishers write into file names
LOCAL = {"localhost", "127.0.0.1", "::1"}


class DownloadError(UserError):
    """None of the addresses gave the file. ``unreachable`` is true when no server answered at all."""

    def __init__(self, message: str, unreachable: bool) -> None:
        super().__init__(message)
        self.unreachable = unreachable


class _Failed(Exception):
    """One address could not be used; ``answered`` tells whether a server was reached."""

    def __init__(self, reason: str, answered: bool = True) -> None:
        super().__init__(reason)
        self.answered = answered


class _Interrupted(Exception):
    """The connection broke off before the last byte; what came so far is kept."""


def download(
    urls: str | Sequence[str],
    path: Path,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    progress: bool = True,
    timeout: float = 10.0,
) -> Path:
    """Fetch ``path`` from the first of ``urls`` that gives the right bytes, resuming a ``.part`` file.

    Args:
        urls: mirrors, tried in order. HTTPS only; plain HTTP is allowed for this machine (``localhost``).
            Proxies are taken from the environment (``https_proxy``).
        path: where the file goes; its folder is made. An existing file with the right hash is kept as is.
        sha256, md5: expected hash in hex; at least one is required. Of ``sha256`` the first digits will do, 8 or
            more, where the publisher gives no others.
        progress: show a progress bar on stderr. Where another process is fetching the same file, its end is waited for.
        timeout: seconds to wait for a connection, and for each read.

    Raises:
        DownloadError: no address gave the file; its one sentence holds the reason for each address.
        UserError: the folder cannot be written.
    """
    if not (sha256 or md5) or (sha256 and len(sha256) < SHORTEST):
        raise ValueError("download needs the expected sha256 or md5")
    urls = [urls] if isinstance(urls, str) else list(urls)
    for url in urls:
        _check_address(url)
    path = Path(path)
    if path.is_file() and _matches(path, sha256, md5):
        return path
    reasons, unreachable = [], True
    with _partial(path) as part:
        if path.is_file() and _matches(path, sha256, md5):
            return path  # another process has fetched it meanwhile
        for url in urls:
            try:
                _fetch(url, part, path.name, sha256, md5, progress, timeout)
            except _Failed as failure:
                unreachable = unreachable and not failure.answered
                reasons.append(f"{url}: {failure}")
                continue
            os.fsync(part.fileno())
            Path(part.name).replace(path)
            return path
    raise DownloadError(f"could not download {path.name} ({'; '.join(reasons)})", unreachable)


def _check_address(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL)):
        raise UserError(f"refused to download from {url}: only https:// addresses are allowed")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from HTTPS down to plain HTTP."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[override]
        try:
            _check_address(newurl)
        except UserError as error:
            raise _Failed(f"redirects to {newurl}, which is not https") from error
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextlib.contextmanager
def held(name: Path, what: str) -> Iterator[BinaryIO]:
    """A file, open for update and locked; waits where another process holds it, and says so.

    Args:
        name: of the file, which is made where it is not there.
        what: the other process is doing, for that sentence.

    Raises:
        UserError: the file cannot be made or locked.
    """
    try:
        name.parent.mkdir(parents=True, exist_ok=True)
        file = _locked(name, what)
        while not has_its_name(file):  # renamed or removed by the process that was waited for
            file.close()
            file = _locked(name, what)
    except OSError as error:
        raise UserError(f"cannot write {name} ({error.strerror or error}): choose another folder") from error
    with file:
        yield file


def _locked(name: Path, what: str) -> BinaryIO:
    file = name.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"note: waiting for another process, which is {what}", file=sys.stderr, flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


@contextlib.contextmanager
def _partial(path: Path) -> Iterator[BinaryIO]:
    """The ``.part`` file of ``path``, open for update and locked against a second download of it."""
    name = path.with_name(path.name + ".part")
    with held(name, f"downloading {path.name}") as file:
        try:
            yield file
        except OSError as error:
            raise UserError(f"cannot write {name} ({error.strerror or error}): free space there") from error
        finally:
            if name.exists() and name.stat().st_size == 0:
                name.unlink()


def _fetch(
    url: str,
    part: BinaryIO,
    name: str,
    sha256: str | None,
    md5: str | None,
    progress: bool,
    timeout: float,
) -> None:
    """Bring ``part`` to the whole file from one address, or raise ``_Failed``; a wrong file is emptied."""
    for attempt in range(ATTEMPTS):
        resumed = part.seek(0, os.SEEK_END) > 0
        try:
            page = _transfer(url, part, name, progress, timeout)
        except _Interrupted as error:
            if attempt == ATTEMPTS - 1:
                raise _Failed(f"broke off {ATTEMPTS} times ({error})") from error
            continue
        if _matches(Path(part.name), sha256, md5):
            return
        size = part.seek(0, os.SEEK_END)
        got, wanted = _hash(Path(part.name), "sha256" if sha256 else "md5"), sha256 or md5
        part.truncate(0)
        if not resumed:  # a resumed file may be two halves of different ones: once more from its beginning
            kind = "a web page" if page else f"a file of {size} bytes"
            raise _Failed(f"sent {kind} with hash {got} instead of {wanted}")
    raise _Failed("never gave the whole file")


def _transfer(url: str, part: BinaryIO, name: str, progress: bool, timeout: float) -> bool:
    """Append to ``part`` what it lacks (all of it where the server cannot resume). True if it sent HTML."""
    have = part.seek(0, os.SEEK_END)
    headers = {"User-Agent": "mardini", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    opener = urllib.request.build_opener(_SafeRedirects())
    try:
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing after what we have: whole already, as the hash will tell
            return False
        raise _Failed(f"HTTP {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise _Failed(f"no connection ({getattr(error, 'reason', error)})", answered=False) from error
    with response:
        start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if response.status != 206 or not start or int(start[1]) != have:
            have = 0
            part.truncate(0)
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        _copy(response, part, name, have, total, progress)
        return "html" in response.headers.get("Content-Type", "")


def _copy(
    response: http.client.HTTPResponse,
    part: BinaryIO,
    name: str,
    have: int,
    total: int | None,
    progress: bool,
) -> None:
    from tqdm import tqdm

    with tqdm(
        total=total, initial=have, unit="B", unit_scale=True, desc=name, disable=not progress, leave=False
    ) as bar:
        while True:
            try:
                block = response.read(CHUNK)
            except (OSError, http.client.HTTPException) as error:
                part.flush()
                raise _Interrupted(str(error) or type(error).__name__) from error
            if not block:
                break
            part.write(block)
            have += len(block)
            bar.update(len(block))
    part.flush()
    if total is not None and have < total:
        raise _Interrupted(f"{have} of {total} bytes")


def _matches(path: Path, sha256: str | None, md5: str | None) -> bool:
    return (sha256 is None or _hash(path, "sha256").startswith(sha256.lower())) and (
        md5 is None or _hash(path, "md5") == md5.lower()
    )


def _hash(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
