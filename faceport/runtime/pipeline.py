"""The pipeline: pictures in, faces with embeddings out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from types import TracebackType

from faceport.errors import FaceportError, InputError
from faceport.images import MAX_PIXELS, ImageSource, load_image
from faceport.runtime.parts import close_part, detector_from, embedder_from
from faceport.runtime.results import Result, results_of
from faceport.runtime.sessions.base import SessionOptions
from faceport.runtime.sources import check_several, divisor_of, grouped, load_source
from faceport.runtime.stub import StubDetector, StubEmbedder, StubWarning
from faceport.runtime.types import Detection, Detector, Embedder, Face
from faceport.spec import ColorOrder

__all__ = ["Pipeline", "Result"]


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A detector and an embedder, with the aligner between them.

        with Pipeline.load("det.bundle", "mbf.bundle") as pipeline:
            for face in pipeline("photo.jpg"):
                print(face.detection.bbox, face.embedding.norm)

    Attributes:
        detector: finds the faces.
        embedder: embeds them.
        max_pixels: pictures of more pixels are refused.
    """

    detector: Detector
    embedder: Embedder
    max_pixels: int = MAX_PIXELS

    @classmethod
    def load(
        cls,
        detector: str | os.PathLike[str] | Detector,
        embedder: str | os.PathLike[str] | Embedder,
        *,
        options: SessionOptions | None = None,
        backend: str | None = None,
        precision: str | None = None,
        detector_backend: str | None = None,
        detector_precision: str | None = None,
        score_threshold: float | None = None,
        nms_threshold: float | None = None,
        max_faces: int | None = None,
        min_size: float | None = None,
        max_pixels: int = MAX_PIXELS,
        workers: int = 1,
        reduced_decoding: bool = False,
        fallback_stub: bool = False,
    ) -> Pipeline:
        """Load both models.

        A bundle that was tuned for this device (`faceport tune`) runs as its device file says,
        unless `options`, or the model's own backend or precision, is given: then all of it is as
        given here, and nothing of the file is used.

        Args:
            detector: a bundle, a lone artefact that carries its spec, `stub`, or a `Detector`.
            embedder: a bundle, a lone artefact that carries its spec, `stub`, or an `Embedder`.
            options: providers and threads, of both; None is the device files', or the CPU.
            backend: of the embedder; None is the device file's, or the first that its bundle has
                an artefact for.
            precision: of the embedder's artefact; None is the device file's, or fp32.
            detector_backend: of the detector, likewise.
            detector_precision: of the detector's artefact.
            score_threshold: overrules the detector's own, 0 to 1.
            nms_threshold: overrules the detector's own, 0 to 1.
            max_faces: overrules the detector's own; 0 is no limit.
            min_size: overrules the detector's own; pixels of the picture.
            max_pixels: pictures of more pixels are refused.
            workers: threads that will use the models side by side (`stream`): each model run then
                has one thread unless `options` say otherwise. For one picture at a time leave it 1.
            reduced_decoding: decode large JPEGs only as large as the models need them: several
                times faster, and embeddings change a little; see `faceport.runtime.reduced`.
            fallback_stub: if a model can't be loaded, warn (`StubWarning`) and use the stub for
                both, so that everything is marked `is_stub`. A wrong argument is still an error.

        Raises:
            InputError: an argument is wrong, or a model has another task.
            BundleError: a bundle is missing or damaged.
            SpecError: a lone file carries no spec.
            SessionError: a model did not load, the provider is not there, or a device file asks for
                what is not installed.
            MissingDependencyError: a backend's package is not installed.
        """
        try:
            finder = detector_from(
                detector,
                options,
                backend=detector_backend,
                precision=detector_precision,
                workers=workers,
                score_threshold=score_threshold,
                nms_threshold=nms_threshold,
                max_faces=max_faces,
                min_size=min_size,
            )
            try:
                maker = embedder_from(
                    embedder, options, backend=backend, precision=precision, workers=workers
                )
            except FaceportError:
                if finder is not detector:
                    close_part(finder)
                raise
            if reduced_decoding:
                from faceport.runtime.reduced import reducing

                finder, maker = reducing(finder, maker)
            return cls(finder, maker, max_pixels)
        except InputError:
            raise
        except FaceportError as error:
            if not fallback_stub:
                raise
            warnings.warn(
                f"using the stub, which tells no identities: {error}", StubWarning, stacklevel=2
            )
            return cls(StubDetector(), StubEmbedder(), max_pixels)

    def __call__(
        self, image: ImageSource, *, color_order: ColorOrder | None = None, flip: bool = False
    ) -> list[Face]:
        """Find and embed the faces of one picture, best score first; none is an empty list.

        Args:
            image: a path, bytes, a file object, an array or a PIL image; see `load_image`.
            color_order: of an array; needed for one with three channels.
            flip: embed the mirror image too and fuse the two, weighted by norm.

        Raises:
            ImageDecodeError: no picture, a damaged one, or too large a one.
            InputError: an array that is no picture or has no `color_order`.
            SessionError: a model did not run.
        """
        return self.process([image], color_order=color_order, flip=flip)[0]

    def detect(
        self, image: ImageSource, *, color_order: ColorOrder | None = None
    ) -> list[Detection]:
        """Find the faces of one picture without embedding them; raises as a call does."""
        loaded = load_image(
            image,
            color_order=color_order,
            max_pixels=self.max_pixels,
            divisor=divisor_of(self.detector),
        )
        return self.detector.detect([loaded])[0]

    def process(
        self,
        images: Iterable[ImageSource],
        *,
        color_order: ColorOrder | None = None,
        flip: bool = False,
    ) -> list[list[Face]]:
        """Process several pictures in batches; raises for the first that fails, as a call does."""
        faces = []
        for result in self.process_each(images, color_order=color_order, flip=flip):
            if result.error is not None:
                raise result.error
            faces.append(list(result.faces))
        return faces

    def process_each(
        self,
        sources: Iterable[ImageSource],
        *,
        color_order: ColorOrder | None = None,
        flip: bool = False,
    ) -> Generator[Result, None, None]:
        """Process pictures as they come, one result each, in order.

        What is wrong with one is in its `error`, and the others go on. Faces of up to 16 pictures
        share batches, and no more pictures than that are in memory.
        """
        check_several(sources)
        want_bytes, divisor = self._only_stubs, divisor_of(self.detector)
        loaded = (
            load_source(
                source, color_order, self.max_pixels, want_bytes=want_bytes, divisor=divisor
            )
            for source in sources
        )
        for group in grouped(loaded):
            yield from results_of(self.detector, self.embedder, group, flip=flip)

    def stream(
        self,
        sources: Iterable[ImageSource],
        *,
        workers: int | None = None,
        ahead: int | None = None,
        color_order: ColorOrder | None = None,
        flip: bool = False,
    ) -> Generator[Result, None, None]:
        """Process pictures on several cores at once: the results of `process_each`, in its order.

            with Pipeline.load(det, emb, workers=4) as pipeline:
                for result in pipeline.stream(paths, workers=4): ...

        A source may be slow or have no end: a result is given as soon as it and those before it
        are there. The source is read by a thread of its own. Stop early by `break` or `close()`:
        all threads end, but one that is inside the source's `next`, which ends after it.

        Load the models for as many `workers`: pictures side by side use the cores better than an
        operator cut into parts. A detector or embedder of your own is called by one thread at a
        time, not always the same.

        Args:
            sources: any number; see `load_image`.
            workers: threads; None is one for each core that the process may use.
            ahead: most pictures read whose result you have not taken; None chooses. Decoded pixels
                are bounded as well.
            color_order: of arrays.
            flip: embed the mirror image too and fuse the two, weighted by norm.

        Raises:
            InputError: `workers` or `ahead` is below 1.
            Exception: what the source raises comes after the results of the pictures before it.
        """
        # Only here, so that a fresh process for one picture starts earlier.
        from faceport.runtime.stream import stream
        from faceport.runtime.stream_steps import Steps

        check_several(sources)
        steps = Steps(
            self.detector, self.embedder, color_order, self.max_pixels, self._only_stubs, flip
        )
        return stream(steps, sources, workers=workers, ahead=ahead)

    def close(self) -> None:
        """Free both models. Closing twice is fine."""
        close_part(self.detector)
        close_part(self.embedder)

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _only_stubs(self) -> bool:
        return isinstance(self.detector, StubDetector) and isinstance(self.embedder, StubEmbedder)
