"""Lists of pairs and of identities, read from the formats that face benchmarks come in."""

from __future__ import annotations

from pathlib import Path

from faceport.benchmarks.accuracy.lists.folder import read_folder
from faceport.benchmarks.accuracy.lists.insightface_bin import read_insightface_bin
from faceport.benchmarks.accuracy.lists.lfw import read_lfw_pairs
from faceport.benchmarks.accuracy.lists.pair_sampling import pairs_of
from faceport.benchmarks.accuracy.lists.pairs_csv import read_pairs_csv
from faceport.benchmarks.accuracy.types import IdentitySet, PairSet
from faceport.errors import InputError

__all__ = ["open_list", "pairs_of"]


def open_list(
    path: str | Path, *, root: str | Path | None = None, aligned: bool = False
) -> PairSet | IdentitySet:
    """Read the list at `path`, of the kind that its name says.

    Args:
        path: a folder of identities; `NAME.bin` of InsightFace; `NAME.csv` with `a,b,same`;
            `NAME.txt` in the form of LFW's `pairs.txt`.
        root: folder of the pictures. LFW's list needs it unless it lies in that folder; a CSV's
            paths start there instead of at the CSV's own folder; the others have no use for it.
        aligned: whether the pictures are crops of the model's size, with no detection to be done.
            Those of a `.bin` always are.

    Raises:
        InputError: the path is none of these, or its content is malformed; lists name the line.
    """
    place, pictures = Path(path), None if root is None else Path(root)
    if place.is_dir():
        return read_folder(place, aligned=aligned)
    suffix = place.suffix.lower()
    if suffix == ".bin":
        return read_insightface_bin(place)
    if suffix == ".csv":
        return read_pairs_csv(place, pictures, aligned=aligned)
    if suffix == ".txt":
        return read_lfw_pairs(place, pictures, aligned=aligned)
    raise InputError(
        f"{place} is no list of pairs or identities",
        received="nothing there" if not place.exists() else f"a file {suffix or 'with no suffix'}",
        expected="a folder of NAME/*.jpg, or a .bin, .csv or .txt (LFW's pairs.txt)",
    )
