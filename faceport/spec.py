"""What a model needs and gives, as data: frozen, validated, JSON both ways.

Written at export, checked at load, and carried inside every artefact, so that no runtime has to
guess a mean, a channel order or a size. Means and standard deviations are in 0-255 pixel units.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from faceport.codec import decode, encode
from faceport.errors import SpecError

SCHEMA_VERSION = 1
METADATA_KEY = "faceport.spec"
"""Where an artefact keeps its spec: the key of ONNX `metadata_props` and of `_extra_files`."""

ColorOrder = Literal["rgb", "bgr"]
Layout = Literal["nchw", "nhwc"]
Geometry = Literal["align", "crop", "letterbox"]
AlignmentTemplate = Literal["arcface_112"]
Anchor = Literal["top_left", "center"]
Resample = Literal["bilinear", "bilinear_antialias"]
Pool = Literal["cls", "mean", "cls+mean"]
Task = Literal["embedder", "detector", "landmarks"]
Decoder = Literal["scrfd", "yunet", "yolov8-face"]

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class PreprocessSpec:
    """From a picture of any size to the input tensor.

    `geometry` says how the picture gets its size: `align` warps the face by its 5 landmarks to
    `alignment_template`; `crop` cuts the box, widened by `box_padding` of its size and clamped to
    the frame, and stretches it; `letterbox` scales the whole picture to fit and pads the rest.
    `resample` says how: `bilinear` takes the four nearest pixels; `bilinear_antialias`, for box
    crops, averages all pixels that a shrunken one covers, as torch's
    `interpolate(mode="bilinear", antialias=True)` does.
    A value is then `(pixel - mean) / std`, per channel in `color_order`.
    """

    height: int
    width: int
    color_order: ColorOrder
    mean: Triple
    std: Triple
    geometry: Geometry
    layout: Layout = "nchw"
    dtype: Literal["float32", "uint8"] = "float32"
    resample: Resample = "bilinear"
    alignment_template: AlignmentTemplate | None = None
    box_padding: float = 0.2
    pad_value: int = 0
    pad_anchor: Anchor = "top_left"
    dynamic_size: bool = False
    size_multiple: int = 1

    def __post_init__(self) -> None:
        for name in ("height", "width", "size_multiple"):
            _positive(f"preprocess.{name}", getattr(self, name))
        if not all(math.isfinite(v) for v in (*self.mean, *self.std)) or min(self.std) <= 0:
            raise SpecError(
                "preprocess.mean and .std are not usable",
                received=f"mean {self.mean}, std {self.std}",
                expected="finite numbers in 0-255 pixel units, std above 0",
            )
        if self.dtype == "uint8" and (self.mean, self.std) != ((0.0,) * 3, (1.0,) * 3):
            raise SpecError("a uint8 input takes raw pixels", received=f"mean {self.mean}")
        if (self.geometry == "align") != (self.alignment_template is not None):
            raise SpecError(
                "preprocess.alignment_template belongs to geometry 'align' and to no other",
                received=f"{self.geometry} with {self.alignment_template}",
            )
        if self.resample != "bilinear" and self.geometry != "crop":
            raise SpecError(
                "preprocess.resample",
                received=f"{self.resample} with geometry {self.geometry}",
                expected="bilinear; bilinear_antialias is for geometry crop",
            )
        if self.dynamic_size and self.geometry != "letterbox":
            raise SpecError("preprocess.dynamic_size is for geometry 'letterbox'")
        if not 0 <= self.pad_value <= 255:
            raise SpecError("preprocess.pad_value", received=self.pad_value, expected="0 to 255")
        if not 0 <= self.box_padding <= 4:
            raise SpecError("preprocess.box_padding", received=self.box_padding, expected="0 to 4")

    def raw_pixels(self) -> PreprocessSpec:
        """Return the spec of the same geometry for a graph that takes RGB uint8 NHWC pixels."""
        return replace(
            self,
            color_order="rgb",
            layout="nhwc",
            dtype="uint8",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
        )


@dataclass(frozen=True)
class TensorSpec:
    """One input or output. A dimension is a size, or the name of a dynamic axis (`batch`)."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class DetectorSpec:
    """How a detector's outputs become boxes, and its default limits.

    `outputs` maps a role to output names, one a stride in the order of `strides` (or a single
    name): `scores`, `boxes`, `landmarks`, `objectness`, `maps` (raw YOLOv8 maps), `concatenated`.
    """

    decoder: Decoder
    strides: tuple[int, ...]
    outputs: Mapping[str, tuple[str, ...]]
    anchors_per_cell: int = 1
    keypoints: int = 5
    score_threshold: float = 0.5
    nms_threshold: float = 0.4
    max_faces: int = 0
    min_size: float = 0.0

    def __post_init__(self) -> None:
        for name in ("score_threshold", "nms_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise SpecError(f"detector.{name}", received=getattr(self, name), expected="0 to 1")
        if self.max_faces < 0 or self.min_size < 0:
            raise SpecError("detector.max_faces and .min_size", expected="0 (no limit) or more")
        if not self.strides or min(self.strides) < 1 or self.anchors_per_cell < 1:
            raise SpecError(
                "detector.strides and .anchors_per_cell",
                received=f"{self.strides}, {self.anchors_per_cell}",
                expected="1 or more",
            )
        if self.keypoints not in (0, 5):
            raise SpecError("detector.keypoints", received=self.keypoints, expected="0 or 5")


@dataclass(frozen=True)
class Source:
    """Where a model came from: the file's name (never a path), its hash, the layout's origin."""

    file: str
    sha256: str
    origin: str = ""
    license: str = ""


@dataclass(frozen=True)
class ModelSpec:
    """Everything a runtime must know about one model.

    `weights_sha256` is a hash of the weights' values and names, the same whatever file held them.
    `normalized` says that the graph ends in the L2 norm; `norm_output` names the output that holds
    the length before it. `pool` says which tokens of a transformer make the embedding. `fused` is
    the preprocessing that the graph does itself, if any; `preprocess` is then what is left for the
    runtime to do. `max_batch` is None for a dynamic batch axis.
    """

    task: Task
    family: str
    arch: str
    preprocess: PreprocessSpec
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    source: Source
    weights_sha256: str
    embedding_dim: int | None = None
    normalized: bool = False
    norm_output: str | None = None
    pool: Pool | None = None
    max_batch: int | None = None
    detector: DetectorSpec | None = None
    fused: PreprocessSpec | None = None
    dropped_keys: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    schema_version: int = field(default=SCHEMA_VERSION)

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise SpecError(
                "the spec is of another schema version",
                received=self.schema_version,
                expected=SCHEMA_VERSION,
                fix="export the model again, or use the faceport version that wrote it",
            )
        if (self.task == "embedder") != (self.embedding_dim is not None):
            raise SpecError("embedding_dim belongs to an embedder, and an embedder has one")
        if (self.task == "detector") != (self.detector is not None):
            raise SpecError("a detector has a detector section, and nothing else has one")
        if len(self.inputs) != 1 or not self.outputs:
            raise SpecError("a model has one input and at least one output")
        if len(set(self.output_names)) != len(self.outputs):
            raise SpecError("two outputs have one name", received=self.output_names)
        if self.norm_output is not None and self.norm_output not in self.output_names:
            raise SpecError("norm_output is no output", received=self.norm_output)
        if self.max_batch is not None:
            _positive("max_batch", self.max_batch)
        if self.embedding_dim is not None:
            _positive("embedding_dim", self.embedding_dim)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, in the graph's order."""
        return tuple(output.name for output in self.outputs)

    @property
    def effective_preprocess(self) -> PreprocessSpec:
        """The whole preprocessing, wherever it is done."""
        return self.fused or self.preprocess

    @property
    def fingerprint(self) -> str:
        """Hash (64 hex digits) of what decides an embedding: weights, network, head, preprocessing.

        Formats, batch limits and where the normalisation is done change no vector, so they are not
        in it: the ONNX and the TorchScript artefact of one checkpoint fill the same gallery.
        """
        plain = replace(self.effective_preprocess, layout="nchw", dtype="float32")
        basis = {
            "weights": self.weights_sha256,
            "arch": self.arch,
            "dim": self.embedding_dim,
            "preprocess": encode(plain),
        }
        if self.pool is not None:
            basis["pool"] = self.pool
        return hashlib.sha256(canonical_json(basis).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the spec as JSON text with sorted keys."""
        return canonical_json(encode(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelSpec:
        """Read what `to_json` wrote.

        Raises:
            SpecError: the text is no JSON, or not a spec of this schema.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SpecError(f"a spec is not JSON: {error}") from error
        return decode(cls, data)


def canonical_json(value: object) -> str:
    """Return JSON text that is the same for equal values: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _positive(name: str, value: int) -> None:
    if value < 1:
        raise SpecError(f"{name} is too small", received=value, expected="1 or more")
