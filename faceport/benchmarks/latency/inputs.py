"""What a measured model is fed: the bundle's proof, or real faces of a photograph.

Both are NPZ files of one form: `input`, and `output.NAME` as the fp32 reference computed it, so
that whoever runs the model can say how far its outputs are from that.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from faceport.atomic import atomic_file
from faceport.bundle import PROOF_INPUT, PROOF_OUTPUT, Bundle
from faceport.errors import BundleIntegrityError, InputError
from faceport.images import Image
from faceport.runtime.align import align_faces
from faceport.runtime.artefacts import open_artefact
from faceport.runtime.detectors import open_detector
from faceport.runtime.letterbox import letterbox
from faceport.runtime.parity import Arrays
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.sessions.base import Array, Session
from faceport.spec import ModelSpec


def read_inputs(path: Path, spec: ModelSpec) -> tuple[Array, Arrays]:
    """Return the (N, …) input tensor and the reference's outputs, by name.

    Raises:
        BundleIntegrityError: the file is missing or not of this form.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            outputs = {name: data[PROOF_OUTPUT + name] for name in spec.output_names}
            return data[PROOF_INPUT], outputs
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise BundleIntegrityError(f"{path} holds no inputs of {spec.arch}: {error}") from error


def repeated(inputs: Array, batch: int) -> Array:
    """Return a batch of the pictures, taken in turn."""
    return np.ascontiguousarray(inputs[np.arange(batch) % len(inputs)])


def write_real_inputs(
    bundle: Bundle, image: Image, detector: Path | None, folder: Path
) -> tuple[Path, int]:
    """Write the tensors that the pipeline makes of a photograph, and what the fp32 artefact gives.

    Args:
        bundle: of an embedder (its faces are cut out) or of a detector (it gets the whole picture).
        image: the photograph.
        detector: bundle that finds the faces; of no use to a detector.
        folder: where to write.

    Returns:
        The file, and the number of pictures in it.

    Raises:
        InputError: an embedder without a detector, or no face is in the photograph.
        BundleError: the bundle has no fp32 artefact to compare with, or can't be written.
        SessionError: a model did not run.
    """
    tensor = real_tensor(bundle.spec, image, detector)
    session, spec = open_artefact(bundle.path)
    with closing(session):
        outputs = _reference(session, spec, tensor)
    target = folder / f"inputs-{bundle.spec.fingerprint[:12]}.npz"
    with atomic_file(target, InputError) as partial, partial.open("wb") as stream:
        named = {PROOF_OUTPUT + name: array for name, array in outputs.items()}
        np.savez(stream, allow_pickle=False, **{PROOF_INPUT: tensor}, **named)
    return target, len(tensor)


def real_tensor(spec: ModelSpec, image: Image, detector: Path | None) -> Array:
    """Return what the pipeline would feed this model of a photograph: (faces or 1, …)."""
    if spec.preprocess.geometry == "letterbox":
        pixels, _ = letterbox(image, spec.preprocess)
        return to_tensor(pixels[None], image.color_order, spec.preprocess)
    if detector is None:
        raise InputError(
            "the faces of a photograph are found by a detector",
            fix="give --detector DET.bundle too, or leave --photo out",
        )
    with closing(open_detector(detector, precision="fp32")) as finder:
        (found,) = finder.detect([image])
    if not found:
        raise InputError(f"no face was found in {image.name}", fix="use another photograph")
    crops = align_faces([(image, face) for face in found], spec.preprocess)
    return to_tensor(crops, spec.preprocess.color_order, spec.preprocess)


def _reference(session: Session, spec: ModelSpec, tensor: Array) -> dict[str, Array]:
    """Run the pictures one by one: what is compared does not depend on a batch."""
    name = spec.inputs[0].name
    rows = [session.run({name: tensor[i : i + 1]}) for i in range(len(tensor))]
    return {
        output: np.concatenate([_batched(row[output]) for row in rows])
        for output in spec.output_names
    }


def _batched(array: Array) -> Array:
    """Add the axis that the outputs of detectors for one picture may lack."""
    return array if array.ndim and len(array) == 1 else array[None]
