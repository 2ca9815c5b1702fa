"""The contracts of exporters: a torch module or an ONNX file in, one file of one format out.

An exporter writes and describes. Whether the file computes what the module computes is measured
afterwards, for all formats in one place: `bundle_export`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from faceport.bundle import Detail
from faceport.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn

DEFAULT_OPSET = 18
"""The lowest that torch's exporter writes by itself; onnxruntime 1.14 and TensorRT 8.6 read it."""


Target = Literal["onnxruntime", "tensorrt"]
Calibrator = Literal["minmax", "entropy", "percentile"]


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and how.

    Attributes:
        formats: keys of `EXPORTERS` and `ENGINE_EXPORTERS` in `faceport.exporters.registry`.
        precisions: `fp32` and keys of `PRECISION_STEPS` there. Formats made from the module exist
            in fp32 only; the ONNX file and engines are made in each.
        target: whose habits the ONNX graph is written for; None takes `tensorrt` if an engine is
            among the formats, else `onnxruntime`. Any runtime can run either.
        opset: the ONNX opset to ask for. What comes out may be another; the manifest says which.
        simplify: whether to simplify the ONNX graph.
        fuse_preprocess: whether the graph takes uint8 NHWC RGB pixels and does mean, std, channel
            order and layout itself.
        parity_images: a folder of photographs to measure parity on, instead of drawn pictures.
        calibration: a folder of photographs, searched with all its subfolders; the faces on them
            calibrate int8, and every fourth one is kept out and measured.
        calibration_detector: the detector's bundle that finds those faces; None where the folder
            holds aligned crops of the model's size.
        calibrator: how activations' ranges are chosen from what was seen.
        keep_fp32: names of nodes, or operator types, that no precision step touches.
        min_cosine: replaces the precision's own tolerance, for weights that cannot hold it.
        min_mean_cosine: likewise.
        max_batch: most rows of a run of an engine, None for what the runtime feeds; `faceport
            build-engine` has an engine's other options.
    """

    formats: tuple[str, ...] = ("onnx", "torchscript")
    precisions: tuple[str, ...] = ("fp32",)
    opset: int = DEFAULT_OPSET
    simplify: bool = True
    fuse_preprocess: bool = False
    parity_images: Path | None = None
    target: Target | None = None
    calibration: Path | None = None
    calibration_detector: Path | None = None
    calibrator: Calibrator = "minmax"
    keep_fp32: tuple[str, ...] = ()
    min_cosine: float | None = None
    min_mean_cosine: float | None = None
    max_batch: int | None = None


@dataclass(frozen=True)
class Exported:
    """A file that an exporter wrote.

    Attributes:
        file: its name in the folder.
        opset: of the default domain, read from the file; None for formats without one.
        tools: versions of the packages that made it, by name.
        notes: what a reader of the manifest should know.
        details: what was decided on the way, by name.
    """

    file: str
    opset: int | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    details: Mapping[str, Detail] = field(default_factory=dict)


class Exporter(Protocol):
    """Writes one artefact; each format's module has one, called `export`."""

    def __call__(
        self, module: nn.Module, spec: ModelSpec, folder: Path, options: ExportOptions, /
    ) -> Exported:
        """Write the artefact, with the spec inside it, into `folder`.

        Args:
            module: in eval mode, float32, on the CPU; gives a tuple of tensors in the order of
                `spec.output_names`.
            spec: travels inside the file under `faceport.spec.METADATA_KEY`.
            folder: exists; nothing but the artefact is left in it.
            options: see `ExportOptions`.

        Raises:
            MissingDependencyError: a package of the `export` extra is not installed.
            ExportError: the module can't be exported to this format.
        """


class EngineBuilder(Protocol):
    """Builds one engine from an ONNX file; each engine format's module has one, called `build`."""

    def __call__(
        self,
        onnx_file: Path,
        spec: ModelSpec,
        precision: str,
        folder: Path,
        options: ExportOptions,
        /,
    ) -> Exported:
        """Write the engine into `folder`, under a name that has the precision in it.

        The graph is typed: precision is in it already, and nothing else may lower it.

        Args:
            onnx_file: of that precision; it carries the spec.
            spec: travels with the engine.
            precision: `fp32`, `fp16` or `int8`, to check that the engine is what was asked for.
            folder: exists; nothing but the engine's file is left in it.
            options: see `ExportOptions`.

        Raises:
            MissingDependencyError: the engine's package is not installed.
            ExportError: the engine can't be built.
        """


class Exportable(Protocol):
    """What is exported: a checkpoint's network with its weights, and its spec."""

    @property
    def module(self) -> nn.Module:
        """In eval mode, float32, on the CPU."""

    @property
    def spec(self) -> ModelSpec:
        """What the module needs and gives."""
