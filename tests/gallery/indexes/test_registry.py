"""Which index is made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from faceport.errors import InputError, MissingDependencyError
from faceport.gallery.indexes import registry
from faceport.gallery.indexes.base import SavedIndex
from faceport.gallery.indexes.bits import BitsIndex
from faceport.gallery.indexes.exact import ExactIndex
from faceport.gallery.indexes.hnsw import HnswIndex
from faceport.gallery.indexes.int8 import Int8Index
from faceport.gallery.indexes.registry import make_index


@pytest.mark.parametrize(
    ("kind", "rows", "made"),
    [
        ("exact", 10**6, ExactIndex),
        ("int8", 0, Int8Index),
        ("bits", 0, BitsIndex),
        ("hnsw", 0, HnswIndex),
        ("auto", 100, ExactIndex),
        ("auto", 10**6, Int8Index),
    ],
)
def test_each_kind_is_made(kind: str, rows: int, made: type) -> None:
    assert isinstance(make_index(kind, rows), made)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="auto, exact, int8, bits, hnsw"):
        make_index("ivf")


def test_only_the_graph_is_kept_in_files() -> None:
    assert [k for k, make in registry.INDEXES.items() if isinstance(make(), SavedIndex)] == ["hnsw"]


@pytest.mark.parametrize(
    ("kind", "package"), [("int8", "numkong"), ("bits", "faiss"), ("hnsw", "faiss")]
)
def test_a_missing_library_names_its_extra(
    kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=r"faceport\[search\]"):
        make_index(kind)


def test_auto_needs_no_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(make_index("auto", 10**6), ExactIndex)
