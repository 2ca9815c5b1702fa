"""From what the user names (a path, a URL, a file of a Hugging Face repository) to a local file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from faceport.converters.conversion import Progress
from faceport.converters.download import Request, download
from faceport.converters.file_kind import kind_of
from faceport.converters.hashing import checked_sha256, file_sha256
from faceport.converters.hub import hub_request
from faceport.errors import CheckpointReadError, InputError

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint on this machine, under the name that its source gives it."""

    path: Path
    name: str
    sha256: str


def locate(
    checkpoint: str | Path, *, sha256: str | None = None, progress: Progress | None = None
) -> CheckpointFile:
    """Return a checkpoint's local file, fetched if need be.

    Raises:
        InputError: the scheme is unknown, or `sha256` is malformed.
        DownloadError: the URL could not be fetched, or what came has another hash.
        CheckpointReadError: a local file can't be read or has another hash, or what was fetched is
            no checkpoint.
        MissingDependencyError: `hf://` without huggingface_hub.
    """
    sha256 = checked_sha256(sha256)
    scheme = SCHEME.match(checkpoint) if isinstance(checkpoint, str) else None
    if scheme is None:
        return _local(Path(checkpoint), sha256)
    name = scheme[1].lower()
    if name not in ("http", "https", "hf"):
        raise InputError(
            "the checkpoint's scheme is not known",
            received=f"{name}://",
            expected="a path, http://, https:// or hf://owner/repo/file",
        )
    url = str(checkpoint)
    request = hub_request(url) if name == "hf" else Request(url)
    path, digest = download(request, sha256=sha256, progress=progress)
    try:
        kind_of(path)
    except CheckpointReadError:
        # A login page, say. Kept, it would be the answer of every later try too.
        path.unlink(missing_ok=True)
        raise
    return CheckpointFile(path, path.name, digest)


def _local(path: Path, sha256: str | None) -> CheckpointFile:
    try:
        digest = file_sha256(path)
    except OSError as error:
        raise CheckpointReadError(
            f"{path} could not be read: {error.strerror or error}",
            expected="a checkpoint file, a URL, or hf://owner/repo/file",
            fix="check the path",
        ) from error
    if sha256 not in (None, digest):
        raise CheckpointReadError(
            f"{path} has another hash than asked for",
            received=f"sha256 {digest}",
            expected=sha256,
            fix="get the file again, or correct --sha256",
        )
    return CheckpointFile(path, path.name, digest)
