"""YAML as plain data."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceport.benchmarks.accuracy.suite.yaml_file import load_yaml
from faceport.errors import InputError


def load(folder: Path, text: str) -> object:
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    return load_yaml(folder / "a.yaml")


def test_data_comes_back_with_aliases(tmp_path: Path) -> None:
    text = "a: &x {b: [1, two, null]}\nc: *x\nd: [*x, {b: 1}]"
    inner = {"b": [1, "two", None]}
    assert load(tmp_path, text) == {"a": inner, "c": inner, "d": [inner, {"b": 1}]}
    assert load(tmp_path, "") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "key 'a' twice; received lines 1 and 3"),
        ("x:\n  - {b: 1}\n  - {b: 1, b: 2}", "key 'b' twice; received lines 3 and 3"),
        ("a: !!python/name:os.system", "is no YAML"),
        ("a: [", "is no YAML"),
        ("\ud83d", "could not be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=message):
        load_yaml(tmp_path / "a.yaml")


BOMB = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 10))


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [*x]",
        f"x0: &x0 lol\n{BOMB}",
        # As a key, and as what a message would show.
        f"x0: &x0 lol\n{BOMB}? *x9\n: 1",
        f"x0: &x0 lol\n{BOMB}sets: [{{name: *x9, pairs: 3}}]",
    ],
)
def test_aliases_that_stand_for_gigabytes_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="too large with its aliases written out"):
        load(tmp_path, text)
