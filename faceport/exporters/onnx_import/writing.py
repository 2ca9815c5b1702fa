"""Write an imported model as a bundle, and measure that it still computes the same."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from faceport.bundle import (
    PROOF_INPUT,
    PROOF_OUTPUT,
    Artefact,
    Manifest,
    Parity,
    record_of,
    write_manifest,
    write_proof,
)
from faceport.errors import ExportError
from faceport.exporters.onnx_import.described import Described
from faceport.exporters.onnx_import.reading import OnnxFile
from faceport.exporters.versions import versions_of
from faceport.runtime.parity import check, tolerance_for
from faceport.runtime.verify import measure_artefact
from faceport.spec import METADATA_KEY, ModelSpec
from faceport.version import __version__

MODEL = "model.onnx"
PRECISION = "fp32"


def write_model(file: OnnxFile, spec: ModelSpec, folder: Path) -> Path:
    """Write the same graph with the spec in its metadata; nodes and weights are untouched.

    Raises:
        ExportError: the model is too large for one file.
    """
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(file.model)
    kept = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=METADATA_KEY, value=spec.to_json())
    path = folder / MODEL
    try:
        path.write_bytes(model.SerializeToString())
    # protobuf raises either, by version, past 2 GB.
    except ValueError as error:
        raise ExportError(f"the model could not be written: {error}") from error
    return path


def measure_model(path: Path, described: Described) -> tuple[Parity, ...]:
    """Run the file that was written against what the original gave.

    Raises:
        ParityError: the outputs differ by more than the tolerance.
    """
    parity = measure_artefact(path, "onnx", described.spec, described.inputs, described.outputs)
    check(parity, tolerance_for(PRECISION), path.name)
    return parity


def write_rest(
    file: OnnxFile, described: Described, parity: tuple[Parity, ...], folder: Path
) -> Manifest:
    """Write the proof and the manifest beside the model."""
    outputs = {PROOF_OUTPUT + name: array for name, array in described.outputs.items()}
    proof = write_proof(folder, {PROOF_INPUT: described.inputs, **outputs})
    artefact = Artefact(
        format="onnx",
        precision=PRECISION,
        file=record_of(folder, MODEL),
        parity=parity,
        reference="imported file",
        opset=file.opset,
        tools=versions_of("onnx", "onnxruntime"),
        notes=(*_file_notes(file), *described.notes),
    )
    manifest = Manifest(
        spec=described.spec,
        fingerprint=described.spec.fingerprint,
        artefacts=(artefact,),
        proof=proof,
        faceport_version=__version__,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    write_manifest(folder, manifest)
    return manifest


def _file_notes(file: OnnxFile) -> tuple[str, ...]:
    origin = f"imported from {file.path.name}, sha256 {file.sha256}"
    if file.has_float16:
        return (origin, "the file's own weights are float16: fp32 here is its inputs and outputs")
    return (origin,)
