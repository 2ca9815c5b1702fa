"""`faceport export`: a checkpoint becomes a bundle, with the proof that it computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceport.commands.options import json_option, names_of, three_numbers, words
from faceport.commands.output import download_bar, steps
from faceport.commands.picked import picked

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
PRECISIONS = ("fp32", "fp16", "int8")
TARGETS = ("onnxruntime", "tensorrt")
CALIBRATORS = ("minmax", "percentile", "entropy")
FORMATS = ("onnx", "torchscript", "pt2", "tensorrt", "tensorrt-rtx")


@click.command("export")
@click.option(
    "--checkpoint",
    required=True,
    metavar="FILE|URL",
    help="Checkpoint file, http(s) URL, or hf://owner/repo/file.",
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Bundle to write.")
@click.option(
    "--formats",
    callback=names_of(*FORMATS),
    metavar="NAME[,NAME…]",
    default="onnx,torchscript",
    show_default=True,
    help=f"Artefacts to make: {', '.join(FORMATS)}.",
)
@click.option(
    "--precision",
    "precisions",
    callback=names_of(*PRECISIONS),
    metavar="NAME[,NAME…]",
    default="fp32",
    show_default=True,
    help=f"Of the ONNX file and of engines: {', '.join(PRECISIONS)}. Other formats are fp32.",
)
@click.option(
    "--target",
    type=click.Choice(TARGETS),
    help="Whose habits the ONNX graph is written for  [default: tensorrt with an engine among the "
    "formats, else onnxruntime].",
)
@click.option(
    "--calibration",
    type=FOLDER,
    help="Photographs of real faces, 32 or more: int8 is fitted to them and judged on some of "
    "them. They do not travel in the bundle.",
)
@click.option(
    "--calibration-detector",
    type=click.Path(exists=True, path_type=Path),
    metavar="BUNDLE",
    help="Detector that finds the faces on them; not needed for aligned crops of the model's size.",
)
@click.option(
    "--calibrator",
    type=click.Choice(CALIBRATORS),
    help="How ranges are chosen from what was seen  [default: minmax].",
)
@click.option(
    "--keep-fp32",
    callback=words,
    metavar="NODE|TYPE[,…]",
    help="Nodes, by name or operator type, that no precision step touches.",
)
@click.option(
    "--min-cosine",
    type=click.FloatRange(-1, 1),
    help="Replaces the tolerance of fp16 and int8, for weights that can't hold it.",
)
@click.option(
    "--min-mean-cosine", type=click.FloatRange(-1, 1), help="Likewise, of the mean over faces."
)
@click.option("--family", help="Overrule the family found from the weights.")
@click.option("--arch", help="Overrule the architecture found from the weights.")
@click.option("--head", help="Another head of the network, e.g. `features` of a landmark model.")
@click.option(
    "--normalize/--no-normalize",
    default=True,
    show_default=True,
    help="Put the L2 norm into the graph.",
)
@click.option(
    "--fuse-preprocess",
    is_flag=True,
    help="Put mean, std, channel order and layout into the graph: its input is RGB uint8 NHWC.",
)
@click.option(
    "--color-order",
    type=click.Choice(["rgb", "bgr"]),
    help="Overrule the colour order that the layout implies.",
)
@click.option(
    "--mean",
    callback=three_numbers,
    metavar="N[,N,N]",
    help="Overrule the mean, in 0-255 pixel units.",
)
@click.option(
    "--std",
    callback=three_numbers,
    metavar="N[,N,N]",
    help="Overrule the standard deviation, in 0-255 pixel units.",
)
@click.option(
    "--input-height",
    type=click.IntRange(1),
    help="Height of the input in pixels, for families that take several sizes.",
)
@click.option(
    "--input-width",
    type=click.IntRange(1),
    help="Width of the input in pixels, for families that take several sizes.",
)
@click.option(
    "--pool",
    type=click.Choice(["cls", "mean", "cls+mean"]),
    help="Tokens that make a DINOv3 embedding: class token, mean of the patches, or both  "
    "[default: cls].",
)
@click.option("--opset", type=click.IntRange(17), help="ONNX opset to ask for.")
@click.option(
    "--max-batch",
    type=click.IntRange(1),
    help="Most rows of a run of an engine  [default: 32 faces].",
)
@click.option("--simplify/--no-simplify", default=True, help="Simplify the ONNX graph.")
@click.option(
    "--parity-images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Measure parity on the photographs of this folder instead of synthetic pictures.",
)
@click.option("--sha256", help="Refuse the checkpoint unless its file has this hash.")
@click.option(
    "--trust-checkpoint",
    is_flag=True,
    help="Read a pickle that runs code of its own. Only for files whose origin you trust.",
)
@json_option
def command(**choices: Any) -> None:
    """Turn a checkpoint into a bundle.

    The architecture is found from the weights. Every artefact is run on the same pictures as the
    checkpoint; past the tolerance the command fails and leaves nothing behind.

    \b
    Examples:
      faceport export --checkpoint mobilefacenet.pth --output mbf.bundle
      faceport export --checkpoint adaface_ir50.ckpt --formats onnx,pt2 --output ada.bundle
      faceport export --checkpoint m.pth --color-order bgr --mean 127 --std 128 --output m.bundle
      faceport export --checkpoint m.pth --precision fp32,fp16,int8 --calibration photos/ \\
          --calibration-detector det.bundle --output m.bundle
      faceport export --checkpoint hf://owner/repo/model.safetensors --output m.bundle
      faceport export --checkpoint dino.pth --input-height 224 --input-width 224 --output d.bundle
    """
    from faceport.commands.report import report_made
    from faceport.converters import ConvertOptions, convert
    from faceport.exporters import ExportOptions, export_bundle

    quiet = choices["as_json"]
    with download_bar(quiet) as bar:
        conversion = convert(choices["checkpoint"], picked(ConvertOptions, choices), progress=bar)
    with steps(quiet) as step:
        step(f"found {conversion.spec.family} {conversion.spec.arch}")
        options = picked(ExportOptions, choices)
        bundle = export_bundle(conversion, choices["output"], options, on_step=step)
    report_made(bundle, as_json=quiet)
