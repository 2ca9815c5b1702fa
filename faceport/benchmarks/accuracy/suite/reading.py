"""A suite's YAML file, checked key by key.

    bundles: [mbf.bundle, mbf128.bundle]
    detectors: [det.bundle]
    sets:
      - {name: lfw, pairs: lfw/pairs.txt, root: lfw}
      - {name: people, identities: people}
      - {name: agedb, pairs: agedb_30.bin}
    settings:
      - {name: plain}
      - {name: mirrored, flip: true, precisions: [fp32, int8]}

Paths start at the file's folder. Every set is run with every bundle, detector and settings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceport.benchmarks.accuracy.settings import Settings
from faceport.benchmarks.accuracy.suite.yaml_file import load_yaml
from faceport.codec import decode, kind
from faceport.errors import InputError, SpecError

KEYS = ("bundles", "detectors", "sets", "settings")
SET_KEYS = ("name", "pairs", "identities", "root", "aligned")
OF_THE_RUN = ("bundle", "listing", "detector", "root", "aligned")
"""Fields of `Settings` that a run takes from its bundle, detector and set."""

SETTING_KEYS = (
    "name",
    *(f.name for f in dataclasses.fields(Settings) if f.name not in OF_THE_RUN),
)


@dataclass(frozen=True)
class Run:
    """One evaluation of a suite.

    Attributes:
        bundle: its name, for tables; likewise the three below.
        detector: empty where the pictures are crops.
        listing: of the set.
        variant: of the settings.
        settings: of the evaluation.
    """

    bundle: str
    detector: str
    listing: str
    variant: str
    settings: Settings

    @property
    def label(self) -> str:
        """All that tells it from the suite's other runs."""
        return " · ".join(x for x in (self.bundle, self.listing, self.detector, self.variant) if x)


def read_suite(path: Path) -> list[Run]:
    """Read a suite and return its runs, each once, in the file's order.

    Sets of crops are run without a detector, once however many detectors there are.

    Raises:
        InputError: the file can't be read, is no YAML, or has a key or value that is not known.
        MissingDependencyError: PyYAML is not installed.
    """
    data = _load(path)
    _check_keys(data, KEYS, str(path))
    bundles = _texts(data, "bundles", path)
    detectors = _texts(data, "detectors", path) if data.get("detectors") is not None else []
    sets = _entries(data, "sets", SET_KEYS, path)
    variants = _entries(data, "settings", SETTING_KEYS, path) if data.get("settings") else [{}]
    if not bundles or not sets:
        raise InputError(
            f"{path} lacks something to run", expected="one bundle and one set, or more"
        )
    known = {**_short_names(bundles), **_short_names(detectors)}
    runs: dict[Settings, Run] = {}
    for number, entry in enumerate(sets):
        name, base = _set(entry, f"{path}: sets[{number}]", path.parent)
        crops = base["aligned"] or str(base["listing"]).lower().endswith(".bin")
        for bundle in bundles:
            for detector in [None] if crops or not detectors else detectors:
                for turn, variant in enumerate(variants):
                    where = f"{path}: settings[{turn}]"
                    found = None if detector is None else _path(path.parent, detector)
                    own = {**base, "bundle": _path(path.parent, bundle), "detector": found}
                    names = (known[bundle], "" if detector is None else known[detector], name)
                    run = _run(names, own, variant, where)
                    runs.setdefault(run.settings, run)
    return list(runs.values())


def _load(path: Path) -> Mapping[str, Any]:
    data = load_yaml(path)
    if not isinstance(data, Mapping):
        raise InputError(
            f"{path} is no suite", received=kind(data), expected=f"keys {', '.join(KEYS)}"
        )
    return data


def _check_keys(entry: Mapping[Any, Any], known: Sequence[str], where: str) -> None:
    unknown = [str(key) for key in entry if key not in known]
    if unknown:
        raise InputError(
            f"{where} has an unknown key", received=unknown[0], expected=f"of {', '.join(known)}"
        )


def _texts(data: Mapping[str, Any], key: str, path: Path) -> list[str]:
    values = data.get(key)
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise InputError(
            f"{path}: {key}", received=kind(values), expected="a list of paths, like [mbf.bundle]"
        )
    return values


def _entries(
    data: Mapping[str, Any], key: str, known: Sequence[str], path: Path
) -> list[Mapping[str, Any]]:
    values = data.get(key)
    if not isinstance(values, list) or not all(isinstance(v, Mapping) for v in values):
        raise InputError(
            f"{path}: {key}",
            received=kind(values),
            expected=f"a list of entries with keys of {', '.join(known)}",
        )
    for number, entry in enumerate(values):
        _check_keys(entry, known, f"{path}: {key}[{number}]")
    return values


def _set(entry: Mapping[str, Any], where: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """Return a set's name and its part of the settings."""
    listed = [entry[key] for key in ("pairs", "identities") if entry.get(key) is not None]
    if len(listed) != 1:
        raise InputError(
            where, received=f"{len(listed)} lists", expected="one of the keys pairs and identities"
        )
    aligned = entry.get("aligned", False)
    texts = [listed[0], *(entry[key] for key in ("name", "root") if entry.get(key) is not None)]
    if not all(isinstance(text, str) and text for text in texts) or not isinstance(aligned, bool):
        raise InputError(where, received=dict(entry), expected="texts, and aligned: true or false")
    root = entry.get("root")
    base = {
        "listing": _path(folder, listed[0]),
        "root": None if root is None else _path(folder, root),
        "aligned": aligned,
    }
    return entry.get("name") or Path(listed[0]).stem, base


def _run(
    names: tuple[str, str, str], own: Mapping[str, Any], variant: Mapping[str, Any], where: str
) -> Run:
    values = {key: value for key, value in variant.items() if key != "name"}
    try:
        settings = decode(Settings, {**own, **values}, where)
    except SpecError as error:
        raise InputError(error.subject, received=error.received, expected=error.expected) from error
    except InputError as error:
        raise InputError(
            f"{where}: {error.subject}", received=error.received, expected=error.expected
        ) from error
    described = ", ".join(f"{key} {value}" for key, value in values.items())
    return Run(*names, str(variant.get("name") or described or "plain"), settings)


def _short_names(texts: Sequence[str]) -> dict[str, str]:
    """Return the last part of each path, or the whole where two end alike."""
    ends = [Path(text).name for text in texts]
    return {t: end if ends.count(end) == 1 else t for t, end in zip(texts, ends, strict=True)}


def _path(folder: Path, text: str) -> str:
    """Return a path that starts at the suite's folder; `stub` is no path."""
    return text if text == "stub" else str(folder / text)
