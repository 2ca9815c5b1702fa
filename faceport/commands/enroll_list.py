"""Whom `faceport enroll` is to enroll: a folder of identities, one identity's folder, or a CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from faceport.commands.output import warn
from faceport.commands.photos import pictures_in
from faceport.errors import InputError

if TYPE_CHECKING:
    from faceport.gallery.enrolment import Person

CSV_SUFFIX = ".csv"
COLUMNS = ("name", "image")


def people_of(source: Path, name: str | None) -> list[Person]:
    """List the people of a folder or a CSV, in order; names are checked.

    Raises:
        InputError: there is nobody, a name is not usable, or the CSV is malformed.
    """
    from faceport.gallery import check_name
    from faceport.gallery.enrolment import Person

    if source.suffix.lower() == CSV_SUFFIX and not source.is_dir():
        if name is not None:
            raise InputError("--name is for a folder", received=str(source))
        people = people_of_csv(source)
    elif not source.is_dir():
        raise InputError(
            f"{source} is nothing to enroll from", expected="a folder, or a .csv of name,image"
        )
    elif name is not None:
        people = [Person(name, tuple(pictures_in(source)))]
    else:
        people = _people_of_folder(source)
    for person in people:
        check_name(person.name)
    return people


def people_of_csv(path: Path) -> list[Person]:
    """Read a CSV with a header: `name,image[,…]`; further columns are metadata of the identity.

    A relative path of an image counts from the CSV's folder. Rows of one name belong together,
    wherever they stand; their metadata must be the same, and an empty cell says nothing.

    Raises:
        InputError: it is no such CSV.
    """
    from faceport.gallery.enrolment import Person

    pictures: dict[str, list[Path]] = {}
    metadata: dict[str, dict[str, str]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="", strict=True)
            _check_header(path, reader.fieldnames)
            for row in reader:
                name, image = row.pop("name"), row.pop("image")
                if not name or not image or "" in row:
                    raise _malformed(path, reader.line_num, "a row without name or image, or long")
                pictures.setdefault(name, []).append(path.parent / image)
                own = metadata.setdefault(name, {})
                for key, value in row.items():
                    if value and own.setdefault(key, value) != value:
                        what = f"{key} {value!r} of {name}, {own[key]!r} before"
                        raise _malformed(path, reader.line_num, what)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} can't be read as a CSV: {error}", expected="UTF-8") from error
    if not pictures:
        raise InputError(f"{path} has no rows", expected="name,image")
    return [Person(name, tuple(own), metadata[name]) for name, own in pictures.items()]


def _people_of_folder(folder: Path) -> list[Person]:
    from faceport.gallery.enrolment import Person

    folders = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    if not folders:
        raise InputError(
            f"{folder} has no identities",
            expected="one folder a person, with that person's pictures in it",
            fix="or give --name to enroll the folder itself as one identity",
        )
    return [Person(path.name, tuple(_pictures_or_none(path))) for path in folders]


def _pictures_or_none(folder: Path) -> list[Path]:
    try:
        return pictures_in(folder)
    except InputError as error:
        warn(f"left out {error}")
        return []


def _check_header(path: Path, names: object) -> None:
    found = list(names) if isinstance(names, list) else []
    if not set(COLUMNS) <= set(found) or len(set(found)) != len(found) or "" in found:
        raise InputError(
            f"{path} is no list to enroll from",
            received=",".join(found)[:80],
            expected="a header with name,image and any others, each once",
        )


def _malformed(path: Path, line: int, received: str) -> InputError:
    return InputError(
        f"{path}, line {line}",
        received=received,
        expected="name,image and the identity's metadata",
        fix="mend the row; nothing was enrolled",
    )
