from __future__ import annotations

from pathlib import Path

import pytest

from faceport.benchmarks.accuracy.lists.pairs_csv import read_pairs_csv
from faceport.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ann 1.jpg", "ann, 2.jpg", "ben.jpg"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_pairs_with_folds_quotes_and_a_byte_order_mark(folder: Path) -> None:
    text = '﻿A,b,same,fold,note\nann 1.jpg,"ann, 2.jpg",1,3,x\n\nben.jpg,ann 1.jpg,False,0,\n'
    pairs = read_pairs_csv(write(folder, text))
    assert [picture.name for picture in pairs.pictures] == ["ann 1.jpg", "ann, 2.jpg", "ben.jpg"]
    assert [picture.source for picture in pairs.pictures] == [
        str(folder / picture.name) for picture in pairs.pictures
    ]
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([0, 2], [1, 0])
    assert pairs.same.tolist() == [True, False]
    assert pairs.folds.tolist() == [3, 0]


def test_columns_in_any_order_paths_from_a_root_and_no_folds(folder: Path) -> None:
    (folder / "lists").mkdir()
    path = write(folder / "lists", "same,b,a\nTRUE,ben.jpg,ann 1.jpg\n0,ann 1.jpg,ben.jpg\n")
    pairs = read_pairs_csv(path, folder, aligned=True)
    assert [picture.name for picture in pairs.pictures] == ["ann 1.jpg", "ben.jpg"]
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([0, 1], [1, 0])
    assert pairs.folds.tolist() == [0, 0]
    assert pairs.pictures[0].aligned


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 does not name the columns"),
        ("x,y\n", "line 1 does not name the columns"),
        ("ann 1.jpg,ben.jpg,0\n", "line 1 does not name the columns"),
        ("a,b,same,a\n", "line 1 does not name the columns"),
        ("a,b,same\n", "has no pairs"),
        ("a,b,same\nben.jpg,ben.jpg\n", "line 2 is incomplete; received 2 values"),
        ("a,b,same\n\nben.jpg,ben.jpg,maybe\n", "line 3 does not say .* received 'maybe'"),
        ("a,b,same\nben.jpg,,1\n", "line 2 names no picture"),
        ("a,b,same,fold\nben.jpg,ben.jpg,1,-1\n", "line 2 has no fold; received '-1'"),
        ('a,b,same\nben.jpg,"ben.jpg,1\n', "line 2 is no CSV"),
        ("a,b,same\nben.jpg,ben.jpg,1\ncarl.jpg,x/dan.jpg,0\n", "2 pictures .* line 3: carl.jpg"),
    ],
)
def test_malformed_lists_name_the_line(folder: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pairs_csv(write(folder, text))
