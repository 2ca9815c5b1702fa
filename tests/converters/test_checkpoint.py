"""Reading: every format gives the same tensors, and every damage the right error."""

from __future__ import annotations

import argparse
import contextlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from faceport.converters.checkpoint import read_checkpoint
from faceport.errors import (
    CheckpointError,
    CheckpointReadError,
    MissingDependencyError,
    UntrustedCheckpointError,
)

STATE = {"a.weight": torch.arange(24.0).reshape(2, 3, 4), "a.bias": torch.ones(2)}


def written(folder: Path) -> dict[str, Path]:
    files = {name: folder / f"{name}.pth" for name in ("zip", "legacy", "safetensors")}
    torch.save(STATE, files["zip"])
    torch.save(STATE, files["legacy"], _use_new_zipfile_serialization=False)
    save_file(STATE, files["safetensors"])
    return files


@pytest.mark.parametrize("name", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("trust", [False, True])
def test_every_format_gives_the_same_tensors(name: str, trust: bool, tmp_path: Path) -> None:
    raw = read_checkpoint(written(tmp_path)[name], trust=trust)
    assert isinstance(raw, dict)
    assert raw.keys() == STATE.keys()
    assert all(raw[key].equal(value) for key, value in STATE.items())


@pytest.mark.parametrize("name", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("trust", [False, True])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(part=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_unreadable(
    name: str, trust: bool, part: float, tmp_path: Path
) -> None:
    content = written(tmp_path)[name].read_bytes()
    cut = tmp_path / "cut.pth"
    cut.write_bytes(content[: int(part * len(content))])
    with pytest.raises(CheckpointReadError, match=r"cut\.pth"):
        read_checkpoint(cut, trust=trust)


@pytest.mark.parametrize("name", ["zip", "legacy", "safetensors"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.data())
def test_damaged_bytes_give_our_errors_only(name: str, data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray(written(tmp_path)[name].read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "damaged.pth").write_bytes(content)
    with contextlib.suppress(CheckpointError):
        read_checkpoint(tmp_path / "damaged.pth", trust=False)


@pytest.mark.parametrize("size", [1, 100, 4_096, 1_000_000, 2_500_000, -1])
def test_a_real_checkpoint_cut_short_is_unreadable(
    flat_file: Path, size: int, tmp_path: Path
) -> None:
    (tmp_path / "cut.pth").write_bytes(flat_file.read_bytes()[:size])
    with pytest.raises(CheckpointReadError, match=r"truncated|a file of 1 bytes"):
        read_checkpoint(tmp_path / "cut.pth", trust=False)


def test_a_safetensors_file_says_how_much_is_missing(tmp_path: Path) -> None:
    file = written(tmp_path)["safetensors"]
    file.write_bytes(file.read_bytes()[:-4])
    size = file.stat().st_size
    with pytest.raises(CheckpointReadError, match=f"{size} of {size + 4} bytes"):
        read_checkpoint(file, trust=False)


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, bytes]]:
        return write_bytes, (str(self.target), b"code ran")


def write_bytes(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_does_not_run_without_trust(
    zipped: bool, save: Callable[..., Path], tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    content = {"state_dict": STATE, "extra": Payload(victim)}
    file = save(content, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UntrustedCheckpointError) as caught:
        read_checkpoint(file, trust=False)
    assert "write_bytes" in str(caught.value)
    assert "--trust-checkpoint" in str(caught.value)
    assert not victim.exists()
    read_checkpoint(file, trust=True)
    assert victim.read_bytes() == b"code ran"


@pytest.mark.parametrize("zipped", [True, False])
def test_harmless_objects_need_trust_too(zipped: bool, save: Callable[..., Path]) -> None:
    content = {"state_dict": STATE, "args": argparse.Namespace(lr=0.1)}
    file = save(content, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UntrustedCheckpointError, match=r"argparse\.Namespace"):
        read_checkpoint(file, trust=False)
    raw = read_checkpoint(file, trust=True)
    assert isinstance(raw, dict)
    assert raw["args"] == argparse.Namespace(lr=0.1)


@pytest.mark.parametrize("trust", [False, True])
def test_a_plain_pickle_is_no_checkpoint(trust: bool, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(CheckpointReadError, match="truncated or damaged"):
        read_checkpoint(tmp_path / "a.pth", trust=trust)


def test_without_safetensors_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path)["safetensors"]
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'faceport\[export\]'"):
        read_checkpoint(file, trust=False)
