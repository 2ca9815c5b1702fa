"""Identities from a folder: `NAME/*.jpg`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from faceport.benchmarks.accuracy.types import IdentitySet, Picture
from faceport.errors import InputError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}


def read_folder(root: Path, *, aligned: bool = False) -> IdentitySet:
    """Read a folder that has one folder for each person.

    A person is a folder directly in `root`; all pictures in it, however deep, are theirs, and each
    is a template of its own. Hidden files and folders, and links to folders, are passed over.

    Args:
        root: the folder.
        aligned: whether the pictures are crops of the model's size.

    Raises:
        InputError: pictures lie in `root` itself, which belong to nobody; there are none; or a
            folder can't be read.
    """
    try:
        return _read(root, aligned)
    except OSError as error:
        raise InputError(f"{root} could not be read", received=error) from error


def _read(root: Path, aligned: bool) -> IdentitySet:
    strays = [p.name for p in sorted(root.iterdir()) if _is_picture(p)]
    if strays:
        raise InputError(
            f"{root} has pictures that belong to nobody",
            received=f"{len(strays)}, first {strays[0]}",
            expected="folders NAME/*.jpg only",
        )
    people = {p.name: found for p in sorted(root.iterdir()) if (found := _pictures(p))}
    if not people:
        raise InputError(f"{root} has no pictures of people", expected="folders NAME/*.jpg")
    labels = [i for i, paths in enumerate(people.values()) for _ in paths]
    pictures = tuple(
        Picture(path.relative_to(root).as_posix(), str(path), aligned)
        for paths in people.values()
        for path in paths
    )
    return IdentitySet(
        name=root.resolve().name,
        pictures=pictures,
        labels=np.array(labels, dtype=np.int64),
        people=tuple(people),
        templates=np.arange(len(labels), dtype=np.int64),
    )


def _pictures(person: Path) -> list[Path]:
    if person.name.startswith(".") or not person.is_dir():
        return []
    found: list[Path] = []
    for place, folders, files in os.walk(person, onerror=_give_up):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [path for name in sorted(files) if _is_picture(path := Path(place) / name)]
    return found


def _give_up(error: OSError) -> None:
    raise error


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
