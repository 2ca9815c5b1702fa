"""The pipeline from every kind of source, in groups, with the stub, and with what goes wrong."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import faceport
from faceport.errors import (
    BundleError,
    FaceportError,
    ImageDecodeError,
    InputError,
    ProviderUnavailableError,
    SessionError,
)
from faceport.images import Image, load_image
from faceport.runtime.pipeline import Pipeline, Result
from faceport.runtime.sessions import SessionOptions
from faceport.runtime.sessions.stub import pixel_payload, stub_fingerprint, stub_vectors
from faceport.runtime.stub import StubDetector, StubEmbedder, StubWarning
from faceport.runtime.types import Detection, Embedding

Tiny = Callable[..., Any]


class Halves:
    """A detector that finds a face in each half of a picture, none in a small one."""

    provider = "test/none"

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.closed = 0

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        self.calls.append(len(images))
        return [self._found(image) for image in images]

    def close(self) -> None:
        self.closed += 1

    def _found(self, image: Image) -> list[Detection]:
        if image.width < 20:
            return []
        half = image.width // 2
        boxes = [(0, 0, half, image.height), (half, 0, image.width, image.height)]
        return [Detection(np.array(box, np.float32), 0.9) for box in boxes]


class Picky(StubEmbedder):
    """An embedder that counts its calls and fails on a picture by name."""

    def __init__(self, refused: str = "") -> None:
        super().__init__()
        self.refused = refused
        self.calls: list[int] = []

    def embed(
        self, faces: Sequence[tuple[Image, Detection]], *, flip: bool = False
    ) -> list[Embedding]:
        self.calls.append(len(faces))
        for image, _ in faces:
            if self.refused and self.refused in image.name:
                raise SessionError("refused", received=image.name)
        return super().embed(faces, flip=flip)


@pytest.fixture
def stub() -> Pipeline:
    return Pipeline.load("stub", "stub")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Twenty pictures of distinct colours; each has two faces for `Halves`."""
    paths = []
    for index in range(20):
        paths.append(tmp_path / f"{index:02}.png")
        PIL.Image.new("RGB", (30, 20), (index, 255 - index, 7)).save(paths[-1])
    return paths


def vectors(faces: Sequence[Any]) -> Any:
    return np.stack([face.embedding.vector for face in faces])


def test_is_the_packages_pipeline() -> None:
    assert faceport.Pipeline is Pipeline


def test_every_kind_of_source_gives_the_same_face(stub: Pipeline, photos: Path) -> None:
    path = photos / "pairs" / "lennon-1.jpg"
    picture = PIL.Image.open(path)
    rgb = np.asarray(picture)
    expected = stub_vectors([pixel_payload(rgb)])
    sources = [path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), picture]
    for source in [*sources, load_image(path)]:
        [face] = stub(source)
        np.testing.assert_array_equal(face.embedding.vector, expected[0])
        assert face.embedding.is_stub
        assert face.detection.bbox.tolist() == [0, 0, picture.width, picture.height]
    np.testing.assert_array_equal(vectors(stub(rgb, color_order="rgb")), expected)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    np.testing.assert_array_equal(vectors(stub(bgr, color_order="bgr")), expected)
    assert stub.detect(path)[0].score == 1.0


def test_bytes_that_are_no_picture_give_the_stub_vector_of_the_bytes(
    stub: Pipeline, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_bytes(b"hello")
    for source in (b"hello", tmp_path / "note.txt", io.BytesIO(b"hello")):
        [face] = stub(source)
        np.testing.assert_array_equal(face.embedding.vector, stub_vectors([b"hello"])[0])
        assert face.embedding.is_stub
        assert face.detection.bbox.tolist() == [0, 0, 0, 0]
    with pytest.raises(ImageDecodeError, match="nowhere"):
        stub(tmp_path / "nowhere")


def test_bytes_are_no_face_for_a_real_detector() -> None:
    with pytest.raises(ImageDecodeError):
        Pipeline(Halves(), StubEmbedder())(b"hello")


def test_no_face_is_an_empty_list() -> None:
    pipeline = Pipeline(Halves(), Picky())
    assert pipeline(np.zeros((9, 9, 3), np.uint8), color_order="rgb") == []


def test_pictures_share_runs_and_keep_their_faces(files: list[Path]) -> None:
    detector, embedder = Halves(), Picky()
    pipeline = Pipeline(detector, embedder)
    together = pipeline.process(files)
    assert detector.calls == [16, 4]
    assert embedder.calls == [32, 8]
    assert [len(faces) for faces in together] == [2] * 20
    for path, faces in zip(files, together, strict=True):
        np.testing.assert_array_equal(vectors(faces), vectors(pipeline(path)))
        assert [face.detection.bbox[0] for face in faces] == [0, 15]
    assert not np.array_equal(vectors(together[0]), vectors(together[1]))


def test_an_unreadable_file_is_its_own_error_and_the_others_go_on(
    files: list[Path], tmp_path: Path
) -> None:
    files[3].write_bytes(files[3].read_bytes()[:60])
    files[7] = tmp_path / "nowhere.png"
    results = list(Pipeline(Halves(), Picky()).process_each(files))
    assert [result.source for result in results] == files
    assert [i for i, result in enumerate(results) if result.error is not None] == [3, 7]
    for index in (3, 7):
        assert isinstance(results[index].error, ImageDecodeError)
        assert files[index].name in str(results[index].error)
        assert results[index].faces == ()
    assert sum(len(result.faces) for result in results) == 36


def test_a_picture_that_a_model_refuses_is_its_own_error(files: list[Path]) -> None:
    results = list(Pipeline(Halves(), Picky(refused="05.png")).process_each(files))
    assert [r.source.name for r in results if r.error is not None] == ["05.png"]
    assert isinstance(results[5].error, SessionError)
    assert sum(len(result.faces) for result in results) == 38


def test_process_raises_for_the_first_that_fails(files: list[Path]) -> None:
    with pytest.raises(SessionError, match=r"05\.png"):
        Pipeline(Halves(), Picky(refused="05.png")).process(files)
    with pytest.raises(InputError, match="color_order"):
        Pipeline(Halves(), Picky()).process([np.zeros((9, 9, 3), np.uint8)])


def test_sources_are_taken_as_they_are_needed(files: list[Path]) -> None:
    taken: list[Path] = []

    def lazily() -> Any:
        for path in files:
            taken.append(path)
            yield path

    results = Pipeline(Halves(), Picky()).process_each(lazily())
    assert taken == []
    first: Result = next(results)
    assert first.source == files[0]
    assert len(taken) == 16


def test_pixel_limit_is_the_pipelines(files: list[Path]) -> None:
    pipeline = Pipeline.load(Halves(), StubEmbedder(), max_pixels=500)
    with pytest.raises(ImageDecodeError, match="too many pixels"):
        pipeline(files[0])
    with pytest.raises(ImageDecodeError, match="too many pixels"):
        pipeline.detect(files[0])


def test_flip_reaches_the_embedder(files: list[Path], photos: Path) -> None:
    pipeline = Pipeline(StubDetector(), StubEmbedder())
    path = photos / "pairs" / "lennon-1.jpg"
    assert np.abs(vectors(pipeline(path)) - vectors(pipeline(path, flip=True))).max() > 0.01


def test_closes_both_parts(tiny: Tiny, tmp_path: Path, photos: Path) -> None:
    detector = Halves()
    with Pipeline.load(detector, tiny().write(tmp_path / "tiny.bundle")) as pipeline:
        assert len(pipeline(photos / "pairs" / "lennon-1.jpg")) == 2
    assert detector.closed == 1
    with pytest.raises(SessionError, match="closed"):
        pipeline(photos / "pairs" / "lennon-1.jpg")
    pipeline.close()


def test_parts_without_a_close_are_fine() -> None:
    class Bare:
        provider = "test/none"

        def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
            return [[] for _ in images]

    with Pipeline.load(Bare(), StubEmbedder()) as pipeline:
        assert pipeline(np.zeros((9, 9), np.uint8)) == []


def test_a_real_embedder_after_the_stub_detector(tiny: Tiny, tmp_path: Path, photos: Path) -> None:
    model = tiny()
    pipeline = Pipeline.load(
        "stub", model.write(tmp_path / "a.bundle"), options=SessionOptions(threads=1)
    )
    [face] = pipeline(photos / "pairs" / "lennon-1.jpg")
    assert not face.embedding.is_stub
    assert face.embedding.fingerprint == model.spec.fingerprint


def test_a_missing_model_is_an_error(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for parts in ((tmp_path / "no.bundle", "stub"), ("stub", tmp_path / "no.bundle")):
            with pytest.raises(BundleError, match="not a bundle"):
                Pipeline.load(*parts)


@pytest.mark.parametrize("missing", ["detector", "embedder"])
def test_the_stub_as_a_listed_fallback_is_said_and_marked(
    tiny: Tiny, tmp_path: Path, photos: Path, missing: str
) -> None:
    gone = tmp_path / "gone.bundle"
    embedder = gone if missing == "embedder" else tiny().write(tmp_path / "tiny.bundle")
    detector = gone if missing == "detector" else Halves()
    with pytest.warns(StubWarning, match=r"tells no identities.*gone\.bundle"):
        pipeline = Pipeline.load(detector, embedder, fallback_stub=True)
    [face] = pipeline(photos / "pairs" / "lennon-1.jpg")
    assert face.embedding.is_stub
    assert face.embedding.fingerprint == stub_fingerprint()
    assert (pipeline.detector.provider, pipeline.embedder.provider) == ("stub/none", "stub/none")


def test_the_fallback_is_not_used_where_it_is_not_needed(tiny: Tiny, tmp_path: Path) -> None:
    bundle = tiny().write(tmp_path / "tiny.bundle")
    assert not Pipeline.load(Halves(), bundle, fallback_stub=True).embedder.is_stub


def test_the_fallback_does_not_hide_a_wrong_argument(tiny: Tiny, tmp_path: Path) -> None:
    bundle = tiny().write(tmp_path / "tiny.bundle")
    with pytest.raises(InputError, match="no detector"):
        Pipeline.load(bundle, bundle, fallback_stub=True)
    with pytest.raises(InputError, match="no such backend"):
        Pipeline.load("stub", bundle, backend="nonsense", fallback_stub=True)


def test_a_provider_that_is_not_there_is_an_error(tiny: Tiny, tmp_path: Path) -> None:
    bundle = tiny().write(tmp_path / "tiny.bundle")
    with pytest.raises(ProviderUnavailableError, match="tensorrt"):
        Pipeline.load("stub", bundle, options=SessionOptions(providers=("tensorrt",)))


@pytest.mark.parametrize("parts", [(7, "stub"), ("stub", None), (StubEmbedder(), "stub")])
def test_refuses_what_is_no_part(parts: tuple[Any, Any]) -> None:
    with pytest.raises(InputError, match=r"not a (detector|embedder)"):
        Pipeline.load(*parts)


def test_refuses_limits_for_a_detector_that_is_loaded() -> None:
    with pytest.raises(InputError, match="limits"):
        Pipeline.load(Halves(), "stub", max_faces=1)


def test_a_failed_load_closes_what_it_opened_and_nothing_else(tmp_path: Path) -> None:
    detector = Halves()
    with pytest.raises(FaceportError):
        Pipeline.load(detector, tmp_path / "no.bundle")
    assert detector.closed == 0
