"""TorchScript: traced and frozen, for devices that have libtorch."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceport.errors import ExportError
from faceport.exporters.base import Exported, ExportOptions
from faceport.exporters.probe import example_input
from faceport.exporters.quiet import first_line, quiet
from faceport.exporters.versions import versions_of
from faceport.spec import METADATA_KEY, ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

FILE = "model.torchscript"
TRACE_BATCH = 2
OTHER_BATCH = 3
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def export(module: nn.Module, spec: ModelSpec, folder: Path, _: ExportOptions) -> Exported:
    """Write `model.torchscript`; see `Exporter`."""
    import torch

    tools = versions_of("torch")
    example = torch.from_numpy(example_input(spec, OTHER_BATCH))
    buffer = io.BytesIO()
    try:
        # torch.jit is deprecated but works, and says so at every call.
        with quiet(), torch.no_grad():
            trace: Any = torch.jit.trace
            traced = trace(module, example[:TRACE_BATCH], check_trace=False)
            frozen = torch.jit.freeze(traced.eval())
            outputs = frozen(example)
            torch.jit.save(frozen, buffer, _extra_files={METADATA_KEY: spec.to_json()})
    # torch raises RuntimeError for nearly everything, and others besides.
    except Exception as error:
        raise ExportError(
            f"torch could not trace {spec.arch} to TorchScript: {first_line(error)}"
        ) from error
    _check_batch(outputs, spec)
    _write_without_sources(buffer, folder / FILE)
    return Exported(FILE, tools=tools)


def _check_batch(outputs: tuple[Tensor, ...], spec: ModelSpec) -> None:
    """Tracing turns a batch size that Python code read into a constant, without a word."""
    sizes: list[Any] = [tuple(output.shape) for output in outputs]
    if any(not size or size[0] != OTHER_BATCH for size in sizes):
        raise ExportError(
            f"tracing {spec.arch} made its batch size a constant",
            received=f"outputs {sizes} for {OTHER_BATCH} pictures",
            expected=f"{OTHER_BATCH} rows each",
        )


def _write_without_sources(archive: io.BytesIO, path: Path) -> None:
    """Leave out the debug records, which hold source paths of the machine that traced."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            if not name.endswith(".debug_pkl"):
                new.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), old.read(name))
