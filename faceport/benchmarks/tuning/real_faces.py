"""Photographs made into what the models are fed, and what the fp32 reference makes of that."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from faceport.bundle import PROOF_INPUT, PROOF_OUTPUT, Bundle
from faceport.errors import InputError
from faceport.images import load_image
from faceport.runtime.align import align_faces
from faceport.runtime.artefacts import open_artefact
from faceport.runtime.detectors import open_detector
from faceport.runtime.letterbox import letterbox
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.sessions.base import Array

MOST = 256
"""Most faces or pictures that every candidate runs on."""


def write_faces(bundle: Bundle, detector: Path, photos: Sequence[Path], folder: Path) -> Path:
    """Write the faces of photographs as an embedder is fed them, with its fp32 outputs.

    Raises:
        InputError: a photograph can't be read, or none has a face.
        BundleError: a bundle has no fp32 artefact.
        SessionError: a model did not run.
    """
    wanted = bundle.spec.preprocess
    parts: list[Array] = []
    with closing(open_detector(detector, precision="fp32")) as finder:
        for photo in photos:
            image = load_image(photo)
            (found,) = finder.detect([image])
            if found:
                crops = align_faces([(image, face) for face in found], wanted)
                parts.append(to_tensor(crops, wanted.color_order, wanted))
            if sum(map(len, parts)) >= MOST:
                break
    if not parts:
        names = ", ".join(photo.name for photo in photos[:3])
        raise InputError(f"no face was found in {names}", fix="give photographs with faces")
    return _write(bundle, np.concatenate(parts)[:MOST], folder)


def write_pictures(bundle: Bundle, photos: Sequence[Path], folder: Path) -> Path:
    """Write photographs as a detector is fed them, with its fp32 outputs; raises likewise."""
    wanted = bundle.spec.preprocess
    image = load_image(photos[0])
    pixels, _ = letterbox(image, wanted)
    return _write(bundle, to_tensor(pixels[None], image.color_order, wanted), folder)


def count(inputs: Path) -> int:
    """Return how many pictures a file of inputs holds."""
    with np.load(inputs, allow_pickle=False) as data:
        return len(data[PROOF_INPUT])


def _write(bundle: Bundle, tensor: Array, folder: Path) -> Path:
    session, spec = open_artefact(bundle.path)
    name = spec.inputs[0].name
    with closing(session):
        # One by one, so that what is compared does not depend on a batch.
        rows = [session.run({name: tensor[i : i + 1]}) for i in range(len(tensor))]
    outputs = {
        PROOF_OUTPUT + output: np.concatenate([_batched(row[output]) for row in rows])
        for output in spec.output_names
    }
    target = folder / f"fed-{bundle.spec.fingerprint[:12]}.npz"
    np.savez(target, allow_pickle=False, **{PROOF_INPUT: tensor}, **outputs)
    return target


def _batched(array: Array) -> Array:
    """Add the axis that the outputs of detectors for one picture may lack."""
    return array if array.ndim and len(array) == 1 else array[None]
