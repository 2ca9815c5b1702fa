"""Read a checkpoint file: tensors only, unless the caller trusts it.

A pickle can run any code while it is read. torch's `weights_only` reader and safetensors can't;
a file that needs more is refused unless the caller says that it is trusted.
"""

from __future__ import annotations

import pickle
import pickletools
import re
from pathlib import Path

from faceport.converters.file_kind import Kind, kind_of
from faceport.converters.lenient_pickle import lenient_pickle
from faceport.errors import (
    CheckpointReadError,
    MissingDependencyError,
    UntrustedCheckpointError,
)

WANTED = re.compile(r"GLOBAL (\S+)|got <class '([^']+)'>|unrecognized function (\S+)")
"""Where torch's reader names what it refuses."""

ULTRALYTICS = "ultralytics."
"""How the names of its classes begin: its files hold the network as an object."""

LEGACY_PICKLES = 5
"""Magic number, protocol, system, content, names of the storages."""


def read_checkpoint(path: Path, *, trust: bool, ultralytics: bool = False) -> object:
    """Return what a checkpoint file holds, with its tensors on the CPU.

    Args:
        path: of the file.
        trust: whether its own code may run.
        ultralytics: whether the caller takes a network of Ultralytics' package, which is imported.

    Raises:
        CheckpointReadError: the file is missing, empty, truncated or of another format.
        UntrustedCheckpointError: it is a pickle that has to run code, and `trust` is False.
        MissingDependencyError: torch or safetensors is not installed.
    """
    kind = kind_of(path)
    if kind == "safetensors":
        return _read_safetensors(path)
    try:
        return _read_weights(path, kind)
    except UntrustedCheckpointError as error:
        if not trust or (ULTRALYTICS in str(error.received) and not ultralytics):
            raise
    return _read_trusted(path)


def _read_safetensors(path: Path) -> object:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ModuleNotFoundError as error:
        raise MissingDependencyError(error.name or "safetensors", "export") from error
    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise _damaged(path, _reason(error)) from error


def _read_weights(path: Path, kind: Kind) -> object:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # In a file that was cut, the name that is refused may be half a name.
        if kind == "pickle" and not _has_whole_pickles(path):
            raise _damaged(path, "a pickle that ends early, or that torch did not write") from error
        raise _untrusted(path, _wanted(path, error)) from error
    # A damaged file makes the reader fail in any way: index, struct, memory, decoding.
    except Exception as error:
        raise _damaged(path, _reason(error)) from error


def _read_trusted(path: Path) -> object:
    import torch

    try:
        return torch.load(
            path, map_location="cpu", weights_only=False, pickle_module=lenient_pickle()
        )
    # The file's own code runs here, so anything can come out of it.
    except Exception as error:
        raise _damaged(path, _reason(error)) from error


def _has_whole_pickles(path: Path) -> bool:
    """Tell whether the pickles that head a legacy file are all there; none of them is run."""
    try:
        with path.open("rb") as handle:
            for _ in range(LEGACY_PICKLES):
                for _operation in pickletools.genops(handle):
                    pass
    except (OSError, ValueError, OverflowError, MemoryError):
        return False
    return True


def _wanted(path: Path, error: pickle.UnpicklingError) -> list[str]:
    """Return what was refused: the first name, or Ultralytics' if the file has one of those."""
    import torch

    found = WANTED.search(str(error))
    first = [name for name in found.groups() if name] if found else []
    try:
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    # It reads zip archives only, and not all of them.
    except Exception:
        return first
    return [name for name in names if name.startswith(ULTRALYTICS)] or first


def _untrusted(path: Path, names: list[str]) -> UntrustedCheckpointError:
    if names and names[0].startswith(ULTRALYTICS):
        return UntrustedCheckpointError(
            f"{path} is an Ultralytics model: a pickle that runs code when it is read",
            received=f"a reference to {names[0]}",
            expected="tensors, numbers, strings and containers only",
            fix="if you trust where it is from, pass --family yolo-face --trust-checkpoint; that "
            "reads it with Ultralytics' own package: pip install 'faceport[yolo]' (AGPL-3.0)",
        )
    return UntrustedCheckpointError(
        f"{path} is a pickle that runs code from the file when it is read",
        received=f"a reference to {names[0]}" if names else "more than tensors",
        expected="tensors, numbers, strings and containers only",
        fix="if you trust where it is from, pass --trust-checkpoint (that code then runs with your "
        "rights); better, ask for a safetensors file or a plain state dict",
    )


def _damaged(path: Path, reason: str) -> CheckpointReadError:
    return CheckpointReadError(
        f"{path} is truncated or damaged",
        received=reason,
        expected="a whole checkpoint",
        fix="get the file again and compare its size or sha256",
    )


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
