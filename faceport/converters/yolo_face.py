"""YOLOv8-face and its like: an Ultralytics `.pt` with a `Detect` or `Pose` head of one class.

The file holds the network as a pickled object, not as a state dict, so it is read by Ultralytics'
own package (extra `yolo`, AGPL-3.0), and only when it is trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceport.converters.checkpoint import read_checkpoint
from faceport.converters.conversion import ConvertOptions, Plan
from faceport.converters.locate import CheckpointFile
from faceport.converters.state import NetworkState
from faceport.converters.ultralytics_package import import_ultralytics
from faceport.errors import InputError, KeyMismatchError, UnknownArchitectureError
from faceport.spec import DetectorSpec, PreprocessSpec, TensorSpec

if TYPE_CHECKING:
    import torch

FAMILY = "yolo-face"
OUTPUT = "predictions"
SIZE = 640
"""Height and width of the input where none is asked for: what Ultralytics trains at."""

HEADS = ("Detect", "Pose")
POINTS = {(5, 2): 5, (5, 3): 5}
"""Shapes of the keypoints, count and numbers each, to the landmarks that come out."""

NOT_FOR_INFERENCE = "one2one_"
"""How the second set of branches in a head without NMS is named; the boxes here go through NMS."""

LARGEST_DIFFERENCE = 1e-4
"""Between this decoding and Ultralytics', of a channel's largest value."""

LICENSE = "AGPL-3.0 (Ultralytics: its code, and what is trained with it, unless licensed otherwise)"
LICENSE_WARNING = (
    "Ultralytics' models are AGPL-3.0: whoever passes this bundle on, or serves it over a network, "
    "is bound by that licence unless Ultralytics has given another one"
)


def plan_yolo_face(file: CheckpointFile, options: ConvertOptions) -> tuple[Plan, NetworkState]:
    """Read an Ultralytics checkpoint and plan its export.

    Raises:
        InputError: an option does not fit.
        UntrustedCheckpointError: the caller does not trust the file.
        CheckpointReadError: the file is damaged or of another format.
        UnknownArchitectureError: it holds no detector of one class with 5 keypoints or none.
        KeyMismatchError: this Ultralytics computes something else than its head's formulas.
        MissingDependencyError: the extra `yolo` is not installed.
    """
    for name in ("arch", "head"):
        if (value := getattr(options, name)) is not None:
            raise InputError(
                f"--family {FAMILY} finds the architecture in the file",
                received=f"--{name} {value}",
                fix="leave it out",
            )
    if options.trust_checkpoint:
        import_ultralytics()
    raw = read_checkpoint(file.path, trust=options.trust_checkpoint, ultralytics=True)
    model = _model(raw, file.name)
    head = model.model[-1]
    keypoints = _keypoints(head, model, file.name)
    strides = tuple(int(stride) for stride in head.stride.tolist())
    height, width = _size(options, max(strides))
    state = _state(model, file.name)
    return _plan(model, keypoints, strides, height, width), state


def _plan(model: Any, keypoints: int, strides: tuple[int, ...], height: int, width: int) -> Plan:
    from faceport.models.yolo_face import YoloFace

    network = YoloFace(model.model, height=height, width=width).eval()
    channels, anchors = _compared(network, model, height, width)
    head = model.model[-1]
    for name in [name for name, _ in head.named_children() if name.startswith(NOT_FOR_INFERENCE)]:
        delattr(head, name)
    return Plan(
        family=FAMILY,
        arch=_arch(model),
        task="detector",
        network=network,
        preprocess=_preprocess(height, width),
        origin="ultralytics/ultralytics",
        license=LICENSE,
        features=channels,
        further=(TensorSpec(OUTPUT, "float32", ("batch", channels, anchors)),),
        unused=(f"model.{len(model.model) - 1}.{NOT_FOR_INFERENCE}",),
        warnings=(LICENSE_WARNING,),
        detector=DetectorSpec(
            decoder="yolov8-face",
            strides=strides,
            outputs={"concatenated": (OUTPUT,)},
            keypoints=keypoints,
            score_threshold=0.5,
            nms_threshold=0.45,
        ),
    )


def _preprocess(height: int, width: int) -> PreprocessSpec:
    """Return what Ultralytics' predictor does: letterbox centred on grey, RGB, 0 to 1."""
    return PreprocessSpec(
        height=height,
        width=width,
        color_order="rgb",
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
        geometry="letterbox",
        pad_value=114,
        pad_anchor="center",
    )


def _model(raw: object, file: str) -> Any:
    """Return the network in what the file holds: the averaged one where there are two."""
    import torch

    held = raw if isinstance(raw, Mapping) else {"model": raw}
    for name in ("ema", "model"):
        model = held.get(name)
        if isinstance(model, torch.nn.Module) and _is_detector(model):
            _mend(model)
            return model.float().eval()
    what = [f"{name} ({type(held[name]).__name__})" for name in ("ema", "model") if name in held]
    raise UnknownArchitectureError(
        f"{file} holds no Ultralytics detector",
        received=", ".join(what) or f"an object of type {type(raw).__name__}",
        expected=f"a network with a {' or '.join(HEADS)} head (YOLOv8, YOLO11)",
        fix="give the .pt that Ultralytics' training wrote, of a detect or pose task",
    )


def _is_detector(model: torch.nn.Module) -> bool:
    import torch

    layers = getattr(model, "model", None)
    if not isinstance(layers, torch.nn.Sequential) or not len(layers):
        return False
    return type(layers[-1]).__name__ in HEADS and getattr(layers[-1], "cv2", None) is not None


def _mend(model: torch.nn.Module) -> None:
    """Give the layers of older files what torch looks for by now."""
    import torch

    for part in model.modules():
        if isinstance(part, torch.nn.Upsample) and not hasattr(part, "recompute_scale_factor"):
            part.recompute_scale_factor = None


def _keypoints(head: Any, model: Any, file: str) -> int:
    if int(head.nc) != 1:
        names = getattr(model, "names", None)
        named = list(names.values()) if isinstance(names, Mapping) else []
        raise UnknownArchitectureError(
            f"{file} tells several classes apart",
            received=f"{head.nc} classes {', '.join(map(str, named[:5]))}".strip(),
            expected="one class: face",
            fix="train a face detector of one class; a detector of many is no face detector",
        )
    if not hasattr(head, "cv4"):
        return 0
    shape = tuple(int(size) for size in head.kpt_shape)
    if shape not in POINTS:
        raise UnknownArchitectureError(
            f"{file} gives other keypoints than a face's five",
            received=f"kpt_shape {shape}",
            expected=f"kpt_shape {' or '.join(map(str, POINTS))}, or a detect head",
            fix="give a checkpoint trained on faces with five points",
        )
    return POINTS[shape]


def _size(options: ConvertOptions, multiple: int) -> tuple[int, int]:
    height, width = options.input_height or SIZE, options.input_width or SIZE
    if height % multiple or width % multiple:
        raise InputError(
            "the size of the detector's input",
            received=f"{height} high, {width} wide",
            expected=f"multiples of {multiple}, its largest stride",
            fix="change --input-height and --input-width",
        )
    return height, width


def _compared(network: Any, model: Any, height: int, width: int) -> tuple[int, int]:
    """Check that Ultralytics' own head gives the same, and return (channels, anchors).

    The decoding here follows published formulas; the package that is installed may not.
    """
    import torch

    model.model[-1].end2end = False
    pixels = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours, theirs = network(pixels), model(pixels)
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    if ours.shape != theirs.shape:
        raise _differs(f"shape {tuple(theirs.shape)}", f"shape {tuple(ours.shape)}")
    scale = theirs.abs().amax(dim=2, keepdim=True).clamp_min(1e-6)
    difference = float(((ours - theirs).abs() / scale).max())
    # Written so that NaN fails.
    if not difference <= LARGEST_DIFFERENCE:
        raise _differs(f"a relative difference of {difference:.2g}", LARGEST_DIFFERENCE)
    return int(ours.shape[1]), int(ours.shape[2])


def _differs(received: object, expected: object) -> KeyMismatchError:
    return KeyMismatchError(
        "the installed ultralytics computes another output than its published head",
        received=received,
        expected=expected,
        fix="check that the checkpoint is a YOLOv8 or YOLO11 model; install ultralytics 8.4",
    )


def _arch(model: Any) -> str:
    config = getattr(model, "yaml", None)
    name = config.get("yaml_file") if isinstance(config, Mapping) else None
    return Path(name).stem if isinstance(name, str) and name else "yolo"


def _state(model: Any, file: str) -> NetworkState:
    tensors = model.state_dict()
    return NetworkState(file, tensors, {key: key for key in tensors})
