"""`.pt2`: the archive of torch.export, with a dynamic batch."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from faceport.errors import ExportError
from faceport.exporters.base import Exported, ExportOptions
from faceport.exporters.probe import example_input
from faceport.exporters.quiet import first_line, quiet
from faceport.exporters.versions import versions_of
from faceport.spec import METADATA_KEY, ModelSpec

if TYPE_CHECKING:
    from torch import nn

FILE = "model.pt2"

# Not 1: torch.export takes a size of 1 for a constant.
TRACE_BATCH = 2


def export(module: nn.Module, spec: ModelSpec, folder: Path, _: ExportOptions) -> Exported:
    """Write `model.pt2`; see `Exporter`."""
    import torch

    tools = versions_of("torch")
    example = torch.from_numpy(example_input(spec, TRACE_BATCH))
    batch = torch.export.Dim("batch", min=1)
    buffer = io.BytesIO()
    try:
        with quiet(), torch.no_grad():
            program = torch.export.export(
                module, (example,), dynamic_shapes=({0: batch},), strict=False
            )
            for node in program.graph.nodes:
                # Source paths and lines of the machine that exports.
                node.meta.pop("stack_trace", None)
            torch.export.save(program, buffer, extra_files={METADATA_KEY: spec.to_json()})
    # torch.export's errors share no base.
    except Exception as error:
        raise ExportError(f"torch could not export {spec.arch}: {first_line(error)}") from error
    (folder / FILE).write_bytes(buffer.getbuffer())
    return Exported(FILE, tools=tools)
