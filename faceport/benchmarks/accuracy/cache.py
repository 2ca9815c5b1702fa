"""Crops on disk, so that a picture is decoded and searched for its face once.

One small file a picture and way of cutting, in 256 folders. A file is a zip with checksums: a
damaged one is noticed and made again. It is written beside its place and renamed, without a sync:
two processes may share a cache, and what a power cut leaves half written is noticed as well.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.spec import PreprocessSpec, canonical_json
from faceport.version import __version__

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Entry:
    """What is known of one picture.

    Attributes:
        pixels: (height, width, 3) crop of the chosen face; None where no face was found.
        faces: found in the picture.
    """

    pixels: Pixels | None
    faces: int


def entry_key(data: bytes, detector: str, preprocess: PreprocessSpec, rule: str) -> str:
    """Return the name of a crop: everything that decides its pixels, hashed.

    Mean and std are not in it: they come after the crop. The version of faceport is, because
    decoding and alignment are its code.

    Args:
        data: the encoded picture.
        detector: its identity, settings included.
        preprocess: how the face is cut out.
        rule: which face of several.
    """
    cut = {
        "faceport": __version__,
        "picture": hashlib.sha256(data).hexdigest(),
        "detector": detector,
        "rule": rule,
        "geometry": preprocess.geometry,
        "height": preprocess.height,
        "width": preprocess.width,
        "template": preprocess.alignment_template,
        "color_order": preprocess.color_order,
        "resample": preprocess.resample,
        "box_padding": preprocess.box_padding,
    }
    return hashlib.sha256(canonical_json(cut).encode()).hexdigest()


@dataclass(frozen=True)
class CropCache:
    """A folder of crops. It is made when the first crop is kept."""

    folder: Path

    def read(self, key: str, preprocess: PreprocessSpec) -> Entry | None:
        """Return what is kept under a key; None where there is nothing, or nothing whole."""
        try:
            # Opened here: numpy leaves the file of a damaged zip open.
            with self._file(key).open("rb") as file, np.load(file, allow_pickle=False) as kept:
                pixels, faces, name = kept["pixels"], int(kept["faces"]), str(kept["key"])
        except FileNotFoundError:
            return None
        # A damaged zip raises nearly anything: BadZipFile, struct.error, NotImplementedError, …
        except Exception:
            return None
        if name != key or faces < 0 or pixels.dtype != np.uint8:
            return None
        if faces == 0:
            return Entry(None, 0)
        wanted = (preprocess.height, preprocess.width, 3)
        return Entry(pixels, faces) if pixels.shape == wanted else None

    def write(self, key: str, entry: Entry) -> None:
        """Keep what was found.

        Raises:
            InputError: the folder can't be written, or is full.
        """
        pixels = np.zeros((0, 0, 3), np.uint8) if entry.pixels is None else entry.pixels
        target = self._file(key)
        save: Callable[..., None] = np.savez
        # Renamed into place but not synced, as `atomic_file` does: a crop that a power cut damages
        # is made again, and two syncs a picture would take as long as the pictures.
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".", suffix=".npz", dir=target.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    save(file, pixels=pixels, faces=np.int64(entry.faces), key=np.str_(key))
                os.replace(name, target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise InputError(
                f"the cache {self.folder} could not be written: {error.strerror or error}",
                fix="give another folder with --cache, or make room",
            ) from error

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key[2:]}.npz"
