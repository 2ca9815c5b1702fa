"""`faceport import-onnx`: an existing ONNX file becomes a bundle, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceport.commands.options import json_option, three_numbers
from faceport.commands.output import steps
from faceport.commands.picked import picked

FAMILIES = ("scrfd", "yunet", "yolov8-face", "recogniser")


@click.command("import-onnx")
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--family", required=True, type=click.Choice(FAMILIES), help="What the file is.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Bundle to write.")
@click.option(
    "--spec-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Preprocessing as JSON (a PreprocessSpec or a whole ModelSpec).",
)
@click.option("--color-order", type=click.Choice(["rgb", "bgr"]), help="Colour order of the input.")
@click.option(
    "--mean", callback=three_numbers, metavar="N[,N,N]", help="Mean, in 0-255 pixel units."
)
@click.option(
    "--std",
    callback=three_numbers,
    metavar="N[,N,N]",
    help="Standard deviation, in 0-255 pixel units.",
)
@click.option(
    "--height", type=click.IntRange(1), help="Input height, where the file leaves it open."
)
@click.option("--width", type=click.IntRange(1), help="Input width, where the file leaves it open.")
@click.option(
    "--layout", type=click.Choice(["nchw", "nhwc"]), help="Layout, where the file leaves it open."
)
@click.option(
    "--geometry",
    type=click.Choice(["align", "crop"]),
    help="How a face is cut out for a recogniser  [default: align, at 112×112 and 112×96].",
)
@click.option("--embedding-output", metavar="NAME", help="The embedding, among several outputs.")
@click.option(
    "--open-size",
    is_flag=True,
    help="Let a detector's input follow each picture's shape although the file fixes one size: "
    "less padding to compute.",
)
@click.option(
    "--pad-anchor",
    type=click.Choice(["top_left", "center"]),
    help="Where a detector's letterbox puts the picture.",
)
@click.option("--score-threshold", type=click.FloatRange(0, 1), help="Default score threshold.")
@click.option("--nms-threshold", type=click.FloatRange(0, 1), help="Default NMS IoU threshold.")
@click.option("--max-faces", type=click.IntRange(0), help="Default most faces; 0 is no limit.")
@click.option("--min-size", type=click.FloatRange(0), help="Default smallest face, in pixels.")
@json_option
def command(**choices: Any) -> None:
    """Turn an existing ONNX detector or recogniser into a bundle.

    The file is loaded and run, its outputs must have the family's shapes, and two pictures in one
    batch must give what they give one by one; a file that can't is run one picture at a time.

    Detectors have their family's published preprocessing as default. A recogniser has none: give
    --color-order, --mean and --std, or a --spec-file.

    \b
    Examples:
      faceport import-onnx scrfd_500m_kps.onnx --family scrfd --output det.bundle
      faceport import-onnx w600k.onnx --family recogniser --color-order rgb \\
        --mean 127.5 --std 127.5 --output rec.bundle
    """
    from faceport.commands.report import report_made
    from faceport.exporters.onnx_import import ImportOptions, import_onnx

    with steps(quiet=choices["as_json"]) as step:
        options = picked(ImportOptions, choices)
        bundle = import_onnx(choices["path"], choices["output"], options, on_step=step)
    report_made(bundle, as_json=choices["as_json"])
