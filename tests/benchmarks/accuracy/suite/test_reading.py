"""A suite's file: what it means, and what is wrong with it, key by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceport.benchmarks.accuracy.suite.reading import Run, read_suite
from faceport.errors import InputError

WHOLE = """
bundles: [mbf.bundle, sub/other.bundle]
detectors: [det.bundle, stub]
sets:
  - {name: lfw, pairs: lfw/pairs.txt, root: lfw}
  - {identities: people}
  - {pairs: agedb_30.bin}
settings:
  - {name: plain}
  - {flip: true, precisions: [fp32, int8], score_threshold: 1}
"""


def read(folder: Path, text: str) -> list[Run]:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return read_suite(path)


def test_every_set_meets_every_bundle_detector_and_settings(tmp_path: Path) -> None:
    runs = read(tmp_path, WHOLE)
    # Crops need no detector: two bundles, two settings.
    assert len(runs) == 2 * (2 * 2 * 2) + 2 * 2
    assert len(set(runs)) == len(runs)
    first, second = runs[:2]
    assert first.label == "mbf.bundle · lfw · det.bundle · plain"
    assert first.settings.listing == str(tmp_path / "lfw/pairs.txt")
    assert first.settings.root == str(tmp_path / "lfw")
    assert first.settings.detector == str(tmp_path / "det.bundle")
    assert second.variant == "flip True, precisions ['fp32', 'int8'], score_threshold 1"
    assert second.settings.precisions == ("fp32", "int8")
    assert second.settings.score_threshold == 1.0
    assert runs[2].settings.detector == "stub"
    assert [run.listing for run in runs][::4] == ["lfw", "lfw", "people", "people", "agedb_30"]
    assert runs[-1].settings.detector is None
    assert runs[-1].bundle == "other.bundle"


def test_settings_and_detectors_may_be_left_out(tmp_path: Path) -> None:
    (run,) = read(tmp_path, "bundles: [a]\nsets: [{identities: crops, aligned: true}]")
    assert run.label == "a · crops · plain"
    assert run.settings.aligned


def test_two_bundles_of_one_name_are_told_apart(tmp_path: Path) -> None:
    runs = read(tmp_path, "bundles: [v1/mbf, v2/mbf, other/x]\nsets: [{pairs: a.bin}]")
    assert [run.bundle for run in runs] == ["v1/mbf", "v2/mbf", "x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bundles: [", "is no YAML"),
        ("- a", "is no suite"),
        ("", "is no suite"),
        ("bundle: [a]", r"unknown key; received bundle; expected of bundles, detectors"),
        ("bundles: a\nsets: []", "bundles; received str 'a'; expected a list of paths"),
        ("bundles: []\nsets: [{pairs: a.bin}]", "lacks something to run"),
        ("bundles: [a]\nsets: [{pair: a.bin}]", r"sets\[0\] has an unknown key; received pair;"),
        ("bundles: [a]\nsets: [{name: x}]", r"sets\[0\]; received 0 lists"),
        ("bundles: [a]\nsets: [{pairs: a, identities: b}]", "received 2 lists"),
        ("bundles: [a]\nsets: [{pairs: 3}]", "expected texts"),
        ("bundles: [a]\nsets: [{pairs: a, aligned: 1}]", "expected texts"),
        (
            "bundles: [a]\nsets: [{pairs: a.bin}]\nsettings: [{flips: true}]",
            r"settings\[0\] has an unknown key; received flips; expected of name, precisions",
        ),
        (
            "bundles: [a]\nsets: [{pairs: a.bin}]\nsettings: [{seed: -1}]",
            r"suite.yaml: settings\[0\]: seed; received -1; expected 0 or more",
        ),
        (
            "bundles: [a]\nsets: [{pairs: a.bin}]\nsettings: [{flip: 1}]",
            r"settings\[0\].flip is malformed; received int '1'; expected bool",
        ),
        (
            "bundles: [a]\nsets: [{pairs: a.bin}]\nsettings: [{fuse: max}]",
            r"settings\[0\].fuse is not known; received str 'max'; expected one of mean, norm",
        ),
        ("bundles: [a]\nsets: [{pairs: !!python/object:os.system x}]", "is no YAML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="could not be read"):
        read_suite(tmp_path / "none.yaml")
