"""What is fed: the proof, or the faces of a photograph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceport.benchmarks.latency.inputs import read_inputs, repeated, write_real_inputs
from faceport.bundle import PROOF, Bundle
from faceport.errors import BundleIntegrityError, InputError
from faceport.images import load_image
from faceport.runtime.pipeline import Pipeline

Make = Callable[..., Bundle]


def test_the_proof_is_read(tiny_bundle: Make) -> None:
    bundle = tiny_bundle()
    inputs, outputs = read_inputs(bundle.path / PROOF, bundle.spec)
    assert inputs.shape == (3, 3, 112, 112)
    assert {name: array.shape for name, array in outputs.items()} == {"embedding": (3, 8)}


def test_a_file_without_the_outputs(tiny_bundle: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", input=np.zeros(3))
    with pytest.raises(BundleIntegrityError, match="holds no inputs of tiny_8"):
        read_inputs(tmp_path / "x.npz", tiny_bundle().spec)


def test_pictures_are_taken_in_turn() -> None:
    pictures = np.arange(3)[:, None]
    assert repeated(pictures, 7)[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert repeated(pictures, 2)[:, 0].tolist() == [0, 1]


def test_faces_are_what_the_pipeline_embeds(
    tiny_bundle: Make, detectors: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    bundle, photo = tiny_bundle(), photos / "groups" / "friends_6_faces.jpg"
    path, count = write_real_inputs(bundle, load_image(photo), detectors["scrfd"], tmp_path)
    inputs, outputs = read_inputs(path, bundle.spec)
    assert (count, len(inputs)) == (6, 6)
    with Pipeline.load(detectors["scrfd"], bundle.path) as pipeline:
        faces = pipeline(photo)
    raw = outputs["embedding"]
    vectors = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    assert vectors == pytest.approx(np.stack([f.embedding.vector for f in faces]), abs=1e-5)
    written = path.read_bytes()
    write_real_inputs(bundle, load_image(photo), detectors["scrfd"], tmp_path)
    # The same bytes: rounds of before stay of use.
    assert path.read_bytes() == written


def test_a_detector_gets_the_whole_picture(
    detectors: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    bundle = Bundle.open(detectors["scrfd"])
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    path, count = write_real_inputs(bundle, image, None, tmp_path)
    inputs, outputs = read_inputs(path, bundle.spec)
    assert (count, inputs.shape) == (1, (1, 3, 640, 640))
    assert {len(array) for array in outputs.values()} == {1}


def test_no_detector_and_no_face(
    tiny_bundle: Make, detectors: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    bundle = tiny_bundle()
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    with pytest.raises(InputError, match="--detector"):
        write_real_inputs(bundle, image, None, tmp_path)
    blank = replace(image, pixels=np.zeros_like(image.pixels))
    with pytest.raises(InputError, match="no face was found"):
        write_real_inputs(bundle, blank, detectors["scrfd"], tmp_path)
