"""Fetch a checkpoint by URL into a cache: whole and with the right hash, or not at all.

The cache is `$FACEPORT_CACHE`, or `faceport` in `$XDG_CACHE_HOME` or `~/.cache`. A file is kept
under its URL's hash with its own hash beside it, which is checked at every use. A URL that is in
the cache is not asked again: give the sha256, or a revision, of what may change.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from faceport.atomic import atomic_file
from faceport.converters.conversion import Progress
from faceport.converters.hashing import BLOCK, file_sha256
from faceport.errors import DownloadError, InputError

TIMEOUT_SECONDS = 30.0
"""Without a byte for so long, the connection is given up."""


@dataclass(frozen=True)
class Request:
    """What to fetch; `authorization` goes to this host only, not where it redirects to."""

    url: str
    authorization: str | None = None

    def __post_init__(self) -> None:
        try:
            urllib.parse.urlsplit(self.url)
        except ValueError as error:
            raise InputError(
                f"the URL is malformed: {error}", expected="http(s)://host/path"
            ) from error

    @property
    def shown(self) -> str:
        """The URL without what may be secret: user, password and query."""
        parts = urllib.parse.urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))

    @property
    def file_name(self) -> str:
        """The last part of the path, as a name that is safe on any disk."""
        last = urllib.parse.unquote(urllib.parse.urlsplit(self.url).path).rpartition("/")[2]
        return re.sub(r"[^A-Za-z0-9._+-]", "_", last).lstrip(".")[-120:] or "checkpoint"


def cache_folder() -> Path:
    """Return where downloads are kept; it need not be there yet."""
    if own := os.environ.get("FACEPORT_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "faceport"


def download(
    request: Request, *, sha256: str | None = None, progress: Progress | None = None
) -> tuple[Path, str]:
    """Return the cached file of a URL and its hash, fetched if it isn't there whole.

    Raises:
        DownloadError: it could not be fetched, broke off, has another hash, or can't be kept.
    """
    key = hashlib.sha256(request.url.encode()).hexdigest()[:16]
    target = cache_folder() / "checkpoints" / key / request.file_name
    note = target.with_name(f"{target.name}.sha256")
    known = _cached_hash(target, note)
    if known is not None and sha256 in (None, known):
        return target, known
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(
            f"the cache {target.parent} could not be made: {error.strerror or error}",
            fix="set FACEPORT_CACHE to a folder that is writable",
        ) from error
    with atomic_file(target, DownloadError) as partial:
        digest = _fetch(request, partial, progress)
        if sha256 not in (None, digest):
            raise DownloadError(
                f"{request.shown} has another hash than asked for",
                received=f"sha256 {digest}",
                expected=sha256,
                fix="correct --sha256, or do not use this file",
            )
    with atomic_file(note, DownloadError) as partial:
        partial.write_text(digest)
    return target, digest


def _cached_hash(target: Path, note: Path) -> str | None:
    """Return the hash of a cached file, or None where it is not there or was changed."""
    try:
        noted = note.read_text()
        return noted if file_sha256(target) == noted else None
    except (OSError, ValueError):
        return None


def _fetch(request: Request, partial: Path, progress: Progress | None) -> str:
    digest = hashlib.sha256()
    done = 0
    with _answer(request) as answer, partial.open("wb") as sink:
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        for block in _blocks(request, answer):
            sink.write(block)
            digest.update(block)
            done += len(block)
            if progress is not None:
                progress(done, total)
    if total is not None and done != total:
        raise DownloadError(
            f"{request.shown} broke off",
            received=f"{done} bytes",
            expected=f"{total} bytes",
            fix="try again",
        )
    return digest.hexdigest()


@contextmanager
def _answer(request: Request) -> Iterator[http.client.HTTPResponse]:
    with _translated(request):
        call = urllib.request.Request(request.url, headers={"User-Agent": "faceport"})
        if request.authorization is not None:
            call.add_unredirected_header("Authorization", request.authorization)
        answer = urllib.request.urlopen(call, timeout=TIMEOUT_SECONDS)
    with answer:
        yield answer


def _blocks(request: Request, answer: BinaryIO | http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        with _translated(request):
            block = answer.read(BLOCK)
        if not block:
            return
        yield block


@contextmanager
def _translated(request: Request) -> Iterator[None]:
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(
            f"{request.shown} could not be fetched",
            received=f"HTTP {error.code} {error.reason}",
            expected="HTTP 200",
            fix="check the address, and whether it needs a login",
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadError(
            f"{request.shown} could not be fetched",
            received=str(error) or type(error).__name__,
            expected="an answer from the server",
            fix="check the address and the network, and try again",
        ) from error
