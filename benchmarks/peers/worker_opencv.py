"""OpenCV's side, in one of two roles.

With a YuNet file as the detector: `FaceDetectorYN`, `FaceRecognizerSF`'s `alignCrop`, and the
recogniser in `cv2.dnn`, as OpenCV's own samples put them together. `FaceRecognizerSF.feature` can't
be used: it feeds 0-255 pixels, and this recogniser wants (pixel - 127.5) / 127.5.

With `--option bare`: runs of the two ONNX files in `cv2.dnn`, batch 1 and 6, and nothing else.
"""

from __future__ import annotations

import time

START = time.perf_counter()

from measuring import arguments, medians_in_turn, peak_after, peak_mb, report  # noqa: E402

MEAN, STD, SIDE = 127.5, 127.5, 112
LONGEST = 1024
"""Longest side of the picture that YuNet sees: what faceport's import of it says."""


def main() -> None:
    """Measure."""
    given = arguments()
    if "bare" in given.option:
        _bare(given)
    else:
        _pipeline(given)


def _pipeline(given):
    import cv2

    finder = cv2.FaceDetectorYN.create(given.detector, "", (LONGEST, LONGEST), 0.5, 0.4)
    # Loaded for its aligner only, so any ONNX file does.
    aligner = cv2.FaceRecognizerSF.create(given.embedder, "")
    net = cv2.dnn.readNetFromONNX(given.embedder)
    loaded = time.perf_counter()

    def detect(picture):
        height, width = picture.shape[:2]
        scale = LONGEST / max(height, width)
        small = cv2.resize(picture, (round(width * scale), round(height * scale)))
        finder.setInputSize((small.shape[1], small.shape[0]))
        found = finder.detect(small)[1]
        if found is None:
            return []
        found[:, :14] /= scale
        return found

    def embed(crops):
        blob = cv2.dnn.blobFromImages(crops, 1 / STD, (SIDE, SIDE), (MEAN,) * 3, swapRB=True)
        net.setInput(blob)
        return net.forward("embedding")

    def run(picture):
        found = detect(picture)
        return found, embed([aligner.alignCrop(picture, one) for one in found])

    picture = cv2.imread(given.photo)
    found, vectors = run(picture)
    figures = {
        "load_ms": (loaded - START) * 1e3,
        "cold_ms": (time.perf_counter() - START) * 1e3,
        "cold_peak_mb": peak_mb(),
    }
    if not given.cold:
        crops = [aligner.alignCrop(picture, one) for one in found]
        calls = {
            "whole_ms": lambda: run(picture),
            "detector_ms": lambda: detect(picture),
            "embedder_ms": lambda: embed(crops),
        }
        figures["peak_mb"] = peak_after(lambda: run(cv2.imread(given.photo)))
        figures |= medians_in_turn(calls, given.rounds)
    answer = [
        {
            "box": [one[0], one[1], one[0] + one[2], one[1] + one[3]],
            "landmarks": one[4:14],
            "vector": vector,
        }
        for one, vector in zip(found.tolist(), vectors.tolist(), strict=True)
    ]
    report(figures, answer)


def _bare(given):
    import cv2
    import numpy as np

    def runs(file, shape):
        net = cv2.dnn.readNetFromONNX(file)
        names = net.getUnconnectedOutLayersNames()
        tensor = np.zeros(shape, np.float32)

        def run():
            net.setInput(tensor)
            return net.forward(names)

        return run

    calls = {
        "detector_ms": runs(given.detector, (1, 3, 640, 640)),
        "embedder_1_ms": runs(given.embedder, (1, 3, SIDE, SIDE)),
        "embedder_ms": runs(given.embedder, (6, 3, SIDE, SIDE)),
    }
    report(medians_in_turn(calls, given.rounds))


if __name__ == "__main__":
    main()
