from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from faceport.bundle import Artefact, Bundle, FileRecord, Manifest, Parity
from faceport.commands.report import preprocess_text, report_made
from faceport.exporters.base import Exportable
from faceport.spec import ModelSpec


def bundle_of(spec: ModelSpec, **changes: object) -> Bundle:
    artefact = Artefact(
        "onnx",
        "fp32",
        FileRecord("model.onnx", "0" * 64, 4_900_000),
        (Parity(1, 1e-7, 1.0),),
        opset=18,
        notes=("opset 99 was asked for, the exporter gave 18",),
    )
    proof = FileRecord("proof.npz", "0" * 64, 1)
    manifest = Manifest(spec, spec.fingerprint, (artefact,), proof, "0.1.0", "2026-01-01")
    return Bundle(Path("m.bundle"), replace(manifest, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("as_json", [False, True])
def test_what_came_out_otherwise_than_asked_is_said(
    capsys: pytest.CaptureFixture[str], tiny_model: Exportable, as_json: bool
) -> None:
    spec = replace(tiny_model.spec, dropped_keys=("head.kernel",), warnings=("not for identity",))
    report_made(bundle_of(spec, notes=("pt2: not made in int8",)), as_json=as_json)
    captured = capsys.readouterr()
    for text in ("not for identity", "head.kernel", "opset 99", "pt2: not made in int8"):
        assert text in captured.err
    assert ("licence" in captured.err) != as_json


def test_preprocessing_is_said_in_full(tiny_model: Exportable) -> None:
    text = preprocess_text(tiny_model.spec.preprocess)
    for part in ("32 high × 24 wide", "bgr", "nchw", "[100, 120, 140]", "box crop with 20%"):
        assert part in text
