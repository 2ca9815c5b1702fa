from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from faceport.converters import ConvertOptions, convert
from faceport.converters.locate import locate
from faceport.errors import CheckpointReadError, InputError


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"x")
    file = locate(str(tmp_path / "a.pth"), sha256=hashlib.sha256(b"x").hexdigest().upper())
    assert (file.path, file.name) == (tmp_path / "a.pth", "a.pth")
    assert file.sha256 == hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize("checkpoint", ["ftp://host/a.pth", "s3://bucket/a.pth", "file:///a.pth"])
def test_an_unknown_scheme_is_refused(checkpoint: str) -> None:
    with pytest.raises(InputError, match="scheme is not known"):
        locate(checkpoint)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointReadError, match="No such file"):
        locate(tmp_path / "missing.pth")
    with pytest.raises(CheckpointReadError, match="directory"):
        locate(tmp_path)


def test_a_malformed_hash_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="64 hex digits"):
        locate(tmp_path / "missing.pth", sha256="abc")


def test_a_real_checkpoint_comes_over_http(server: Any, cache: Path, flat_file: Path) -> None:
    server.serve("/models/mbf.pth", flat_file.read_bytes())
    digest = hashlib.sha256(flat_file.read_bytes()).hexdigest()
    done: list[int] = []
    model = convert(
        f"{server.url}/models/mbf.pth?download=1",
        ConvertOptions(sha256=digest),
        progress=lambda size, _total: done.append(size),
    )
    assert (model.spec.source.file, model.spec.source.sha256) == ("mbf.pth", digest)
    assert model.spec.weights_sha256 == convert(flat_file).spec.weights_sha256
    assert done[-1] == flat_file.stat().st_size


def test_a_login_page_is_not_kept(server: Any, cache: Path, flat_file: Path) -> None:
    server.serve("/models/mbf.pth", b"<html>please log in</html>")
    with pytest.raises(CheckpointReadError, match="HTML"):
        locate(f"{server.url}/models/mbf.pth")
    server.serve("/models/mbf.pth", flat_file.read_bytes())
    file = locate(f"{server.url}/models/mbf.pth")
    assert file.path.read_bytes() == flat_file.read_bytes()
