"""faceport's side: a bundle each, its own defaults; `--option spinning` keeps threads awake."""

from __future__ import annotations

import time

START = time.perf_counter()

from measuring import arguments, medians_in_turn, peak_after, peak_mb, report  # noqa: E402


def main() -> None:
    """Measure."""
    import faceport

    given = arguments()
    options = faceport.SessionOptions(spinning="spinning" in given.option)
    pipeline = faceport.Pipeline.load(given.detector, given.embedder, options=options)
    loaded = time.perf_counter()
    faces = pipeline(given.photo)
    figures = {
        "load_ms": (loaded - START) * 1e3,
        "cold_ms": (time.perf_counter() - START) * 1e3,
        "cold_peak_mb": peak_mb(),
    }
    if not given.cold:
        figures["peak_mb"] = peak_after(lambda: pipeline(given.photo))
        figures |= _warm(pipeline, given.photo, given.rounds)
    answer = [
        {
            "box": face.detection.bbox.tolist(),
            "landmarks": face.detection.landmarks.ravel().tolist(),
            "vector": face.embedding.vector.tolist(),
        }
        for face in faces
    ]
    report(figures, answer, provider=faces[0].embedding.provider)


def _warm(pipeline, photo, rounds):
    import cv2

    from faceport.images import load_image
    from faceport.runtime.align import align_faces
    from faceport.runtime.letterbox import letterbox
    from faceport.runtime.preprocess import to_tensor

    picture = cv2.imread(photo)
    image = load_image(picture, color_order="bgr")
    detector, embedder = pipeline.detector, pipeline.embedder
    wanted = detector.spec.preprocess
    pixels, _ = letterbox(image, wanted)
    whole = {detector.spec.inputs[0].name: to_tensor(pixels[None], "bgr", wanted)}
    wanted = embedder.spec.preprocess
    crops = align_faces([(image, face) for face in detector.detect([image])[0]], wanted)
    batch = {embedder.spec.inputs[0].name: to_tensor(crops, wanted.color_order, wanted)}
    calls = {
        "whole_ms": lambda: pipeline(picture, color_order="bgr"),
        "detector_ms": lambda: detector.session.run(whole),
        "embedder_ms": lambda: embedder.session.run(batch),
    }
    return medians_in_turn(calls, rounds)


if __name__ == "__main__":
    main()
