"""What `faceport tune` found fastest for a bundle on one device: a small file beside the manifest.

    mbf.bundle/devices/amd-epyc-2-cores-f3fddd34.json

It is no part of the manifest: a bundle may carry files of several devices, each is read only on its
own, and none changes what the bundle computes beyond the loss that it states.
"""

from __future__ import annotations

import json
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from faceport.atomic import atomic_file
from faceport.bundle import DEVICES, Artefact, Bundle, safe_path
from faceport.codec import decode, encode
from faceport.errors import BundleError, BundleIntegrityError, InputError, SpecError
from faceport.runtime.device import device_id
from faceport.runtime.sessions.base import SessionOptions
from faceport.runtime.sessions.openvino import PRECISION_HINT

SCHEMA_VERSION = 1

LARGEST = 100_000
"""Bytes of a device file; it has about two thousand."""

SETTINGS = (PRECISION_HINT,)
"""Provider options that a device file may hold. A bundle travels, and no hash covers this file: it
may choose among the bundle's artefacts, and must not reach files or libraries through an engine."""


@dataclass(frozen=True)
class DeviceFile:
    """How to run a bundle on one device.

    Attributes:
        device: name of the device, see `faceport.runtime.device`.
        fingerprint: of the bundle's spec.
        artefact: file in the bundle.
        sha256: of that file.
        precision: of that file.
        backend: that runs it.
        options: providers, threads, spinning.
        batch: most pictures a run.
        p50_ms: median of a run of `measured_batch` pictures.
        measured_batch: see above.
        cosine_loss: 1 - the lowest cosine of an embedding with the fp32 reference's.
        max_cosine_loss: that was allowed.
        measured_on: what the loss was measured on.
        objective: `latency` or `throughput`.
        versions: of faceport and of what ran.
        created: UTC, ISO 8601.
    """

    device: str
    fingerprint: str
    artefact: str
    sha256: str
    precision: str
    backend: str
    options: SessionOptions
    batch: int
    p50_ms: float
    measured_batch: int
    cosine_loss: float
    max_cosine_loss: float
    measured_on: str
    objective: str
    created: str
    versions: Mapping[str, str] = field(default_factory=dict, hash=False)
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise SpecError(
                "the device file is of another schema version",
                received=self.schema_version,
                expected=SCHEMA_VERSION,
            )
        if self.batch < 1:
            raise SpecError("batch", received=self.batch, expected="1 or more")
        names = [n for group in self.options.provider_options.values() for n in group]
        stray = [name for name in names if name not in SETTINGS]
        if stray:
            raise SpecError(
                "a device file may not set this provider option",
                received=stray[0],
                expected=", ".join(SETTINGS),
            )


def device_file_path(bundle: Path, device: str | None = None) -> Path:
    """Return where a bundle's file of a device lies; None is this device."""
    return bundle / DEVICES / f"{device or device_id()}.json"


def read_device_file(bundle: Bundle, device: str | None = None) -> DeviceFile | None:
    """Read a bundle's file of a device; None where it has none. None as device is this one.

    Raises:
        BundleError: it is malformed, or of another device or model.
        BundleIntegrityError: it leads out of the bundle.
    """
    # Most bundles have none, and need not know which device this is.
    if not (bundle.path / DEVICES).is_dir():
        return None
    path = device_file_path(bundle.path, device)
    safe_path(bundle.path, path.relative_to(bundle.path).as_posix())
    try:
        file = decode(DeviceFile, json.loads(_small_text(path)))
    except FileNotFoundError:
        return None
    # An InputError of SessionOptions is one of the data here.
    except (OSError, ValueError, RecursionError, InputError, SpecError) as error:
        raise BundleError(f"{path} is malformed: {error}", fix=fix_for(path)) from error
    received, expected = (file.device, file.fingerprint), (path.stem, bundle.spec.fingerprint)
    if received != expected:
        raise BundleError(
            f"{path} is not of this device and model",
            received=f"{received[0]}, fingerprint {received[1][:16]}",
            expected=f"{expected[0]}, fingerprint {expected[1][:16]}",
            fix=fix_for(path),
        )
    return file


def _small_text(path: Path) -> str:
    status = path.stat()
    # A bundle travels: this may be a pipe that never ends, or fill the memory.
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
        raise ValueError(f"no regular file of at most {LARGEST:,} bytes")
    return path.read_text(encoding="utf-8")


def device_files(bundle: Bundle) -> list[DeviceFile]:
    """Read all device files of a bundle, by name; raises as `read_device_file` does."""
    names = sorted(path.stem for path in (bundle.path / DEVICES).glob("*.json"))
    found = (read_device_file(bundle, name) for name in names)
    return [file for file in found if file is not None]


def write_device_file(bundle: Bundle, file: DeviceFile) -> Path:
    """Write a device file into its bundle, in place of an older one, and return its path.

    Raises:
        BundleError: the bundle's folder is not writable.
        BundleIntegrityError: the folder of device files leads out of the bundle.
    """
    path = device_file_path(bundle.path, file.device)
    check_writable(bundle)
    text = json.dumps(encode(file), indent=2, sort_keys=True, allow_nan=False)
    with atomic_file(path, BundleError) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    return path


def check_writable(bundle: Bundle) -> None:
    """See that device files can be written, and make their folder: before any time is spent.

    Raises:
        BundleError: the bundle's folder is not writable.
        BundleIntegrityError: the folder of device files leads out of the bundle.
    """
    folder = safe_path(bundle.path, DEVICES)
    try:
        folder.mkdir(exist_ok=True)
        # Of a name that nobody can know: a bundle may come with a link of a known one to anywhere.
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-"):
            pass
    except OSError as error:
        raise BundleError(
            f"{folder} could not be written: {error.strerror or error}",
            fix="make the bundle's folder writable, or copy the bundle and tune the copy",
        ) from error


def tuned_artefact(bundle: Bundle, file: DeviceFile) -> Artefact:
    """Return the artefact that a device file chose.

    Raises:
        BundleIntegrityError: the bundle has it no more, or it has changed.
    """
    for artefact in bundle.manifest.artefacts:
        if artefact.file.path == file.artefact and artefact.file.sha256 == file.sha256:
            return artefact
    path = device_file_path(bundle.path, file.device)
    raise BundleIntegrityError(
        f"{path} was made for an artefact that {bundle.path} does not have now",
        received=f"{file.artefact}, sha256 {file.sha256[:16]}",
        expected=", ".join(
            f"{a.file.path} {a.file.sha256[:16]}" for a in bundle.manifest.artefacts
        ),
        fix=fix_for(path),
    )


def fix_for(path: Path) -> str:
    """Return what to do about a device file that can't be used."""
    return (
        f"run `faceport tune {path.parent.parent}` again, delete {path}, or name the precision "
        "and backend to use"
    )
