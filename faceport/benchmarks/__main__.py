"""`python -m faceport.benchmarks`: pipeline overhead, cold start, memory (`make bench`)."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceport.benchmarks.cold_start import measure_first_embedding, measure_imports
from faceport.benchmarks.overhead import measure_overhead
from faceport.errors import FaceportError
from faceport.images import load_image
from faceport.runtime.pipeline import Pipeline

if TYPE_CHECKING:
    from faceport.exporters.onnx_import import Family

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--checkpoint", type=FILE, required=True, help="Recogniser checkpoint to export.")
@click.option("--detector", type=FILE, required=True, help="Detector as an ONNX file.")
@click.option(
    "--family",
    type=click.Choice(["scrfd", "yunet", "yolov8-face"]),
    default="scrfd",
    show_default=True,
    help="Family of the detector.",
)
@click.option("--photo", type=FILE, required=True, help="Photograph with faces.")
@click.option("--rounds", default=40, show_default=True, type=click.IntRange(3))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(
    *, checkpoint: Path, detector: Path, family: Family, photo: Path, rounds: int, as_json: bool
) -> None:
    """Measure the pipeline's overhead over its two model runs, and a fresh process."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            bundles = _bundles(checkpoint, detector, family, Path(folder))
            figures = _measure(*bundles, photo, rounds)
    except FaceportError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        click.echo(f"{name:44} {value:10.3f}" if isinstance(value, float) else f"{name:44} {value}")


def _bundles(checkpoint: Path, detector: Path, family: Family, folder: Path) -> tuple[Path, Path]:
    from faceport.converters import convert
    from faceport.exporters import ExportOptions, export_bundle
    from faceport.exporters.onnx_import import ImportOptions, import_onnx

    found = import_onnx(detector, folder / "detector.bundle", ImportOptions(family=family))
    made = export_bundle(
        convert(checkpoint), folder / "embedder.bundle", ExportOptions(formats=("onnx",))
    )
    return found.path, made.path


def _measure(
    detector: Path, embedder: Path, photo: Path, rounds: int
) -> dict[str, float | int | str]:
    image = load_image(photo)
    with Pipeline.load(detector, embedder) as pipeline:
        overhead = measure_overhead(pipeline, image, rounds)
    imports = measure_imports()
    first = measure_first_embedding(detector, embedder, photo)
    figures: dict[str, float | int | str] = {"photograph": photo.name}
    figures |= {f"overhead.{k}": v for k, v in asdict(overhead).items()}
    figures["overhead.ratio (goal <= 1.15)"] = overhead.ratio
    figures |= {f"import.{k}": v for k, v in asdict(imports).items()}
    figures["import.limit_ms (goal: runtime_ms below it)"] = imports.limit_ms
    figures |= {f"first_embedding.{k}": v for k, v in asdict(first).items()}
    return figures


if __name__ == "__main__":
    sys.exit(main())
