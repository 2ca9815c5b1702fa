"""`.pt2` archives of torch.export through torch."""

from __future__ import annotations

from pathlib import Path

from faceport.errors import SessionError
from faceport.runtime.sessions.base import SessionOptions
from faceport.runtime.sessions.pt2_archive import check_no_code
from faceport.runtime.sessions.torch_module import (
    TorchSession,
    carried_spec,
    import_torch,
    pick_device,
)
from faceport.spec import METADATA_KEY


def open_session(path: Path, options: SessionOptions) -> TorchSession:
    """Load a `.pt2` file; see `Session`. `threads` holds for the whole process."""
    torch = import_torch()
    device = pick_device(options)
    check_no_code(path, torch)
    extra = {METADATA_KEY: ""}
    try:
        program = torch.export.load(str(path), extra_files=extra)
        module = program.module().to(device)
    except Exception as error:
        raise SessionError(
            f"{path} could not be loaded by torch.export: {error}",
            fix="the file may be damaged, or need the torch version that wrote it",
        ) from error
    return TorchSession(
        module, "pt2", device, carried_spec(extra[METADATA_KEY], path.name), path.name
    )
