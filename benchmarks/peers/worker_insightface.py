"""insightface's side: `FaceAnalysis` on a folder with the two ONNX files.

`--option no-spinning` passes it session options that put onnxruntime's threads to sleep between
runs, as faceport does by default; without it insightface runs as it comes.
"""

from __future__ import annotations

import time

START = time.perf_counter()

from measuring import arguments, medians_in_turn, peak_after, peak_mb, report  # noqa: E402

INPUT = (640, 640)


def main() -> None:
    """Measure. The detector and the embedder lie in one folder, which is what is given as both."""
    import cv2
    from insightface.app import FaceAnalysis

    given = arguments()
    wanted = {"providers": ["CPUExecutionProvider"]}
    if "no-spinning" in given.option:
        import onnxruntime

        wanted["sess_options"] = onnxruntime.SessionOptions()
        wanted["sess_options"].add_session_config_entry("session.intra_op.allow_spinning", "0")
    app = FaceAnalysis(name=given.embedder, allowed_modules=["detection", "recognition"], **wanted)
    app.prepare(ctx_id=0, det_size=INPUT)
    loaded = time.perf_counter()
    faces = app.get(cv2.imread(given.photo))
    figures = {
        "load_ms": (loaded - START) * 1e3,
        "cold_ms": (time.perf_counter() - START) * 1e3,
        "cold_peak_mb": peak_mb(),
    }
    if not given.cold:
        figures["peak_mb"] = peak_after(lambda: app.get(cv2.imread(given.photo)))
        figures |= _warm(app, cv2.imread(given.photo), faces, given.rounds)
    recogniser = app.models["recognition"]
    answer = [
        {
            "box": face.bbox.tolist(),
            "landmarks": face.kps.ravel().tolist(),
            "vector": face.normed_embedding.tolist(),
        }
        for face in faces
    ]
    guess = f"({recogniser.input_mean}, {recogniser.input_std})"
    report(figures, answer, mean_and_std=guess)


def _warm(app, picture, faces, rounds):
    import cv2
    import numpy as np
    from insightface.utils import face_align

    detector, recogniser = app.det_model, app.models["recognition"]
    whole = detector._prepare_input_blob(cv2.resize(picture, INPUT), INPUT)
    crops = [face_align.norm_crop(picture, face.kps) for face in faces]
    ones = [
        np.ascontiguousarray(
            cv2.dnn.blobFromImages(
                [crop],
                1 / recogniser.input_std,
                recogniser.input_size,
                (recogniser.input_mean,) * 3,
                swapRB=True,
            )
        )
        for crop in crops
    ]

    def embed_each():
        # One run a face: that is how FaceAnalysis does it.
        for one in ones:
            recogniser.session.run(recogniser.output_names, {recogniser.input_name: one})

    calls = {
        "whole_ms": lambda: app.get(picture),
        "detector_ms": lambda: detector.session.run(None, {detector.input_name: whole}),
        "embedder_ms": embed_each,
    }
    return medians_in_turn(calls, rounds)


if __name__ == "__main__":
    main()
