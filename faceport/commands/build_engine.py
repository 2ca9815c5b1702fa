"""`faceport build-engine`: engines for the GPU that is here, from a bundle's ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceport.codec import encode
from faceport.commands.options import PRECISIONS, json_option, names_of
from faceport.commands.output import note, print_json, steps
from faceport.commands.picked import picked


@click.command("build-engine")
@click.argument("path", type=click.Path(path_type=Path), metavar="BUNDLE")
@click.option(
    "--precision",
    "precisions",
    callback=names_of(*PRECISIONS, ""),
    default="",
    metavar="NAME[,NAME…]",
    help="Of the ONNX files to build from  [default: all that the bundle has].",
)
@click.option(
    "--backend",
    type=click.Choice(["tensorrt", "tensorrt-rtx"]),
    default="tensorrt",
    show_default=True,
    help="tensorrt-rtx builds without a GPU, for desktop RTX cards.",
)
@click.option("--opt-batch", type=click.IntRange(1), help="Rows to tune for  [default: 1].")
@click.option(
    "--max-batch",
    type=click.IntRange(1),
    help="Most rows of a run  [default: 32 faces, 8 pictures, 1 picture of any size].",
)
@click.option(
    "--workspace",
    "workspace_mib",
    type=click.IntRange(1),
    metavar="MIB",
    help="Most scratch memory of a layer  [default: all there is].",
)
@click.option(
    "--timing-cache",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that makes the next build on this device short.",
)
@click.option(
    "--version-compatible", is_flag=True, help="Let later versions of TensorRT run the engine."
)
@click.option(
    "--hardware-compatible",
    type=click.Choice(["none", "same-compute-capability", "ampere-plus"]),
    default="none",
    show_default=True,
    help="Other GPUs that may run the engine.",
)
@click.option("--refit", is_flag=True, help="Let the engine's weights be replaced.")
@click.option(
    "--strip-weights",
    is_flag=True,
    help="Leave the weights out of the engine; they are read from the ONNX file at loading.",
)
@click.option("--tf32", is_flag=True, help="Let fp32 layers multiply with 10 bits of mantissa.")
@json_option
def command(path: Path, as_json: bool, **choices: Any) -> None:
    """Build engines for the GPU that is here, and put them into the bundle.

    Needs TensorRT and cuda-bindings, and neither torch nor onnx. The ONNX file's own types are
    the engine's. Each engine is run on the pictures that the bundle carries and compared with the
    checkpoint; past the tolerance the bundle stays as it was.

    \b
    Examples:
      faceport build-engine mbf.bundle --precision fp16
      faceport build-engine mbf.bundle --max-batch 8 --timing-cache orin.cache
      faceport build-engine mbf.bundle --backend tensorrt-rtx
    """
    from faceport.bundle import Bundle
    from faceport.commands.report import print_artefacts
    from faceport.exporters.tensorrt.bundle_engines import build_engines
    from faceport.exporters.tensorrt.options import BuildOptions

    precisions = [name for name in choices["precisions"] if name]
    options = picked(BuildOptions, choices)
    with steps(quiet=as_json) as step:
        bundle = Bundle.open(path)
        made = build_engines(bundle, choices["backend"], precisions, options, step)
    if as_json:
        print_json({"bundle": str(path), "artefacts": encode(made)})
        return
    print_artefacts(Bundle.open(path))
    for artefact in made:
        for text in artefact.notes:
            note(f"{artefact.file.path}: {text}")
