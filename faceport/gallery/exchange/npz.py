"""A gallery as a folder: `gallery.json` and `vectors.npz`, in which nothing is pickled.

vectors.npz   vectors (S, D) float32 · norms (S,) float32 · owner (S,) int64
              crops (bytes,) uint8 and crop_ends (S,) int64, where there are crops: all PNGs end
              to end, and where each one ends; one that ends where it begins is none
gallery.json  format, version, space, settings, redacted · vectors_sha256, of the other file
              identities: [{name, metadata}] · samples: {source, image_hash, added}, S of each
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.atomic import atomic_folder
from faceport.errors import GalleryError
from faceport.gallery.exchange.content import Content
from faceport.gallery.exchange.header import header_of, no_export, read_json, space_and_settings

JSON_FILE = "gallery.json"
NPZ_FILE = "vectors.npz"
DTYPES = {"vectors": "<f4", "norms": "<f4", "owner": "<i8", "crops": "|u1", "crop_ends": "<i8"}
DIMENSIONS = {"vectors": 2}


def write_npz(content: Content, target: Path) -> None:
    """Write a content as a folder.

    Raises:
        GalleryError: the target is no such folder, or could not be written.
    """
    if target.exists() and not (target / JSON_FILE).is_file():
        raise GalleryError(f"{target} is there, and no exported gallery", fix="choose another name")
    with atomic_folder(target, GalleryError) as folder:
        arrays: dict[str, NDArray[Any]] = {
            "vectors": content.vectors.astype("<f4"),
            "norms": content.norms.astype("<f4"),
            "owner": content.owner.astype("<i8"),
        }
        if any(crop is not None for crop in content.crops):
            data = [crop or b"" for crop in content.crops]
            arrays["crops"] = np.frombuffer(b"".join(data), np.uint8)
            arrays["crop_ends"] = np.cumsum([len(one) for one in data], dtype="<i8")
        np.savez(folder / NPZ_FILE, allow_pickle=False, **arrays)
        text = json.dumps(_description(content, folder / NPZ_FILE), indent=1, allow_nan=False)
        (folder / JSON_FILE).write_text(text, encoding="utf-8")


def read_npz(source: Path) -> Content:
    """Read a folder; what its texts and numbers mean is checked by `check_content`.

    Raises:
        GalleryError: it is no such folder, of another version, or damaged.
    """
    try:
        text = (source / JSON_FILE).read_bytes()
    except OSError as error:
        raise no_export(source, f"no {JSON_FILE}: {error.strerror}") from error
    values = read_json(source / JSON_FILE, text)
    space, settings = space_and_settings(source / JSON_FILE, values)
    arrays = _arrays(source / NPZ_FILE, values.get("vectors_sha256"))
    try:
        identities, samples = values["identities"], values["samples"]
        columns = {key: _texts(samples[key]) for key in ("source", "image_hash", "added")}
        names = _texts([identity["name"] for identity in identities])
        metadata = tuple(identity["metadata"] for identity in identities)
    except (KeyError, TypeError) as error:
        raise _damaged(source / JSON_FILE, f"{type(error).__name__}: {error}") from error
    return Content(
        space=space,
        settings=settings,
        names=names,
        metadata=metadata,
        owner=arrays["owner"].astype(np.int64),
        vectors=arrays["vectors"].astype(np.float32),
        norms=arrays["norms"].astype(np.float32),
        sources=columns["source"],
        image_hashes=columns["image_hash"],
        added=columns["added"],
        crops=_crops(source, arrays),
        redacted=values.get("redacted") is True,
    )


def _description(content: Content, vectors: Path) -> dict[str, Any]:
    people = zip(content.names, content.metadata, strict=True)
    return {
        **header_of(content),
        "vectors_sha256": hashlib.sha256(vectors.read_bytes()).hexdigest(),
        "identities": [{"name": name, "metadata": dict(metadata)} for name, metadata in people],
        "samples": {
            "source": content.sources,
            "image_hash": content.image_hashes,
            "added": content.added,
        },
    }


def _arrays(path: Path, sha256: object) -> dict[str, NDArray[Any]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _damaged(path, str(error.strerror)) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _damaged(path, "another SHA-256 than gallery.json says")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in DTYPES if name in file}
    # numpy's errors for a malformed archive are of many kinds.
    except (OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile) as error:
        raise _damaged(path, str(error)) from error
    for name, array in arrays.items():
        if array.dtype != DTYPES[name] or array.ndim != DIMENSIONS.get(name, 1):
            raise _damaged(path, f"{name} of {array.dtype} {array.shape}")
    missing = {"vectors", "norms", "owner"} - set(arrays)
    if missing:
        raise _damaged(path, f"no {', '.join(sorted(missing))}")
    return arrays


def _crops(source: Path, arrays: Mapping[str, NDArray[Any]]) -> tuple[bytes | None, ...]:
    if "crop_ends" not in arrays or "crops" not in arrays:
        return (None,) * len(arrays["owner"])
    ends, data = arrays["crop_ends"], arrays["crops"].tobytes()
    starts = np.concatenate([[0], ends[:-1]])
    if (ends < starts).any() or (len(ends) and ends[-1] != len(data)):
        raise _damaged(source / NPZ_FILE, "crops that end before they begin")
    return tuple(data[i:j] or None for i, j in zip(starts.tolist(), ends.tolist(), strict=True))


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("a list of texts is expected")
    return tuple(values)


def _damaged(path: Path, received: str) -> GalleryError:
    return GalleryError(f"{path} is damaged", received=received, fix="export the gallery again")
