"""When a finished run counts for another one: what went into it was the same."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from faceport.benchmarks.accuracy.lists import open_list
from faceport.benchmarks.accuracy.settings import Settings
from faceport.bundle import MANIFEST, sha256_of
from faceport.codec import encode
from faceport.errors import InputError
from faceport.spec import canonical_json
from faceport.version import __version__


def run_key(settings: Settings) -> str:
    """Return a hash of a run's settings and inputs, 16 hex digits.

    Wherever they lie, the bundle and the detector count by their manifests, which have the hashes
    of all artefacts, and a list by its bytes. Of a folder of pictures, names and sizes count: to
    read them all would take as long as to cut them. So a picture that was edited in place, and
    keeps its size, is not noticed.
    """
    plain = replace(settings, bundle="", detector=None, listing="", root=None)
    basis = {
        "faceport": __version__,
        "settings": encode(plain),
        "bundle": _content(settings.bundle),
        "detector": "" if settings.detector is None else _content(settings.detector),
        "listing": _content(settings.listing),
        "root": _named(settings) if settings.root is None else _content(settings.root),
    }
    return hashlib.sha256(canonical_json(basis).encode()).hexdigest()[:16]


def _content(place: str) -> str:
    path = Path(place)
    try:
        if path.is_file():
            return sha256_of(path)
        if (path / MANIFEST).is_file():
            return sha256_of(path / MANIFEST)
        if path.is_dir():
            return _names_and_sizes(path)
    except OSError as error:
        return f"not readable: {error.strerror}"
    return place


def _named(settings: Settings) -> str:
    """Return what the pictures are that a list without a root names: they lie beside it."""
    path = Path(settings.listing)
    # A .bin holds its pictures, and its bytes count already.
    if not path.is_file() or path.suffix.lower() == ".bin":
        return ""
    try:
        listed = open_list(path, aligned=settings.aligned)
        sizes = [
            f"{picture.name}\0{Path(picture.source).stat().st_size}\n"
            for picture in listed.pictures
            if isinstance(picture.source, str)
        ]
    except (InputError, OSError) as error:
        return f"not readable: {error}"
    return hashlib.sha256("".join(sizes).encode("utf-8", "surrogateescape")).hexdigest()


def _names_and_sizes(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            line = f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
