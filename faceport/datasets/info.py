"""`_dataset.json`: what a data set of faces is, and whether a run may go on with it.

{"format": "faceport-faces", "version": 1, "fingerprint": "…", "dim": 512, "is_stub": false,
 "settings": {…}, "source": ["photos"], "pictures": 5000, "shards": 5, "shard_size": 1000,
 "digest": "…"}
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceport.atomic import atomic_file
from faceport.codec import decode, encode
from faceport.errors import DatasetError, InputError, SpecError

INFO = "_dataset.json"
PLAN = "_plan.parquet"
FORMAT = "faceport-faces"
VERSION = 1


@dataclass(frozen=True)
class DatasetInfo:
    """What decides about a data set's rows.

    Attributes:
        fingerprint: of the embedder.
        dim: length of the vectors.
        is_stub: made without a model.
        settings: canonical JSON of what else decides about the rows (detector, limits, flip, …).
        source: as it was given; told, not compared: a source may have moved.
        pictures: of the source.
        shards: of the data set, one file each.
        shard_size: pictures a shard.
        digest: of the plan.
    """

    fingerprint: str
    dim: int
    is_stub: bool
    settings: str
    source: tuple[str, ...]
    pictures: int = 0
    shards: int = 0
    shard_size: int = 0
    digest: str = ""


def part_path(folder: Path, number: int) -> Path:
    """Return the file of a shard."""
    return folder / f"part-{number:06}.parquet"


def missing_shards(folder: Path, info: DatasetInfo) -> list[int]:
    """Return the numbers of the shards that are not done."""
    return [n for n in range(info.shards) if not part_path(folder, n).exists()]


def check_not_of(folder: Path, target: Path) -> None:
    """Refuse to write over a file that a data set consists of.

    Raises:
        InputError: the target is one.
    """
    names = (INFO, PLAN)
    place = target.resolve()
    if place.parent == folder.resolve() and (place.name in names or place.name.startswith("part-")):
        raise InputError(
            f"{target} is a part of the data set, and would be lost",
            fix="choose another --output",
        )


def write_info(folder: Path, info: DatasetInfo) -> None:
    """Write `_dataset.json`.

    Raises:
        DatasetError: it can't be written.
    """
    head = {"format": FORMAT, "version": VERSION}
    values = {**head, **encode(info), "settings": json.loads(info.settings)}
    with atomic_file(folder / INFO, DatasetError) as partial:
        partial.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")


def read_info(folder: Path) -> DatasetInfo:
    """Read `_dataset.json`.

    Raises:
        DatasetError: it is missing, malformed, or of a newer version.
    """
    path = folder / INFO
    try:
        values: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(
            f"{folder} is no data set of faces", fix="make one with `faceport embed-dataset`"
        ) from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} can't be read: {error}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise DatasetError(f"{path} is malformed", expected=f'"format": "{FORMAT}"')
    if values.get("version") != VERSION:
        raise DatasetError(
            f"{path} has another version", received=values.get("version"), expected=VERSION
        )
    kept = {k: v for k, v in values.items() if k not in ("format", "version")}
    try:
        return decode(DatasetInfo, {**kept, "settings": canonical(kept.get("settings"))})
    except SpecError as error:
        raise DatasetError(f"{path} is malformed: {error}") from error


def canonical(settings: Any) -> str:
    """Return settings as text that is the same for equal settings."""
    return json.dumps(settings, sort_keys=True, ensure_ascii=False)


def check_same(folder: Path, there: DatasetInfo, wanted: DatasetInfo) -> None:
    """Refuse to go on with a data set of other vectors or other pictures.

    Raises:
        DatasetError: something that decides about the rows differs.
    """
    old, new = _facts(there), _facts(wanted)
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if names:
        raise DatasetError(
            f"{folder} was made with other settings, or its source has changed",
            received=", ".join(f"{name}={new.get(name)}" for name in names),
            expected=", ".join(f"{name}={old.get(name)}" for name in names),
            fix="give what it was made with, or another --output",
        )


def _facts(info: DatasetInfo) -> dict[str, Any]:
    values = dataclasses.asdict(info)
    del values["source"]
    settings: dict[str, Any] = json.loads(values.pop("settings"))
    return {**values, **settings}
