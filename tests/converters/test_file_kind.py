from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from faceport.converters.file_kind import kind_of
from faceport.errors import CheckpointReadError


def test_the_content_decides_not_the_name(save: Callable[..., Path], tmp_path: Path) -> None:
    state = {"a": torch.ones(3)}
    save_file(state, tmp_path / "a.pth")
    assert kind_of(tmp_path / "a.pth") == "safetensors"
    assert kind_of(save(state, "b.safetensors")) == "zip"
    assert kind_of(save(state, "c.tar", _use_new_zipfile_serialization=False)) == "pickle"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html><html>Sign in</html>", "an HTML or XML page"),
        (b"\n\n  <html>", "an HTML or XML page"),
        (b'{"error": "Repository not found"}', "JSON text"),
        (b"Entry not found", "a text file"),
        (b"\x1f\x8b\x08\x00rest", "a gzip archive"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x08\x08\x12\x07pytorch", "import-onnx"),
        (b"\xde\xad\xbe\xef" * 2, "bytes that begin with de ad be ef"),
        (b"PK", "a file of 2 bytes"),
        (b"weights.pth".ljust(257, b"\0") + b"ustar\x0000", "a tar archive"),
    ],
)
def test_what_is_no_checkpoint_is_named(content: bytes, what: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(content)
    with pytest.raises(CheckpointReadError) as caught:
        kind_of(file)
    assert what in str(caught.value)
    assert "weights.pth" in str(caught.value)


def test_programs_are_no_checkpoints(tmp_path: Path) -> None:
    class Identity(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(Identity(), torch.ones(1)).save(str(tmp_path / "a.pt"))
    exported = torch.export.export(Identity(), (torch.ones(1),))
    torch.export.save(exported, tmp_path / "a.pt2")
    with pytest.raises(CheckpointReadError, match="a TorchScript archive"):
        kind_of(tmp_path / "a.pt")
    with pytest.raises(CheckpointReadError, match=r"a torch\.export archive"):
        kind_of(tmp_path / "a.pt2")


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("photo.jpg", b"")
    with pytest.raises(CheckpointReadError, match="torch did not write"):
        kind_of(tmp_path / "a.pt")


@pytest.mark.parametrize("header", [{"a": {}}, {"a": {"data_offsets": 3}}, {"a": None}, []])
def test_a_malformed_safetensors_header_is_refused(header: object, tmp_path: Path) -> None:
    text = json.dumps(header).encode().replace(b"[]", b"{]")
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(CheckpointReadError, match="damaged or truncated header"):
        kind_of(tmp_path / "a.safetensors")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointReadError, match="No such file"):
        kind_of(tmp_path / "missing.pth")
    with pytest.raises(CheckpointReadError, match="directory"):
        kind_of(tmp_path)
