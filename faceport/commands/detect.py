"""`faceport detect`: where the faces are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceport.commands.models import load_detector
from faceport.commands.options import (
    detection_options,
    detector_option,
    images_argument,
    json_option,
    save_image_option,
    session_options,
)
from faceport.commands.output import print_json, print_table
from faceport.commands.photos import box_text, check_target, detection_json, expand, finish
from faceport.errors import ImageDecodeError


@click.command("detect")
@images_argument
@detector_option
@save_image_option
@detection_options
@session_options
@json_option
def command(
    images: tuple[Path, ...], save_image: Path | None, as_json: bool, **choices: Any
) -> None:
    """Find the faces of photographs: boxes, scores and 5 landmarks, in pixels.

    \b
    Examples:
      faceport detect --detector det.bundle photo.jpg --save-image out.jpg
      faceport detect --detector det.bundle holiday/ --json
    """
    from faceport.images import load_image
    from faceport.runtime.draw import draw_faces
    from faceport.runtime.draw import save_image as write_image

    photos = expand(images)
    if save_image is not None and len(photos) != 1:
        raise click.UsageError("--save-image is for one picture")
    check_target(save_image, photos)
    failed: list[str] = []
    records: list[dict[str, Any]] = []
    rows: list[tuple[object, ...]] = []
    detector = load_detector(choices)
    for path in photos:
        try:
            image = load_image(path, max_pixels=choices["max_pixels"])
        except ImageDecodeError as error:
            failed.append(str(error))
            records.append({"image": str(path), "faces": [], "error": str(error)})
            continue
        (found,) = detector.detect([image])
        faces = [detection_json(detection) for detection in found]
        records.append({"image": str(path), "faces": faces, "error": None})
        for number, detection in enumerate(found, 1):
            marks = "yes" if detection.landmarks is not None else "no"
            rows.append((path, number, box_text(detection), f"{detection.score:.3f}", marks))
        if save_image is not None:
            write_image(draw_faces(image, found), save_image)
    if as_json:
        print_json({"detector": {"provider": detector.provider}, "images": records})
    else:
        title = f"{len(rows)} faces in {len(photos)} pictures ({detector.provider})"
        print_table(title, ("picture", "face", "box", "score", "landmarks"), rows)
    finish(failed, len(photos))
