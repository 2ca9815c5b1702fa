"""A bundle: the folder that carries everything a device needs and nothing it must guess.

    mbf.bundle/
      manifest.json     spec, fingerprint, artefacts with hash, opset and parity
      model.onnx        artefacts
      model.torchscript
      proof.npz         input tensors and what the checkpoint computed from them
      devices/          what `faceport tune` found fastest, a file a device; not in the manifest

`proof.npz` lets `faceport verify` repeat the parity check on the device, where no checkpoint is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from faceport.atomic import atomic_folder
from faceport.codec import decode, encode
from faceport.errors import BundleError, BundleIntegrityError, FaceportError, SpecError
from faceport.manifest import Artefact, Detail, FileRecord, Manifest, Parity, Tolerance
from faceport.spec import ModelSpec

__all__ = [
    "DEVICES",
    "MANIFEST",
    "PROOF",
    "PROOF_INPUT",
    "PROOF_OUTPUT",
    "Artefact",
    "Bundle",
    "Detail",
    "FileRecord",
    "Manifest",
    "Parity",
    "Tolerance",
    "record_of",
    "safe_path",
    "sha256_of",
    "write_bundle",
    "write_manifest",
    "write_proof",
]

MANIFEST = "manifest.json"
PROOF = "proof.npz"
DEVICES = "devices"
"""Folder of the device files: see `faceport.runtime.device_file`."""
PROOF_INPUT = "input"
"""Key of the input tensor in `proof.npz`."""
PROOF_OUTPUT = "output."
"""What stands before an output's name in its key in `proof.npz`."""

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: a folder and its checked manifest."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Read the manifest of the bundle at `path` and check that it is whole.

        Raises:
            BundleError: there is no bundle, or the manifest is malformed.
            BundleIntegrityError: a path leaves the bundle, or the fingerprint is not the spec's.
        """
        folder = Path(path)
        manifest = _read_manifest(folder)
        if manifest.fingerprint != manifest.spec.fingerprint:
            raise BundleIntegrityError(
                f"the fingerprint of {folder} is not its spec's: the manifest was changed",
                received=manifest.fingerprint[:16],
                expected=manifest.spec.fingerprint[:16],
                fix="export the checkpoint again",
            )
        bundle = cls(folder, manifest)
        for record in bundle.files():
            safe_path(folder, record.path)
        return bundle

    @property
    def spec(self) -> ModelSpec:
        """The model's spec."""
        return self.manifest.spec

    def files(self) -> tuple[FileRecord, ...]:
        """All files that the manifest names."""
        return self.manifest.files

    def artefact(self, format: str, precision: str = "fp32") -> Artefact:
        """Return the artefact of a format and precision.

        Raises:
            BundleError: the bundle has none.
        """
        for artefact in self.manifest.artefacts:
            if (artefact.format, artefact.precision) == (format, precision):
                return artefact
        there = ", ".join(f"{a.format} {a.precision}" for a in self.manifest.artefacts)
        raise BundleError(
            f"{self.path} has no such artefact",
            received=f"{format} {precision}",
            expected=f"one of: {there}",
            fix=f"export the checkpoint again with --formats {format} --precision {precision}",
        )

    def checked_file(self, record: FileRecord) -> Path:
        """Return a file's path after comparing its bytes with the manifest's hash.

        Raises:
            BundleIntegrityError: the file is missing or its bytes differ.
        """
        path = safe_path(self.path, record.path)
        try:
            digest = sha256_of(path)
        except OSError as error:
            raise BundleIntegrityError(
                f"{path} could not be read: {error.strerror or error}",
                fix="copy the whole bundle again",
            ) from error
        if digest != record.sha256:
            raise BundleIntegrityError(
                f"{path} was changed after the export",
                received=f"sha256 {digest[:16]}",
                expected=f"sha256 {record.sha256[:16]}",
                fix="copy the bundle again, or export the checkpoint again",
            )
        return path

    def proof(self) -> dict[str, NDArray[np.generic]]:
        """Read the proof: `input` and `output.NAME` arrays, hash checked."""
        path = self.checked_file(self.manifest.proof)
        try:
            with np.load(path, allow_pickle=False) as data:
                return {name: data[name] for name in data.files}
        except (OSError, ValueError, EOFError) as error:
            raise BundleIntegrityError(f"{path} is no NPZ file: {error}") from error


def write_bundle(target: Path) -> AbstractContextManager[Path]:
    """Give an empty folder that becomes the bundle `target` when the block ends without error.

    An older bundle of that name is replaced in one step; anything else of that name is left alone.

    Raises:
        BundleError: the target is not a bundle, or cannot be written.
    """
    # A link is followed, and a relative path is fixed before anything can change the folder.
    place = Path(os.path.realpath(target))
    if place == Path.cwd() or (place.exists() and not _only_a_bundle(place)):
        raise BundleError(
            f"{target} exists and is not a bundle, or holds more than one",
            expected="a new name, or a bundle to replace",
            fix="choose another --output, or remove it",
        )
    return atomic_folder(place, BundleError)


def _only_a_bundle(folder: Path) -> bool:
    """Tell whether replacing a folder would lose nothing but a bundle's own files.

    Device files are among those: they are of artefacts that are replaced.
    """
    try:
        manifest = _read_manifest(folder)
    except BundleError:
        return False
    own = {MANIFEST, *(record.path for record in manifest.files)}
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    return {name for name in found if not _is_device_file(name)} <= own


def _is_device_file(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parent == PurePosixPath(DEVICES) and path.suffix == ".json"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json` into a folder that is being built."""
    text = json.dumps(encode(manifest), indent=2, sort_keys=True, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def write_proof(folder: Path, arrays: Arrays) -> FileRecord:
    """Write `proof.npz` into a folder that is being built."""
    save: Callable[..., None] = np.savez_compressed
    save(folder / PROOF, **arrays)
    return record_of(folder, PROOF)


def record_of(folder: Path, name: str) -> FileRecord:
    """Describe a file that lies in `folder`."""
    path = folder / name
    return FileRecord(name, sha256_of(path), path.stat().st_size)


def sha256_of(path: Path) -> str:
    """Return the hash of a file's bytes, 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def safe_path(folder: Path, name: str) -> Path:
    """Join a manifest's path to its bundle.

    Raises:
        BundleIntegrityError: the path is absolute, has `..`, or a link leads out of the folder.
    """
    path = folder / name
    if not _is_plain(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise BundleIntegrityError(
            f"a path in the manifest of {folder} leaves the bundle",
            received=repr(name),
            expected="a relative path inside the bundle",
            fix="do not use this bundle; get it from its source again",
        )
    return path


def _is_plain(name: str) -> bool:
    """Tell whether a path is relative, without `..`, and printable: no NUL, no lone surrogate."""
    relative = PurePosixPath(name)
    inside = not relative.is_absolute() and ".." not in relative.parts
    return bool(name) and name.isprintable() and "\\" not in name and inside


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return decode(Manifest, data)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(
            f"{folder} is not a bundle",
            expected=f"a folder with a {MANIFEST}",
            fix="make one with `faceport export` or `faceport import-onnx`",
        ) from error
    except (OSError, ValueError, RecursionError, SpecError) as error:
        raise _malformed(path, error) from error


def _malformed(path: Path, error: Exception) -> FaceportError:
    return BundleError(f"{path} is malformed: {error}", fix="export the checkpoint again")
