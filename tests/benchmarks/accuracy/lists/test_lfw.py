from __future__ import annotations

from pathlib import Path

import pytest

from faceport.benchmarks.accuracy.lists.lfw import read_lfw_pairs
from faceport.errors import InputError

# Two folds of two pairs each, in the form of http://vis-www.cs.umass.edu/lfw/pairs.txt.
PAIRS = """2\t2
Abel_Pacheco\t1\t4
Akhmed_Zakayev\t1\t3
Abdel_Madi_Shabneh\t1\tDean_Barker\t1
Abel_Pacheco\t4\tAkhmed_Zakayev\t3
Amber_Tamblyn\t1\t2
Anders_Fogh_Rasmussen\t1\t3
Dean_Barker\t1\tAmber_Tamblyn\t2
Abel_Pacheco\t1\tAmber_Tamblyn\t1
"""
DEVELOPMENT = "2\n" + "".join(PAIRS.splitlines(keepends=True)[1:5])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    people = ("Abel_Pacheco", "Akhmed_Zakayev", "Amber_Tamblyn", "Anders_Fogh_Rasmussen")
    for person in (*people, "Abdel_Madi_Shabneh", "Dean_Barker"):
        (tmp_path / "lfw" / person).mkdir(parents=True)
        for i in range(1, 5):
            suffix = ".jpg" if person != "Amber_Tamblyn" else ".PNG"
            (tmp_path / "lfw" / person / f"{person}_{i:04d}{suffix}").touch()
    return tmp_path / "lfw"


def write(folder: Path, text: str) -> Path:
    path = folder / "pairs.txt"
    path.write_text(text)
    return path


def test_the_published_form(root: Path) -> None:
    pairs = read_lfw_pairs(write(root.parent, PAIRS), root)
    rows = [
        (pairs.pictures[i].name, pairs.pictures[j].name)
        for i, j in zip(pairs.left, pairs.right, strict=True)
    ]
    assert rows[0] == ("Abel_Pacheco/Abel_Pacheco_0001", "Abel_Pacheco/Abel_Pacheco_0004")
    assert rows[6] == ("Dean_Barker/Dean_Barker_0001", "Amber_Tamblyn/Amber_Tamblyn_0002")
    assert pairs.same.tolist() == [True, True, False, False] * 2
    assert pairs.folds.tolist() == [0] * 4 + [1] * 4
    assert len({picture.name for picture in pairs.pictures}) == len(pairs.pictures) == 10
    assert all(Path(str(picture.source)).is_file() for picture in pairs.pictures)
    assert pairs.labels is not None
    same_person = pairs.labels[pairs.left] == pairs.labels[pairs.right]
    assert same_person.tolist() == pairs.same.tolist()


def test_the_development_form_has_one_fold_and_lies_beside_its_pictures(root: Path) -> None:
    pairs = read_lfw_pairs(write(root, DEVELOPMENT), aligned=True)
    assert pairs.same.tolist() == [True, True, False, False]
    assert pairs.folds.tolist() == [0] * 4
    assert all(picture.aligned for picture in pairs.pictures)


def test_spaces_for_tabs_are_read(root: Path) -> None:
    spaced = read_lfw_pairs(write(root, PAIRS.replace("\t", " ")))
    tabbed = read_lfw_pairs(write(root, PAIRS))
    assert spaced.pictures == tabbed.pictures
    assert spaced.left.tolist() == tabbed.left.tolist()


def test_pictures_that_are_not_there_are_named(root: Path) -> None:
    (root / "Abel_Pacheco" / "Abel_Pacheco_0004.jpg").unlink()
    with pytest.raises(
        InputError, match=r"names 1 pictures .* line 2: Abel_Pacheco/Abel_Pacheco_0"
    ):
        read_lfw_pairs(write(root, PAIRS))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("pairs\n", "line 1 is no header"),
        ("0\t2\n", "line 1 has no pairs"),
        ("1\t2\t3\n", "line 1 is no header"),
        (PAIRS + "Abel_Pacheco\t1\t2\n", "more or fewer pairs .* received 9"),
        (PAIRS.replace("Amber_Tamblyn\t1\t2\n", ""), "more or fewer pairs .* received 7"),
        (PAIRS.replace("Abel_Pacheco\t1\t4", "Abel_Pacheco\t1"), "line 2 is no pair"),
        (PAIRS.replace("Abel_Pacheco\t1\t4", "Abel_Pacheco\t1\tx"), "line 2 is no pair"),
        (PAIRS.replace("Abel_Pacheco\t1\t4", "../Abel\t1\t4"), "line 2 is no pair"),
        (PAIRS.replace("Abel_Pacheco\t1\t4", "..\t1\t4"), "line 2 is no pair"),
        (
            PAIRS.replace("Abel_Pacheco\t1\t4", "Abel_Pacheco\t1\tDean_Barker\t4"),
            "line 2 is not of",
        ),
        (PAIRS.replace("Abdel_Madi_Shabneh\t1\tDean", "Dean_Barker\t1\tDean"), "line 4 is not of"),
    ],
)
def test_malformed_lists_name_the_line(root: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_lfw_pairs(write(root, text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"10\t300\n\xff\xfe")
    with pytest.raises(InputError, match=r"is not UTF-8; received byte 7"):
        read_lfw_pairs(path)
