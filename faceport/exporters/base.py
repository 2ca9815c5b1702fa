"""The contract of an exporter: a torch module in, one file of one format out.

An exporter writes and describes. Whether the file computes what the module computes is measured
afterwards, for all formats in one place: `bundle_export`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from faceport.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn

DEFAULT_OPSET = 18
"""The lowest that torch's exporter writes by itself; onnxruntime 1.14 and TensorRT 8.6 read it."""


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and how.

    Attributes:
        formats: keys of `faceport.exporters.EXPORTERS`.
        precisions: keys of `faceport.runtime.parity.TOLERANCES`.
        opset: the ONNX opset to ask for. What comes out may be another; the manifest says which.
        simplify: whether to simplify the ONNX graph.
        fuse_preprocess: whether the graph takes uint8 NHWC RGB pixels and does mean, std, channel
            order and layout itself.
        parity_images: a folder of photographs to measure parity on, instead of drawn pictures.
    """

    formats: tuple[str, ...] = ("onnx", "torchscript")
    precisions: tuple[str, ...] = ("fp32",)
    opset: int = DEFAULT_OPSET
    simplify: bool = True
    fuse_preprocess: bool = False
    parity_images: Path | None = None


@dataclass(frozen=True)
class Exported:
    """A file that an exporter wrote.

    Attributes:
        file: its name in the folder.
        opset: of the default domain, read from the file; None for formats without one.
        tools: versions of the packages that made it, by name.
        notes: what a reader of the manifest should know.
    """

    file: str
    opset: int | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


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


class Exportable(Protocol):
    """What is exported: a checkpoint's network with its weights, and its spec."""

    @property
    def module(self) -> nn.Module:
        """In eval mode, float32, on the CPU."""

    @property
    def spec(self) -> ModelSpec:
        """What the module needs and gives."""
