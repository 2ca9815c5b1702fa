"""A bundle: the folder that carries everything a device needs and nothing it must guess.

    mbf.bundle/
      manifest.json     spec, fingerprint, artefacts with hash, opset and parity
      model.onnx        artefacts
      model.torchscript
      proof.npz         input tensors and what the checkpoint computed from them

`proof.npz` lets `faceport verify` repeat the parity check on the device, where no checkpoint is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from faceport.atomic import atomic_folder
from faceport.codec import decode, encode
from faceport.errors import BundleError, BundleIntegrityError, FaceportError, SpecError
from faceport.spec import SCHEMA_VERSION, ModelSpec

MANIFEST = "manifest.json"
PROOF = "proof.npz"
PROOF_INPUT = "input"
"""Key of the input tensor in `proof.npz`."""
PROOF_OUTPUT = "output."
"""What stands before an output's name in its key in `proof.npz`."""

Arrays = Mapping[str, NDArray[np.generic]]
Detail = str | int | float | tuple[str, ...] | Mapping[str, float]
"""One decision of an export, as JSON can hold it."""


@dataclass(frozen=True)
class Parity:
    """How far an artefact's outputs are from the checkpoint's, at one batch size.

    For embeddings both figures are of unit vectors. `min_cosine` is the smallest over the batch.
    """

    batch: int
    max_abs_diff: float
    min_cosine: float
    mean_cosine: float | None = None


@dataclass(frozen=True)
class Tolerance:
    """What parity figures must hold: the smallest cosines and the largest difference that pass.

    `min_mean_cosine` is of the mean over the pictures; None asks nothing of it.
    """

    min_cosine: float
    max_abs_diff: float
    min_mean_cosine: float | None = None


@dataclass(frozen=True)
class FileRecord:
    """A file of the bundle: its path inside it (POSIX, relative), hash and size in bytes."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Artefact:
    """One executable form of the model.

    `opset` is what the ONNX file really holds, whatever was asked for. `reference` says what the
    parity figures compare with: the checkpoint's module, or the imported file itself.

    `parity` is measured on the proof's pictures, and is empty where the machine of the export can't
    run the artefact (an engine without its GPU); a note then says so. `faces` is the same on real
    faces that do not travel in the bundle. `tolerance` is what both were held to, where that is not
    the one of the precision. `details` says what was decided on the way: calibrator, number of
    images, layers kept back and what they cost.
    """

    format: str
    precision: str
    file: FileRecord
    parity: tuple[Parity, ...]
    reference: str = "checkpoint"
    opset: int | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    faces: tuple[Parity, ...] = ()
    tolerance: Tolerance | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` holds. `created` is UTC, ISO 8601.

    `notes` say what was asked for and not made.
    """

    spec: ModelSpec
    fingerprint: str
    artefacts: tuple[Artefact, ...]
    proof: FileRecord
    faceport_version: str
    created: str
    notes: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION


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
        return (*(a.file for a in self.manifest.artefacts), self.manifest.proof)

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
            fix=f"export the checkpoint again with --formats {format}",
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
    exists = target.exists() or target.is_symlink()
    if exists and not (target.is_dir() and (target / MANIFEST).is_file()):
        raise BundleError(
            f"{target} exists and is not a bundle",
            expected="a new name, or a bundle to replace",
            fix="choose another --output, or remove it",
        )
    return atomic_folder(target, BundleError)


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
    relative = PurePosixPath(name)
    plain = name and not relative.is_absolute() and ".." not in relative.parts
    inside = plain and "\\" not in name and "\0" not in name
    path = folder / relative
    # Resolved last: a link inside the bundle may lead out of it.
    if not inside or not path.resolve().is_relative_to(folder.resolve()):
        raise BundleIntegrityError(
            f"a path in the manifest of {folder} leaves the bundle",
            received=repr(name),
            expected="a relative path inside the bundle",
            fix="do not use this bundle; get it from its source again",
        )
    return path


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return decode(Manifest, data)
    except FileNotFoundError as error:
        raise BundleError(
            f"{folder} is not a bundle",
            expected=f"a folder with a {MANIFEST}",
            fix="make one with `faceport export` or `faceport import-onnx`",
        ) from error
    except (OSError, ValueError, SpecError) as error:
        raise _malformed(path, error) from error


def _malformed(path: Path, error: Exception) -> FaceportError:
    return BundleError(f"{path} is malformed: {error}", fix="export the checkpoint again")
