"""A .pt2 file must not be able to run code: torch's own reader lets it."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from faceport.errors import SessionError
from faceport.runtime.sessions import open_session
from faceport.spec import METADATA_KEY

Members = dict[str, bytes]


class Attack:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.system, (f"touch {self.mark}",)


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Members:
    path = tmp_path_factory.mktemp("pt2") / "model.pt2"
    program = torch.export.export(torch.nn.Linear(3, 2), (torch.zeros(1, 3),))
    torch.export.save(program, str(path), extra_files={METADATA_KEY: "{"})
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(members: Members, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def pickled(attack: Attack) -> bytes:
    buffer = io.BytesIO()
    torch.save(attack, buffer)
    return buffer.getvalue()


def in_sample_inputs(members: Members, attack: Attack) -> Members:
    name = next(name for name in members if "sample_inputs" in name)
    return {**members, name: pickled(attack)}


def in_weights(members: Members, attack: Attack) -> Members:
    name = next(name for name in members if name.endswith("weights_config.json"))
    config = json.loads(members[name])
    entry = next(iter(config["config"].values()))
    entry["use_pickle"] = True
    data = next(n for n in members if n.endswith("/" + entry["path_name"]))
    return {**members, name: json.dumps(config).encode(), data: pickled(attack)}


def in_constants(members: Members, attack: Attack) -> Members:
    name = next(name for name in members if name.endswith("constants_config.json"))
    entry = {"path_name": "opaque_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    folder = name.rsplit("/", 1)[0]
    config = json.dumps({"config": {"x": entry}}).encode()
    return {**members, name: config, f"{folder}/opaque_0": pickle.dumps(attack)}


def of_an_older_format(members: Members, attack: Attack) -> Members:
    return {"archive/serialized_state_dict.pt": pickled(attack), "archive/version": b"1"}


@pytest.mark.parametrize("hide", [in_sample_inputs, in_weights, in_constants, of_an_older_format])
def test_code_in_an_archive_does_not_run(
    members: Members, tmp_path: Path, hide: Callable[[Members, Attack], Members]
) -> None:
    mark = tmp_path / "ran"
    path = written(hide(members, Attack(mark)), tmp_path / "evil.pt2")
    with pytest.raises(SessionError, match="would run code"):
        open_session(path, "pt2")
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(members: Members, tmp_path: Path) -> None:
    path = written(members, tmp_path / "twice.pt2")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(next(iter(members)), b"other")
    with pytest.raises(SessionError, match="one name"):
        open_session(path, "pt2")


def test_an_honest_archive_passes_the_check(members: Members, tmp_path: Path) -> None:
    # The spec inside is no JSON, which is found after the archive was accepted and loaded.
    from faceport.errors import SpecError

    with pytest.raises(SpecError):
        open_session(written(members, tmp_path / "honest.pt2"), "pt2")
