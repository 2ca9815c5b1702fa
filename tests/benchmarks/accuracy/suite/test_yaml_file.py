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


def test_an_alias_of_itself_does_not_hang(tmp_path: Path) -> None:
    data = load(tmp_path, "a: &x [*x]")
    assert isinstance(data, dict)
