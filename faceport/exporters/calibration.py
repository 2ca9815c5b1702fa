"""Real faces to calibrate and to judge reduced precision on.

Found and cut by this runtime's own detector and aligner, so that the activations that are seen are
those that the device will see. Every fourth face is kept out of the calibration and measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceport.bundle import Bundle, Detail
from faceport.errors import ImageDecodeError, InputError
from faceport.exporters.base import ExportOptions
from faceport.images import Image, load_image
from faceport.runtime.align import align_faces
from faceport.runtime.detectors import open_detector
from faceport.runtime.types import Detector
from faceport.spec import ModelSpec

LEAST_FACES = 32
MOST_FACES = 512
"""More tell nothing new about ranges, and cost time."""

HELD_OUT_EVERY = 4

# Two crops of 16 × 16 blocks whose grey levels differ by less than this on average are one picture:
# the same file twice, saved anew, or mirrored. Two photographs of one person differ by 15 and more.
SAME_PICTURE = 3.0
BLOCKS = 16

Pixels = NDArray[np.uint8]
Thumbs = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FaceCrops:
    """Faces of the model's size in its colour order.

    Attributes:
        calibration: (N, height, width, 3).
        held_out: (M, height, width, 3), of other pictures of the same folder.
        details: how many there were, and what found them; for the manifest.
    """

    calibration: Pixels
    held_out: Pixels
    details: Mapping[str, Detail] = field(default_factory=dict)


def face_crops(
    spec: ModelSpec, options: ExportOptions, on_step: Callable[[str], None]
) -> FaceCrops | None:
    """Find the faces that an export's options name; None where it names none and needs none.

    Files that are no pictures are passed over. A face that is there twice, or mirrored, counts
    once.

    Args:
        spec: of the model; decides size, colour order and how a face is cut.
        options: the `calibration…` options and `precisions` count.
        on_step: told of what takes time.

    Raises:
        InputError: int8 without calibration, a folder that is none, photographs without a detector,
            or fewer than 32 faces.
        FaceportError: the detector can't be opened or does not run.
    """
    folder = options.calibration
    if folder is None:
        _check_not_needed(options)
        return None
    if not folder.is_dir():
        raise InputError("the calibration photographs are no folder", received=folder)
    if spec.task == "detector":
        raise InputError(
            "a detector is not calibrated on face crops",
            received=f"{spec.family} with --calibration",
            expected="an embedder or a landmark model",
            fix="export it in fp32 or fp16",
        )
    on_step(f"calibration: finding faces in {folder}")
    seen = _Seen()
    crops = list(_crops(spec, options, folder, seen))
    if len(crops) < LEAST_FACES:
        raise InputError(
            f"{folder} has too few faces to calibrate on",
            received=f"{len(crops)} different faces in {seen.pictures} pictures",
            expected=f"{LEAST_FACES} or more",
            fix="add photographs; mirrored and repeated ones do not count",
        )
    faces = np.stack(crops)
    out = np.arange(len(faces)) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    details: dict[str, Detail] = {
        "calibration.pictures": seen.pictures,
        "calibration.faces": int((~out).sum()),
        "calibration.faces_held_out": int(out.sum()),
        "calibration.faces_repeated": seen.repeated,
        "calibration.files_passed_over": seen.unreadable,
        "calibration.detector": _detector_name(options),
    }
    return FaceCrops(faces[~out], faces[out], details)


@dataclass
class _Seen:
    """Counts of one search."""

    pictures: int = 0
    unreadable: int = 0
    repeated: int = 0


def _check_not_needed(options: ExportOptions) -> None:
    if "int8" in options.precisions:
        raise InputError(
            "int8 needs real faces to calibrate on",
            received="no calibration photographs",
            expected=f"a folder with {LEAST_FACES} faces or more",
            fix="give --calibration FOLDER, with --calibration-detector BUNDLE for photographs",
        )
    if options.calibration_detector is not None:
        raise InputError("calibration options without --calibration", expected="a folder of photos")


def _crops(
    spec: ModelSpec, options: ExportOptions, folder: Path, seen: _Seen
) -> Iterator[NDArray[np.uint8]]:
    thumbs: list[Thumbs] = []
    for crop in _all_crops(spec, options, folder, seen):
        thumb = _thumb(crop)
        if any(_same(thumb, other) for other in thumbs):
            seen.repeated += 1
            continue
        thumbs.append(thumb)
        yield crop
        if len(thumbs) >= MOST_FACES:
            return


def _all_crops(
    spec: ModelSpec, options: ExportOptions, folder: Path, seen: _Seen
) -> Iterator[NDArray[np.uint8]]:
    if options.calibration_detector is None:
        for image in _pictures(folder, seen):
            yield _aligned_already(image, spec, folder)
        return
    with closing(open_detector(options.calibration_detector, precision="fp32")) as detector:
        for image in _pictures(folder, seen):
            yield from _found(detector, image, spec)


def _found(detector: Detector, image: Image, spec: ModelSpec) -> Pixels:
    (faces,) = detector.detect([image])
    # From left to right, so that the order does not hang on scores.
    faces = sorted(faces, key=lambda face: float(face.bbox[0]))
    return align_faces([(image, face) for face in faces], spec.preprocess)


def _aligned_already(image: Image, spec: ModelSpec, folder: Path) -> Pixels:
    size = spec.preprocess
    if (image.height, image.width) != (size.height, size.width):
        raise InputError(
            f"{folder} holds pictures that are no aligned crops: {image.name}",
            received=f"{image.height} high, {image.width} wide",
            expected=f"{size.height} high, {size.width} wide",
            fix="give --calibration-detector BUNDLE: it finds the faces on photographs",
        )
    return image.in_order(size.color_order)


def _pictures(folder: Path, seen: _Seen) -> Iterator[Image]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        try:
            image = load_image(path)
        except ImageDecodeError:
            seen.unreadable += 1
            continue
        seen.pictures += 1
        yield image


def _detector_name(options: ExportOptions) -> str:
    if options.calibration_detector is None:
        return "none: the pictures were crops of the model's size"
    path = options.calibration_detector
    if not path.is_dir():
        return path.name
    spec = Bundle.open(path).spec
    return f"{spec.family} {spec.arch} ({spec.fingerprint[:16]})"


def _thumb(crop: Pixels) -> Thumbs:
    import cv2

    grey = crop.astype(np.float32).mean(axis=-1)
    return np.asarray(cv2.resize(grey, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA), np.float64)


def _same(one: Thumbs, other: Thumbs) -> bool:
    return any(np.abs(one - way).mean() < SAME_PICTURE for way in (other, other[:, ::-1]))
