"""Fetching from a server on this machine, and everything that can go wrong on the way."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from faceport.converters import download as module
from faceport.converters.download import Request, cache_folder, download
from faceport.errors import DownloadError, InputError

CONTENT = os.urandom(2_500_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def left_behind(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


def test_a_file_is_fetched_once_with_progress(server: Any, cache: Path) -> None:
    server.serve("/models/face.ckpt", CONTENT)
    calls: list[tuple[int, int | None]] = []
    request = Request(f"{server.url}/models/face.ckpt")
    path, digest = download(request, progress=lambda done, total: calls.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert (path.name, digest) == ("face.ckpt", DIGEST)
    assert cache in path.parents
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert len(calls) > 1
    assert download(request, sha256=DIGEST) == (path, DIGEST)
    assert len(server.requests) == 1


def test_two_urls_of_one_name_do_not_meet(server: Any, cache: Path) -> None:
    server.serve("/a/model.pth", b"first")
    server.serve("/b/model.pth", b"second")
    first, _ = download(Request(f"{server.url}/a/model.pth"))
    second, _ = download(Request(f"{server.url}/b/model.pth"))
    assert (first.read_bytes(), second.read_bytes()) == (b"first", b"second")


def test_an_unknown_length_is_fine(server: Any, cache: Path) -> None:
    server.serve("/a.pth", CONTENT, length=-1)
    totals: set[int | None] = set()
    path, _ = download(Request(f"{server.url}/a.pth"), progress=lambda _, total: totals.add(total))
    assert path.read_bytes() == CONTENT
    assert totals == {None}


def test_a_wrong_hash_does_not_enter_the_cache(server: Any, cache: Path) -> None:
    server.serve("/a.pth", CONTENT)
    with pytest.raises(DownloadError, match=f"received sha256 {DIGEST}; expected {'0' * 64}"):
        download(Request(f"{server.url}/a.pth"), sha256="0" * 64)
    assert left_behind(cache) == []


def test_a_body_that_breaks_off_does_not_enter_the_cache(server: Any, cache: Path) -> None:
    server.serve("/a.pth", CONTENT, length=len(CONTENT) + 1)
    with pytest.raises(DownloadError, match=f"broke off; received {len(CONTENT)} bytes"):
        download(Request(f"{server.url}/a.pth"))
    assert left_behind(cache) == []


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_an_http_error_is_told(status: int, server: Any, cache: Path) -> None:
    server.serve("/a.pth", b"sorry", status=status)
    with pytest.raises(DownloadError, match=f"HTTP {status}"):
        download(Request(f"{server.url}/a.pth"))
    assert left_behind(cache) == []


def test_a_changed_cached_file_is_fetched_again(server: Any, cache: Path) -> None:
    server.serve("/a.pth", CONTENT)
    request = Request(f"{server.url}/a.pth")
    path, _ = download(request)
    path.write_bytes(b"changed")
    assert download(request)[0].read_bytes() == CONTENT
    path.with_name("a.pth.sha256").unlink()
    download(request)
    assert len(server.requests) == 3


def test_another_hash_asked_for_looks_at_the_server_again(server: Any, cache: Path) -> None:
    server.serve("/a.pth", b"old")
    request = Request(f"{server.url}/a.pth")
    path, old = download(request)
    server.serve("/a.pth", CONTENT)
    assert download(request) == (path, old)
    assert download(request, sha256=DIGEST)[0].read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="another hash"):
        download(request, sha256=old)
    assert path.read_bytes() == CONTENT


def test_no_server_is_told(cache: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match="could not be fetched"):
        download(Request(f"http://127.0.0.1:{port}/a.pth"))


def test_a_silent_server_is_given_up(
    server: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.pth"
        with pytest.raises(DownloadError, match="timed out"):
            download(Request(url))


@pytest.mark.parametrize("url", ["http:///a.pth", "http://127.0.0.1:port/a", "http://a b/c"])
def test_an_impossible_url_is_told(url: str, cache: Path) -> None:
    with pytest.raises(DownloadError, match="could not be fetched"):
        download(Request(url))


def test_a_malformed_url_is_told() -> None:
    with pytest.raises(InputError, match="the URL is malformed"):
        Request("http://[::1/a.pth")


def test_redirects_are_followed_but_not_to_files(server: Any, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    server.serve("/a.pth", CONTENT)
    server.serve("/moved.pth", b"", status=302, location=f"{server.url}/a.pth")
    server.serve("/file.pth", b"", status=302, location=(tmp_path / "secret").as_uri())
    assert download(Request(f"{server.url}/moved.pth"))[0].read_bytes() == CONTENT
    with pytest.raises(DownloadError):
        download(Request(f"{server.url}/file.pth"))


def test_a_token_stays_with_its_host(server: Any, cache: Path) -> None:
    server.serve("/a.pth", CONTENT)
    server.serve("/moved.pth", b"", status=302, location=f"{server.url}/a.pth")
    download(Request(f"{server.url}/moved.pth", authorization="Bearer secret"))
    (first, asked), (second, redirected) = server.requests
    assert (first, second) == ("/moved.pth", "/a.pth")
    assert asked["Authorization"] == "Bearer secret"
    assert "Authorization" not in redirected


def test_messages_show_no_secrets(server: Any, cache: Path) -> None:
    url = server.url.replace("http://", "http://user:password@") + "/a.pth?token=secret"
    with pytest.raises(DownloadError) as caught:
        download(Request(url))
    assert "/a.pth" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "password" not in str(caught.value)


def test_a_full_disk_leaves_nothing(
    server: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.serve("/a.pth", CONTENT)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DownloadError, match="No space left on device"):
        download(Request(f"{server.url}/a.pth"))
    assert left_behind(cache) == []


def test_a_cache_that_is_no_folder_is_told(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACEPORT_CACHE", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match="FACEPORT_CACHE"):
        download(Request(f"{server.url}/a.pth"))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/models/face.ckpt", "face.ckpt"),
        ("/models/face%20v2.ckpt?download=true#top", "face_v2.ckpt"),
        ("/..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("/%2E%2E", "checkpoint"),
        ("/.hidden", "hidden"),
        ("/", "checkpoint"),
        ("/a\\b:c", "a_b_c"),
        (f"/{'x' * 300}.pth", f"{'x' * 116}.pth"),
    ],
)
def test_the_name_in_the_cache_is_safe(path: str, name: str) -> None:
    assert Request(f"https://example.org{path}").file_name == name


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FACEPORT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "faceport"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "faceport"
    monkeypatch.setenv("FACEPORT_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
