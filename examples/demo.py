"""From a checkpoint to named faces, step by step: `make demo`.

Every step says what it does and which command does the same. Without a checkpoint or a detector of
your own it uses a seeded network and a cascade, which need no download: those show the path, and
tell no identities.
"""

from __future__ import annotations

from pathlib import Path

import click

import faceport
from faceport.converters import convert
from faceport.converters.seeded import write_seeded_checkpoint
from faceport.errors import FaceportError
from faceport.exporters import export_bundle
from faceport.exporters.onnx_import import ImportOptions, import_onnx
from faceport.images import Image, load_image
from faceport.runtime.draw import draw_faces, save_image
from faceport.runtime.types import Detector, Face

THRESHOLD = 0.35


def say(text: str) -> None:
    click.echo(text)


def step(title: str, command: str = "") -> None:
    say(f"\n== {title}")
    if command:
        say(f"   the same by hand: {command}")


def make_embedder(checkpoint: Path | None, output: Path) -> Path:
    if checkpoint is None:
        checkpoint = output / "seeded_mobilefacenet.pth"
        write_seeded_checkpoint(checkpoint)
        say("No checkpoint was given: using a MobileFaceNet with seeded random weights.")
        say("Seeded weights tell no identities; give CHECKPOINT= for real answers.")
    bundle = output / "embedder.bundle"
    step("Export the checkpoint", f"faceport export --checkpoint {checkpoint} --output {bundle}")
    conversion = convert(checkpoint)
    say(f"   found {conversion.spec.family}, {conversion.spec.arch}")
    for artefact in export_bundle(conversion, bundle).manifest.artefacts:
        worst = min(p.min_cosine for p in artefact.parity)
        size = artefact.file.size_bytes / 1e6
        say(f"   {artefact.file.path}: {size:.1f} MB, cosine with the checkpoint >= {worst:.7f}")
    return bundle


def make_detector(detector: Path | None, family: str, output: Path) -> Detector | Path:
    if detector is None:
        from cascade import CascadeDetector

        step("Detector: none was given")
        say("   using scikit-image's cascade: frontal faces, no landmarks. Give DETECTOR= for")
        say("   a real one (SCRFD, YuNet, YOLOv8-face).")
        return CascadeDetector()
    if detector.is_dir():
        return detector
    bundle = output / "detector.bundle"
    command = f"faceport import-onnx {detector} --family {family} --output {bundle}"
    step("Import the detector", command)
    import_onnx(detector, bundle, ImportOptions(family=family))
    return bundle


def open_photo(photo: Path | None) -> Image:
    if photo is not None:
        return load_image(photo)
    from skimage import data

    say("\nNo photograph was given: using scikit-image's portrait of the astronaut Eileen Collins.")
    return load_image(data.astronaut(), color_order="rgb")


def halved(image: Image) -> Image:
    """Return the picture at half its size: the same people, other pixels."""
    import cv2

    small = cv2.resize(image.pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return Image(small, image.color_order, "half-size copy")


def match(faces: list[Face], again: list[Face], gallery_path: Path) -> list[str]:
    """Enroll the faces of one picture and name those of another by them."""
    gallery_path.unlink(missing_ok=True)
    with faceport.Gallery(gallery_path) as gallery:
        for number, face in enumerate(faces, 1):
            gallery.enroll(f"face {number}", [faceport.Sample(face.embedding, "photograph")])
        found = gallery.search([face.embedding for face in again], threshold=THRESHOLD)
    if not faces or not again:
        say("   no face was found, so there is nothing to match; give another PHOTO=")
    labels = []
    for number, answer in enumerate(found, 1):
        score = f"{answer.matches[0].score:.3f}" if answer.matches else "none"
        say(f"   face {number} of the copy is {answer.name} (cosine {score})")
        labels.append(f"{answer.name} {score}")
    return labels


@click.command()
@click.option("--checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--detector", type=click.Path(exists=True, path_type=Path))
@click.option("--family", default="scrfd", show_default=True)
@click.option("--photo", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", required=True, type=click.Path(path_type=Path))
def main(
    checkpoint: Path | None, detector: Path | None, family: str, photo: Path | None, output: Path
) -> None:
    """Export, detect, align, embed and match, with real files where they are given."""
    output.mkdir(parents=True, exist_ok=True)
    try:
        run(checkpoint, detector, family, photo, output)
    except FaceportError as error:
        raise click.ClickException(str(error)) from error


def run(
    checkpoint: Path | None, detector: Path | None, family: str, photo: Path | None, output: Path
) -> None:
    embedder = make_embedder(checkpoint, output)
    found = make_detector(detector, family, output)
    image = open_photo(photo)
    name = photo or "photo.jpg"
    step("Detect, align and embed", f"faceport embed --detector … --embedder {embedder} {name}")
    with faceport.Pipeline.load(found, embedder) as pipeline:
        faces = pipeline(image)
        for number, face in enumerate(faces, 1):
            x1, y1, x2, y2 = face.detection.bbox.round().astype(int).tolist()
            size = face.embedding.vector.size
            say(f"   face {number}: box {x1},{y1} - {x2},{y2}, vector of {size} numbers")
        step("Match: enroll these faces, then find them in a copy of half the size")
        small = halved(image)
        again = pipeline(small)
    if checkpoint is None:
        say("   (seeded weights tell no identities: whatever comes out here means nothing)")
    labels = match(faces, again, output / "gallery.db")
    save_image(draw_faces(small, [face.detection for face in again], labels), output / "faces.jpg")
    step("Done")
    say(f"   picture with names:  {output / 'faces.jpg'}")
    say(f"   embedder bundle:     {embedder}")
    say(f"   gallery:             {output / 'gallery.db'}")


if __name__ == "__main__":
    main()
