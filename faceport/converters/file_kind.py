"""What a file is, by its first bytes: a name's extension says little about a checkpoint."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Literal

from faceport.errors import CheckpointReadError

Kind = Literal["safetensors", "zip", "pickle"]

SAFETENSORS_HEADER_LIMIT = 100_000_000
SMALLEST = 8

STRANGERS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with git lfs pull"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"BZh", "a bzip2 archive: unpack it first"),
    (b"\xfd7zXZ", "an xz archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"\x89HDF", "an HDF5 file (Keras, MATLAB): not a torch checkpoint"),
    (b"\x93NUMPY", "a numpy array: not a torch checkpoint"),
    (b"\x08", "perhaps an ONNX file: those are taken by faceport import-onnx"),
    (b"<", "an HTML or XML page, perhaps a download that asked for a login"),
    (b"{", "JSON text, perhaps the error message of a download"),
)

MALFORMED = (KeyError, TypeError, IndexError, AttributeError, RecursionError)
"""What a header of the wrong structure, or nested without end, raises."""

EXPECTED = "a torch checkpoint (.pt .pth .ckpt .tar .bin) or .safetensors"


def kind_of(path: Path) -> Kind:
    """Tell how to read a checkpoint.

    Raises:
        CheckpointReadError: the file is missing, empty, truncated, or of another format.
    """
    head, size = _head(path)
    if size == 0:
        raise _unreadable(path, "an empty file")
    if _looks_like_safetensors(head):
        return _checked_safetensors(path, head, size)
    if head.startswith(b"PK\x03\x04"):
        return _checked_zip(path)
    # Protocol 2 begins with this byte; torch's legacy format is a row of such pickles.
    if head.startswith(b"\x80"):
        return "pickle"
    raise _unreadable(path, _stranger(head))


def _head(path: Path) -> tuple[bytes, int]:
    try:
        with path.open("rb") as handle:
            return handle.read(512), path.stat().st_size
    except OSError as error:
        raise CheckpointReadError(
            f"{path} could not be read: {error.strerror or error}",
            expected=EXPECTED,
            fix="check the path",
        ) from error


def _looks_like_safetensors(head: bytes) -> bool:
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= length <= SAFETENSORS_HEADER_LIMIT


def _checked_safetensors(path: Path, head: bytes, size: int) -> Kind:
    """Check that the file is as long as its header says; safetensors' own message is terse."""
    length = int.from_bytes(head[:8], "little")
    try:
        with path.open("rb") as handle:
            handle.seek(8)
            header = json.loads(handle.read(length))
        ends = [
            entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"
        ]
        whole = 8 + length + max(ends, default=0)
    except (OSError, ValueError, *MALFORMED) as error:
        raise _unreadable(path, "a safetensors file with a damaged or truncated header") from error
    if size < whole:
        raise _unreadable(path, f"a truncated safetensors file: {size} of {whole} bytes")
    return "safetensors"


def _checked_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.split("/", 1)[-1] for name in archive.namelist()]
    # A damaged directory makes zipfile fail in many ways, not all of them its own.
    except Exception as error:
        raise _unreadable(path, "a truncated or damaged zip archive") from error
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        raise _unreadable(path, "a TorchScript archive: it holds a program, not a state dict")
    if any(name.startswith(("data/weights/", "models/")) for name in names):
        raise _unreadable(path, "a torch.export archive (.pt2): it holds a program")
    if "data.pkl" not in names:
        raise _unreadable(path, "a zip archive that torch did not write")
    return "zip"


def _stranger(head: bytes) -> str:
    if len(head) < SMALLEST:
        return f"a file of {len(head)} bytes"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    for magic, what in STRANGERS:
        if head.lstrip().startswith(magic):
            return what
    printable = all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)
    return "a text file" if printable else f"bytes that begin with {head[:8].hex(' ')}"


def _unreadable(path: Path, what: str) -> CheckpointReadError:
    return CheckpointReadError(
        f"{path} is no checkpoint that can be read",
        received=what,
        expected=EXPECTED,
        fix="get the file again, or save model.state_dict() with torch.save",
    )
