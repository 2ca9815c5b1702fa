"""A `.pt2` archive looked through before torch reads it: torch unpickles parts of it unasked.

`torch.export.load` reads weights and constants that are marked `use_pickle` with a pickle that may
run any code, and falls back to one for the sample inputs (torch 2.13,
`torch/export/pt2_archive/_package.py`). Archives of `faceport export` have no such parts.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from faceport.errors import SessionError

SAMPLE_INPUTS = "data/sample_inputs/"
CONFIG = "_config.json"
FORMAT_MARK = "archive_format"
"""Present in every archive of today's format; without it torch takes an older, pickled one."""


def check_no_code(path: Path, torch: Any) -> None:
    """Refuse an archive that would run code while it is read.

    Raises:
        SessionError: it would, or it is no whole archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_archive(path, archive, torch)
    except (OSError, zipfile.BadZipFile, ValueError, RecursionError) as error:
        raise SessionError(
            f"{path} could not be loaded by torch.export: {error}",
            fix="the file may be damaged: copy the bundle again",
        ) from error


def _check_archive(path: Path, archive: zipfile.ZipFile, torch: Any) -> None:
    names = archive.namelist()
    if len(set(names)) != len(names):
        raise _unsafe(path, "two members of one name")
    inner = {name: name.split("/", 1)[-1] for name in names}
    if FORMAT_MARK not in inner.values():
        raise _unsafe(path, "an archive of an older format")
    for name, short in inner.items():
        if short.endswith(CONFIG) and _uses_pickle(json.loads(archive.read(name))):
            raise _unsafe(path, f"pickled values ({short})")
        if short.startswith(SAMPLE_INPUTS) and not _only_tensors(archive.read(name), torch):
            raise _unsafe(path, f"a pickle of more than tensors ({short})")
        if short.endswith((".pt", ".pkl")) and not short.startswith(SAMPLE_INPUTS):
            raise _unsafe(path, f"a pickle ({short})")


def _uses_pickle(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value.get("use_pickle")) or any(map(_uses_pickle, value.values()))
    return isinstance(value, list) and any(map(_uses_pickle, value))


def _only_tensors(data: bytes, torch: Any) -> bool:
    try:
        torch.load(io.BytesIO(data), weights_only=True)
    # Whatever the safe reader stumbles over, torch.export would hand to the unsafe one.
    except Exception:
        return False
    return True


def _unsafe(path: Path, found: str) -> SessionError:
    return SessionError(
        f"{path} would run code while it is read",
        received=found,
        expected="a .pt2 file as `faceport export` writes it, without pickles",
        fix="do not use this file; export the checkpoint again",
    )
