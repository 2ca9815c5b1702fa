"""Opening bundles and lone files: the right engine, or an error that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from faceport.errors import BundleError, BundleIntegrityError, InputError, SessionError, SpecError
from faceport.runtime.artefacts import open_artefact

Tiny = Callable[..., Any]


def test_opens_a_bundle(tiny: Tiny, tmp_path: Path) -> None:
    model = tiny()
    session, spec = open_artefact(model.write(tmp_path / "a.bundle"))
    assert (session.backend, session.provider) == ("onnxruntime", "cpu")
    assert spec == model.spec
    session.close()


def test_opens_a_lone_file_that_carries_its_spec(tiny: Tiny, tmp_path: Path) -> None:
    path = tmp_path / "lone.onnx"
    path.write_bytes(tiny().onnx)
    session, spec = open_artefact(str(path))
    assert spec == tiny().spec
    session.close()


def test_refuses_a_lone_file_without_a_spec(tiny: Tiny, tmp_path: Path) -> None:
    model = onnx.load_from_string(tiny().onnx)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(SpecError, match="import-onnx"):
        open_artefact(tmp_path / "bare.onnx")


def test_refuses_a_changed_artefact(tiny: Tiny, tmp_path: Path) -> None:
    bundle = tiny().write(tmp_path / "a.bundle")
    data = bytearray((bundle / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / "model.onnx").write_bytes(data)
    with pytest.raises(BundleIntegrityError, match="changed"):
        open_artefact(bundle)


def test_refuses_an_artefact_of_another_model(tiny: Tiny, tmp_path: Path) -> None:
    other = replace(tiny().spec, weights_sha256="2" * 64)
    with pytest.raises(BundleIntegrityError, match="another spec"):
        open_artefact(tiny().write(tmp_path / "a.bundle", spec=other))


@pytest.mark.parametrize(
    ("choice", "message"),
    [({"backend": "pt2"}, "pt2 fp32"), ({"precision": "int8"}, "onnx int8")],
    ids=["backend", "precision"],
)
def test_names_what_the_bundle_lacks(
    tiny: Tiny, tmp_path: Path, choice: dict[str, str], message: str
) -> None:
    bundle = tiny().write(tmp_path / "a.bundle")
    with pytest.raises(BundleError, match=f"{message}.*onnx fp32"):
        open_artefact(bundle, **choice)


def test_refuses_an_unknown_backend(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="onnxruntime, openvino, torchscript"):
        open_artefact(tmp_path, backend="tensorflow")


def test_a_checkpoint_is_no_artefact(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"x")
    with pytest.raises(InputError, match="faceport export"):
        open_artefact(tmp_path / "weights.pth")


def test_a_damaged_lone_file_is_a_session_error(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "half.onnx").write_bytes(tiny().onnx[:500])
    with pytest.raises(SessionError, match=r"half\.onnx"):
        open_artefact(tmp_path / "half.onnx")


def test_a_missing_path_is_a_bundle_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a bundle"):
        open_artefact(tmp_path / "nowhere.bundle")
