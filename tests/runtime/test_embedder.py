"""The embedder with real sessions on tiny networks, against numpy in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceport.errors import FaceportError, InputError, SessionError
from faceport.images import Image, load_image
from faceport.runtime.align import align_faces
from faceport.runtime.embedder import BATCH, CPU_BATCH, SessionEmbedder, open_embedder
from faceport.runtime.sessions import SessionOptions
from faceport.runtime.sessions.base import Array
from faceport.runtime.types import Detection, Embedder

Tiny = Callable[..., Any]
Faces = list[tuple[Image, Detection]]

# Eyes, nose and mouth corners in friends_6_faces.jpg, as a detector sees them; no mouths of two.
SIX = [
    [[83, 322], [132, 306], [119, 338], [107, 367], [149, 355]],
    [[286, 205], [325, 194], [304, 226], [306, 246], [337, 236]],
    [[494, 322], [544, 331], [513, 359], [487, 374], [530, 380]],
    [[762, 399], [804, 399], [775, 425], [769, 443], [803, 442]],
    [[919, 121], [945, 112], [920, 150], [933, 171], [956, 164]],
    [[1154, 322], [1197, 323], [1172, 346], [1156, 366], [1193, 366]],
]


class Counting:
    """A session that notes the batch sizes it was run with."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.batches.append(len(feeds["input"]))
        return self._session.run(feeds)


@pytest.fixture(scope="module")
def six(photos: Path) -> Faces:
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    faces = []
    for points in np.array(SIX, np.float32):
        box = np.concatenate([points.min(axis=0) - 20, points.max(axis=0) + 20])
        faces.append((image, Detection(box, 0.9, points)))
    return faces


@pytest.fixture
def opened(tiny: Tiny, tmp_path: Path) -> Callable[..., tuple[Any, Counting, SessionEmbedder]]:
    """Open a tiny model from a bundle, counting its runs."""

    def make(*args: Any, **kwargs: Any) -> tuple[Any, Counting, SessionEmbedder]:
        model = tiny(*args, **kwargs)
        embedder = open_embedder(model.write(tmp_path / "tiny.bundle"))
        assert isinstance(embedder, SessionEmbedder)
        session = Counting(embedder.session)
        return model, session, SessionEmbedder(session, embedder.spec)

    return make


def unit(raw: Any) -> Any:
    return raw / np.linalg.norm(raw, axis=-1, keepdims=True)


def vectors(embeddings: Any) -> Any:
    return np.stack([e.vector for e in embeddings])


@pytest.mark.parametrize("kind", ["plain", "normalized", "norm"])
def test_equals_the_network_in_numpy(opened: Any, six: Faces, kind: str) -> None:
    model, session, embedder = opened(kind)
    raw = model.raw(align_faces(six, model.spec.preprocess))
    embeddings = embedder.embed(six)
    np.testing.assert_allclose(vectors(embeddings), unit(raw), atol=1e-5)
    expected = np.ones(6) if kind == "normalized" else np.linalg.norm(raw, axis=1)
    np.testing.assert_allclose([e.norm for e in embeddings], expected, rtol=1e-5)
    assert session.batches == [6]


def test_embeddings_say_where_they_come_from(opened: Any, six: Faces) -> None:
    model, _, embedder = opened()
    checked: Embedder = embedder
    [embedding] = checked.embed(six[:1])
    assert embedding.fingerprint == checked.fingerprint == model.spec.fingerprint
    assert embedding.provider == checked.provider == "onnxruntime/cpu"
    assert (embedding.is_stub, checked.is_stub, checked.dim) == (False, False, 8)
    assert isinstance(embedding.norm, float)
    assert embedding.vector.dtype == np.float32


def test_colour_order_of_the_picture_does_not_matter(opened: Any, six: Faces) -> None:
    _, _, embedder = opened()
    image = six[0][0]
    other = Image(np.ascontiguousarray(image.in_order("bgr")), "bgr")
    turned = [(other if i % 2 else image, detection) for i, (_, detection) in enumerate(six)]
    np.testing.assert_array_equal(vectors(embedder.embed(turned)), vectors(embedder.embed(six)))


def test_colour_order_of_the_model_does(tiny: Tiny, opened: Any, six: Faces) -> None:
    swapped = replace(tiny().spec.preprocess, color_order="bgr")
    model, _, embedder = opened(preprocess=swapped)
    raw = model.raw(align_faces(six, swapped))
    np.testing.assert_allclose(vectors(embedder.embed(six)), unit(raw), atol=1e-5)
    assert np.abs(unit(raw) - unit(model.raw(align_faces(six, tiny().spec.preprocess)))).max() > 0.1


def test_extras_are_each_faces_own(opened: Any, six: Faces) -> None:
    model, _, embedder = opened("norm")
    crops = align_faces(six, model.spec.preprocess)
    for crop, embedding in zip(crops, embedder.embed(six, flip=True), strict=True):
        assert list(embedding.extras) == ["occlusion"]
        first_cell = (crop[:28, :28, 0].astype(np.float64).mean() - 127.5) / 128
        assert embedding.extras["occlusion"].shape == (48,)
        assert embedding.extras["occlusion"][0] == pytest.approx(first_cell, abs=1e-5)


@pytest.mark.parametrize("kind", ["plain", "norm", "normalized"])
@pytest.mark.parametrize("batch", [None, 1])
def test_flip_fuses_the_mirror_image_by_norm(
    opened: Any, six: Faces, kind: str, batch: int | None
) -> None:
    model, session, embedder = opened(kind, batch=batch)
    crops = align_faces(six, model.spec.preprocess)
    raw, turned = model.raw(crops), model.raw(crops[:, :, ::-1])
    total = unit(raw) + unit(turned) if kind == "normalized" else raw + turned
    embeddings = embedder.embed(six, flip=True)
    np.testing.assert_allclose(vectors(embeddings), unit(total), atol=1e-5)
    expected = np.linalg.norm(total, axis=1)
    np.testing.assert_allclose([e.norm for e in embeddings], expected, rtol=1e-5)
    assert session.batches == ([CPU_BATCH, 4] if batch is None else [1] * 12)


def test_many_faces_run_in_batches(opened: Any, six: Faces) -> None:
    _, session, embedder = opened()
    many = (six * 12)[: 2 * CPU_BATCH + 3]
    embeddings = embedder.embed(many)
    assert session.batches == [CPU_BATCH, CPU_BATCH, 3]
    alone = vectors([embedder.embed([face])[0] for face in many])
    np.testing.assert_allclose(vectors(embeddings), alone, atol=1e-5)
    session.batches.clear()
    embedder.embed(many, flip=True)
    assert session.batches == [CPU_BATCH] * 4 + [6]


def test_a_limit_of_the_model_or_its_device_file_counts_on_a_cpu_too(opened: Any) -> None:
    _, session, embedder = opened()
    assert embedder.batch == CPU_BATCH
    for limit, batch in ((1, 1), (8, 8), (1000, BATCH)):
        assert SessionEmbedder(session, replace(embedder.spec, max_batch=limit)).batch == batch


def test_a_model_of_fixed_batch_1_runs_one_face_at_a_time(opened: Any, six: Faces) -> None:
    model, session, embedder = opened("folding", batch=1)
    raw = model.raw(align_faces(six, model.spec.preprocess))
    np.testing.assert_allclose(vectors(embedder.embed(six)), unit(raw), atol=1e-5)
    assert session.batches == [1] * 6


def test_a_model_that_folds_the_batch_is_an_error_and_no_wrong_answer(
    opened: Any, six: Faces
) -> None:
    _, _, embedder = opened("folding")
    with pytest.raises(SessionError, match=r"\(1, 48\).*\(6, 8\).*batch 1"):
        embedder.embed(six)


def test_nan_is_an_error(opened: Any, six: Faces) -> None:
    _, _, embedder = opened("broken")
    with pytest.raises(SessionError, match="not finite"):
        embedder.embed(six)


def test_no_faces_run_nothing(opened: Any) -> None:
    _, session, embedder = opened()
    assert embedder.embed([]) == []
    assert embedder.embed([], flip=True) == []
    assert session.batches == []


def test_closed_embedder_does_not_run(opened: Any, six: Faces) -> None:
    _, _, embedder = opened()
    embedder.close()
    embedder.close()
    with pytest.raises(SessionError, match="closed"):
        embedder.embed(six)


def test_opens_a_lone_file_with_options(tiny: Tiny, six: Faces, tmp_path: Path) -> None:
    path = tmp_path / "lone.onnx"
    path.write_bytes(tiny("norm").onnx)
    embedder = open_embedder(str(path), SessionOptions(threads=1), backend="onnxruntime")
    assert embedder.fingerprint == tiny("norm").spec.fingerprint
    assert len(embedder.embed(six)) == 6


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "landmarks", "embedding_dim": None},
        {"preprocess": "letterbox"},
    ],
    ids=["landmarks", "letterbox"],
)
def test_refuses_what_is_no_embedder(tiny: Tiny, tmp_path: Path, changes: dict[str, Any]) -> None:
    if "preprocess" in changes:
        old = tiny().spec.preprocess
        changes = {"preprocess": replace(old, geometry="letterbox", alignment_template=None)}
    bundle = tiny(**changes).write(tmp_path / "other.bundle")
    with pytest.raises(InputError, match=r"other\.bundle is no embedder.*task"):
        open_embedder(bundle)


def test_the_stub_is_picked_by_name_only(tmp_path: Path) -> None:
    assert open_embedder("stub").is_stub
    with pytest.raises(FaceportError):
        open_embedder(tmp_path / "stub")
