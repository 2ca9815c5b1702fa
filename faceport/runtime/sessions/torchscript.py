"""TorchScript archives through torch."""

from __future__ import annotations

import warnings
from pathlib import Path

from faceport.errors import SessionError
from faceport.runtime.sessions.base import SessionOptions
from faceport.runtime.sessions.torch_module import (
    TorchSession,
    carried_spec,
    import_torch,
    pick_device,
)
from faceport.spec import METADATA_KEY


def open_session(path: Path, options: SessionOptions) -> TorchSession:
    """Load a TorchScript file; see `Session`. `threads` holds for the whole process."""
    torch = import_torch()
    device = pick_device(options)
    extra = {METADATA_KEY: ""}
    try:
        with warnings.catch_warnings():
            # torch.jit is deprecated but works, and devices still run TorchScript. What kind of
            # warning says so depends on torch's release.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            module = torch.jit.load(str(path), map_location=device, _extra_files=extra)
    except Exception as error:
        raise SessionError(
            f"{path} could not be loaded as TorchScript: {error}",
            fix="the file may be damaged, or need a newer torch",
        ) from error
    return TorchSession(
        module, "torchscript", device, carried_spec(extra[METADATA_KEY], path.name), path.name
    )
