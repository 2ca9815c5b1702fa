"""Finished rounds on disk, one file a case, so that a stopped measurement goes on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from faceport.atomic import atomic_file
from faceport.benchmarks.latency.cases import Case
from faceport.benchmarks.latency.results import Round, Settings
from faceport.benchmarks.machine.environment import Machine
from faceport.bundle import MANIFEST
from faceport.codec import decode, encode
from faceport.errors import InputError, SpecError

CASES = "cases"


@dataclass(frozen=True)
class Kept:
    """The rounds of a case that are finished, measured under the conditions of the stamp."""

    stamp: str
    case: Case
    rounds: tuple[Round, ...] = ()


def stamp_of(settings: Settings, machine: Machine, inputs_sha256: str) -> str:
    """Return a hash of all that must be the same for two rounds to be put together.

    The number of rounds, their order and the patience with them may differ.
    """
    same = replace(settings, rounds=1, seed=0, timeout=settings.longest)
    basis = {"settings": encode(same), "machine": encode(machine), "inputs": inputs_sha256}
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()


def read_kept(folder: Path, case: Case, stamp: str) -> tuple[Kept, bool]:
    """Return what is there of a case, and whether there was something of no use.

    Rounds of another stamp, and files that can't be read, count as none.
    """
    fresh = Kept(stamp, case)
    try:
        data = json.loads(_path(folder, case).read_text(encoding="utf-8"))
        kept = decode(Kept, data)
    except FileNotFoundError:
        return fresh, False
    except (OSError, ValueError, SpecError, RecursionError):
        return fresh, True
    if kept.stamp != stamp:
        return fresh, True
    return replace(kept, case=case), False


def write_kept(folder: Path, kept: Kept) -> None:
    """Put a case's rounds on disk, whole or not at all.

    Raises:
        InputError: the folder can't be written.
    """
    with atomic_file(_path(folder, kept.case), InputError) as partial:
        partial.write_text(json.dumps(encode(kept), allow_nan=False) + "\n", encoding="utf-8")


def make_folder(folder: Path) -> None:
    """Make a folder for results.

    Raises:
        InputError: it can't be made, something else has its name, or it is a bundle.
    """
    if (folder / MANIFEST).exists():
        raise InputError(f"{folder} is a bundle", fix="choose another --output for the results")
    try:
        (folder / CASES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} can't be made: {error.strerror or error}",
            expected="a folder that can be written, or a new name",
            fix="choose another --output",
        ) from error


def _path(folder: Path, case: Case) -> Path:
    return folder / CASES / f"{case.key}.json"
