"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from faceport.images import MAX_PIXELS, PILLOW_MAX_PIXELS

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_THRESHOLD = 0.35


def three_numbers(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[float, float, float] | None:
    """Read one number, or three separated by commas: `127.5` or `123.675,116.28,103.53`."""
    if value is None:
        return None
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers = numbers * 3
    if len(numbers) != 3:
        raise click.BadParameter(
            f"{value!r} is not one number or three separated by commas", ctx, param
        )
    return numbers[0], numbers[1], numbers[2]


def names_of(
    *choices: str,
) -> Callable[[click.Context, click.Parameter, str | None], tuple[str, ...] | None]:
    """Return a callback that reads names separated by commas: `cuda,cpu`."""

    def read(
        ctx: click.Context, param: click.Parameter, value: str | None
    ) -> tuple[str, ...] | None:
        if value is None:
            return None
        names = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
        for name in names:
            if name not in choices:
                raise click.BadParameter(f"{name!r} is not one of {', '.join(choices)}", ctx, param)
        return names

    return read


def words(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Read words separated by commas."""
    if value is None:
        return None
    return tuple(part.strip() for part in value.split(",") if part.strip())


def all_of(*decorators: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Apply decorators so that the first one's option comes first in `--help`."""

    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON on stdout, and nothing else."
)


def provider_settings(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> dict[str, dict[str, str]]:
    """Read settings like `cuda.device_id=0`: provider, name (which may have dots), value."""
    settings: dict[str, dict[str, str]] = {}
    for text in value:
        path, equals, setting = text.partition("=")
        provider, dot, name = path.partition(".")
        if not (equals and dot and provider and name):
            raise click.BadParameter(f"{text!r} is not PROVIDER.NAME=VALUE", ctx, param)
        settings.setdefault(provider, {})[name] = setting
    return settings


BACKENDS = ("onnxruntime", "openvino", "tensorrt", "tensorrt-rtx", "torchscript", "pt2")
PROVIDERS = ("cpu", "cuda", "tensorrt", "openvino", "coreml", "gpu", "npu")
PRECISIONS = ("fp32", "fp16", "int8")

session_options = all_of(
    click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        help="Engine of the embedder  [default: as tuned for this device, or the first that the "
        "bundle has an artefact for].",
    ),
    click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        help="Of the embedder's artefact  [default: as tuned for this device, or fp32].",
    ),
    click.option(
        "--detector-backend", type=click.Choice(BACKENDS), help="Engine of the detector, likewise."
    ),
    click.option(
        "--detector-precision", type=click.Choice(PRECISIONS), help="Of the detector's, likewise."
    ),
    click.option(
        "--providers",
        callback=names_of(*PROVIDERS),
        metavar="NAME[,NAME…]",
        help="Execution providers in order of preference; only what is listed may run. "
        f"There are: {', '.join(PROVIDERS)}  [default: as tuned for this device, or cpu].",
    ),
    click.option(
        "--provider-option",
        "provider_options",
        multiple=True,
        callback=provider_settings,
        metavar="PROVIDER.NAME=VALUE",
        help="Setting of a provider, by the engine's own name, e.g. cuda.device_id=0. Repeatable.",
    ),
    click.option("--threads", type=click.IntRange(1), help="Threads inside one operator."),
    click.option(
        "--spinning",
        is_flag=True,
        default=None,
        help="Keep onnxruntime's threads awake between runs: faster for one model on an idle "
        "machine, slower for two.",
    ),
)

detector_option = click.option(
    "--detector",
    required=True,
    metavar="BUNDLE",
    help="Detector bundle, or `stub` (the whole picture is one face; for wiring and tests).",
)
embedder_option = click.option(
    "--embedder",
    required=True,
    metavar="BUNDLE",
    help="Embedder bundle, or `stub` (vectors made from the pixels, not from a model).",
)
gallery_option = click.option(
    "--gallery",
    required=True,
    metavar="GALLERY",
    help="Gallery: a file (SQLite), a snapshot's folder, or `postgresql://…`.",
)
key_file_option = click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Key of an encrypted gallery  [default: the environment's FACEPORT_GALLERY_KEY].",
)

detection_options = all_of(
    click.option(
        "--score-threshold", type=click.FloatRange(0, 1), help="Least detector score of a face."
    ),
    click.option(
        "--nms-threshold", type=click.FloatRange(0, 1), help="Overlap (IoU) that merges two boxes."
    ),
    click.option("--max-faces", type=click.IntRange(0), help="Most faces a picture; 0: no limit."),
    click.option(
        "--min-size", type=click.FloatRange(0), help="Least size of a face, in pixels of the photo."
    ),
    click.option(
        "--max-pixels",
        type=click.IntRange(1, PILLOW_MAX_PIXELS),
        default=MAX_PIXELS,
        show_default=True,
        help="Refuse pictures of more pixels.",
    ),
)

flip_option = click.option(
    "--flip", is_flag=True, help="Embed the mirror image too and fuse the two, weighted by norm."
)
reduced_option = click.option(
    "--reduced-decoding",
    is_flag=True,
    help="Decode large JPEGs only as large as the models need them: faster; embeddings differ a "
    "little from those of whole pictures.",
)
threshold_option = click.option(
    "--threshold",
    type=click.FloatRange(-1, 1),
    default=DEFAULT_THRESHOLD,
    show_default=True,
    help="Cosine from which two faces count as the same person.",
)
save_image_option = click.option(
    "--save-image",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the picture with boxes, landmarks and names to this file.",
)
images_argument = click.argument(
    "images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO…"
)
