"""Streams of pictures: the answers of `process_each`, in order, prompt, bounded, and ended."""

from __future__ import annotations

import gc
import io
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from faceport.errors import InputError, SessionError
from faceport.images import Image
from faceport.runtime import stream_steps
from faceport.runtime.detectors import FaceDetector
from faceport.runtime.detectors.limits import DetectionLimits
from faceport.runtime.embedder import CPU_BATCH, SessionEmbedder, open_embedder
from faceport.runtime.pipeline import Pipeline, Result
from faceport.runtime.reduced import reducing
from faceport.runtime.sessions import SessionOptions
from faceport.runtime.stream import limits_for
from faceport.runtime.stream_steps import Steps
from faceport.runtime.stub import StubDetector, StubEmbedder
from faceport.runtime.types import Detection, Embedding

WAIT_S = 30
"""Longer than anything takes here: a wait that ends by it has failed."""


class Halves(StubDetector):
    """Finds a face in each half of a picture, none in a small one; any thread may use it."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        return [self._found(image) for image in images]

    def _found(self, image: Image) -> list[Detection]:
        if image.width < 20:
            return []
        half = image.width // 2
        boxes = [(0, 0, half, image.height), (half, 0, image.width, image.height)]
        return [Detection(np.array(box, np.float32), 0.9) for box in boxes]


class Refusing(StubEmbedder):
    """Fails on pictures by name."""

    def embed(
        self, faces: Sequence[tuple[Image, Detection]], *, flip: bool = False
    ) -> list[Embedding]:
        for image, _ in faces:
            if "refused" in image.name:
                raise SessionError("refused", received=image.name)
        return super().embed(faces, flip=flip)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Thirty pictures of distinct colours, one in seven of them too small for a face."""
    paths = []
    for index in range(30):
        paths.append(tmp_path / f"{index:02}.png")
        size = (30, 20) if index % 7 else (10, 10)
        PIL.Image.new("RGB", size, (index, 255 - index, 7)).save(paths[-1])
    return paths


def assert_same(received: Sequence[Result], expected: Sequence[Result], atol: float = 0) -> None:
    assert [result.source for result in received] == [result.source for result in expected]
    for one, other in zip(received, expected, strict=True):
        assert str(one.error) == str(other.error)
        assert len(one.faces) == len(other.faces)
        for face, wanted in zip(one.faces, other.faces, strict=True):
            np.testing.assert_array_equal(face.detection.bbox, wanted.detection.bbox)
            vector, norm = face.embedding.vector, face.embedding.norm
            np.testing.assert_allclose(vector, wanted.embedding.vector, rtol=0, atol=atol)
            assert norm == pytest.approx(wanted.embedding.norm, rel=1e-5)


def alive() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("faceport")]


@pytest.mark.parametrize(("workers", "ahead"), [(1, 1), (2, None), (4, 3)])
def test_the_same_answers_in_the_same_order(
    tiny: Callable[..., Any], files: list[Path], tmp_path: Path, workers: int, ahead: int | None
) -> None:
    bundle = tiny("norm").write(tmp_path / "tiny.bundle")
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    sources = [*files[:9], tmp_path / "bad.jpg", *files[9:], tmp_path / "nowhere"]
    with Pipeline.load(Halves(), bundle, options=SessionOptions(threads=1)) as pipeline:
        for flip in (False, True):
            expected = list(pipeline.process_each(sources, flip=flip))
            received = list(pipeline.stream(sources, workers=workers, ahead=ahead, flip=flip))
            assert_same(received, expected, atol=1e-5)
    assert sum(len(result.faces) for result in expected) == 50
    assert alive() == []


def test_real_models(
    detectors: dict[str, Path], recognisers: dict[str, Path], photos: Path
) -> None:
    sources = sorted(photos.rglob("*.jp*g"))
    options = SessionOptions(threads=1)
    with Pipeline.load(detectors["scrfd"], recognisers["flat"], options=options) as pipeline:
        expected = list(pipeline.process_each(sources))
        assert_same(list(pipeline.stream(sources, workers=2)), expected, atol=1e-5)
    assert sum(len(result.faces) for result in expected) > 30


def test_the_stub_answers_for_bytes_too() -> None:
    pipeline = Pipeline.load("stub", "stub")
    sources = [b"hello", io.BytesIO(b"world")]
    received = list(pipeline.stream(sources, workers=2))
    expected = pipeline.process([b"hello", b"world"])
    for result, [wanted] in zip(received, expected, strict=True):
        [face] = result.faces
        np.testing.assert_array_equal(face.embedding.vector, wanted.embedding.vector)


def test_arrays_say_their_colour_order() -> None:
    arrays = [np.full((30, 40, 3), value, np.uint8) for value in (1, 2)]
    pipeline = Pipeline(Halves(), StubEmbedder())
    results = list(pipeline.stream(arrays, workers=2, color_order="bgr"))
    assert [len(result.faces) for result in results] == [2, 2]
    assert all(isinstance(r.error, InputError) for r in pipeline.stream(arrays, workers=2))


def test_an_error_is_the_picture_s_own(files: list[Path], tmp_path: Path) -> None:
    PIL.Image.new("RGB", (30, 20)).save(tmp_path / "refused.png")
    sources = [*files[:5], tmp_path / "refused.png", *files[5:12]]
    results = list(Pipeline(Halves(), Refusing()).stream(sources, workers=2))
    assert [index for index, result in enumerate(results) if result.error] == [5]
    assert isinstance(results[5].error, SessionError)


def test_a_slow_source_gets_each_answer_before_its_next_picture(files: list[Path]) -> None:
    seen = threading.Event()

    def camera() -> Iterator[Path]:
        for path in files[1:4]:
            yield path
            assert seen.wait(WAIT_S)
            seen.clear()

    results = []
    for result in Pipeline(Halves(), StubEmbedder()).stream(camera(), workers=2):
        results.append(len(result.faces))
        seen.set()
    assert results == [2, 2, 2]


def test_reads_no_further_than_allowed(files: list[Path]) -> None:
    read = 0

    def source() -> Iterator[Path]:
        nonlocal read
        for path in files:
            read += 1
            yield path

    furthest = []
    for taken, _ in enumerate(Pipeline(Halves(), StubEmbedder()).stream(source(), ahead=4), 1):
        furthest.append(read - taken)
    assert max(furthest) <= 4
    assert read == len(files)


def test_decoded_pictures_are_bounded_and_let_go(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    held: weakref.WeakSet[Image] = weakref.WeakSet()
    most = 0
    real = stream_steps.load_source

    def counting(*args: Any, **options: Any) -> Any:
        nonlocal most
        loaded = real(*args, **options)
        held.add(loaded.image)
        most = max(most, len(held))
        return loaded

    monkeypatch.setattr(stream_steps, "load_source", counting)
    for _ in Pipeline(Halves(), StubEmbedder()).stream(files, workers=2, ahead=5):
        pass
    # A result that was just taken makes room while a thread may still name its picture.
    assert 0 < most <= 5 + 2
    gc.collect()
    assert len(held) == 0


@pytest.mark.parametrize("taken", [0, 1, 7])
def test_stopping_early_ends_all_threads(files: list[Path], taken: int) -> None:
    results = Pipeline(Halves(), StubEmbedder()).stream(iter(files * 50), workers=3)
    for _ in range(taken):
        next(results)
    results.close()
    assert alive() == []


def test_stopping_does_not_wait_for_a_source_that_gives_nothing(files: list[Path]) -> None:
    go_on = threading.Event()

    def camera() -> Iterator[Path]:
        yield files[1]
        go_on.wait(WAIT_S)
        yield files[2]

    results = Pipeline(Halves(), StubEmbedder()).stream(camera(), workers=2)
    next(results)
    results.close()
    assert alive() == ["faceport-read"]
    go_on.set()
    [reader] = [t for t in threading.enumerate() if t.name == "faceport-read"]
    reader.join(WAIT_S)
    assert alive() == []


def test_what_the_source_raises_comes_after_the_pictures_before_it(files: list[Path]) -> None:
    def source() -> Iterator[Path]:
        yield from files[:6]
        raise ZeroDivisionError("the source's own")

    results = Pipeline(Halves(), StubEmbedder()).stream(source(), workers=2)
    assert [next(results).source for _ in range(6)] == files[:6]
    with pytest.raises(ZeroDivisionError, match="own"):
        next(results)
    assert alive() == []


def test_a_bug_in_a_part_is_raised_and_ends_the_stream(files: list[Path]) -> None:
    class Wrong(Halves):
        def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
            if "05" in images[0].name:
                raise KeyError("wrong")
            return super().detect(images)

    results = Pipeline(Wrong(), StubEmbedder()).stream(files, workers=2)
    assert [next(results).source for _ in range(5)] == files[:5]
    with pytest.raises(KeyError, match="wrong"):
        next(results)
    assert alive() == []


def test_a_pipeline_closed_meanwhile_gives_our_errors(
    tiny: Callable[..., Any], files: list[Path], tmp_path: Path
) -> None:
    pipeline = Pipeline.load(Halves(), tiny().write(tmp_path / "tiny.bundle"))
    faces = [path for path in files if int(path.stem) % 7]
    results = pipeline.stream(faces * 4, workers=2, ahead=4)
    assert next(results).error is None
    pipeline.close()
    rest = list(results)
    assert len(rest) == len(faces) * 4 - 1
    assert isinstance(rest[-1].error, SessionError)
    assert alive() == []


def test_a_part_of_the_caller_s_own_is_used_by_one_thread_at_a_time(files: list[Path]) -> None:
    class Own:
        provider = "test/none"

        def __init__(self) -> None:
            self.inside = 0
            self.most = 0

        def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
            self.inside += 1
            self.most = max(self.most, self.inside)
            found = Halves().detect(images)
            threading.Event().wait(0.001)
            self.inside -= 1
            return found

    detector = Own()
    assert len(list(Pipeline(detector, StubEmbedder()).stream(files, workers=4))) == len(files)
    assert detector.most == 1


class Running:
    """As much of a session as the choice of limits looks at."""

    def __init__(self, provider: str, **facts: Any) -> None:
        self.provider = provider
        self.__dict__.update(facts)


def steps_of(detector: Any, embedder: Any, *, flip: bool = False) -> Steps:
    return Steps(detector, embedder, None, 1000, want_bytes=False, flip=flip)


def test_what_may_run_side_by_side(tiny: Callable[..., Any], tmp_path: Path) -> None:
    embedder = open_embedder(tiny().write(tmp_path / "tiny.bundle"))
    assert limits_for(steps_of(StubDetector(), embedder), 3).embedders == 3
    on_gpu = SessionEmbedder(Running("cuda"), embedder.spec)  # type: ignore[arg-type]
    detector = Running("", session=Running("cpu", parallel_limit=2))
    limits = limits_for(steps_of(detector, on_gpu), 3)
    assert (limits.detectors, limits.embedders) == (2, 1)
    assert (limits.detect_pictures, limits.embed_faces) == (1, 32)
    assert limits_for(steps_of(detector, on_gpu, flip=True), 3).embed_faces == 16


def test_reduced_decoding_takes_no_run_from_a_stream(
    tiny: Callable[..., Any], tmp_path: Path
) -> None:
    embedder = open_embedder(tiny().write(tmp_path / "tiny.bundle"))
    on_gpu = SessionEmbedder(Running("cuda"), embedder.spec)  # type: ignore[arg-type]
    session = Running("cuda", parallel_limit=2)
    finder = FaceDetector(session, embedder.spec, None, DetectionLimits(0.5, 0.4))  # type: ignore[arg-type]
    for one in (embedder, on_gpu):
        whole = limits_for(steps_of(finder, one), 3)
        assert limits_for(steps_of(*reducing(finder, one)), 3) == whole


def test_batches_leave_half_of_what_is_in_flight_to_others() -> None:
    steps = steps_of(StubDetector(), StubEmbedder())
    for ahead in (1, 2, 5, 16, 100):
        assert limits_for(steps, 2, ahead).embed_faces == max(1, min(CPU_BATCH, ahead // 2))
    assert limits_for(steps, 16).ahead > limits_for(steps, 2).ahead


@pytest.mark.parametrize("numbers", [{"workers": 0}, {"ahead": 0}, {"workers": -1}])
def test_wrong_numbers_are_refused_at_once(numbers: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(numbers))):
        Pipeline(Halves(), StubEmbedder()).stream([], **numbers)


def test_no_pictures() -> None:
    assert list(Pipeline(Halves(), StubEmbedder()).stream([], workers=2)) == []


@pytest.mark.parametrize("source", ["photo.jpg", b"bytes", Path("photo.jpg")])
def test_one_picture_is_not_taken_for_several(source: Any) -> None:
    with Pipeline.load("stub", "stub") as pipeline:
        for process in (pipeline.stream, pipeline.process_each):
            with pytest.raises(InputError, match="one picture was given where several"):
                list(process(source))


@pytest.mark.parametrize("workers", ["3", 2.5, 0])
def test_workers_are_a_whole_number(workers: Any) -> None:
    with Pipeline.load("stub", "stub") as pipeline, pytest.raises(InputError, match="workers"):
        pipeline.stream([], workers=workers)
