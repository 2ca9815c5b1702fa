"""Every kind of source is listed in one order, and what is wrong with it is said."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from faceport.datasets.items import items_of, text_of
from faceport.datasets.pictures import pictures as read
from faceport.errors import InputError


def names(*sources: object) -> list[str]:
    return [item.name for item in items_of([str(source) for source in sources])]


def test_a_folder_is_listed_at_any_depth_and_always_the_same(
    archive: Path, pictures: list[Path]
) -> None:
    assert names(archive) == [str(path) for path in pictures]
    assert names(f"{archive}/") == names(archive)


def test_a_link_to_a_folder_above_does_not_go_round(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert names(tmp_path) == [f"{tmp_path}/a.jpg"]


def test_a_list_is_read_from_its_own_folder(archive: Path, tmp_path: Path, tar: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(b"x")
    (folder / "list.txt").write_text(f"one.jpg\n\nmissing.jpg\r\n{archive / 'a'}\n{tar}\n")
    items = list(items_of([str(folder / "list.txt")]))
    assert [(item.name, item.size) for item in items[:2]] == [("one.jpg", 1), ("missing.jpg", -1)]
    assert items[2].name.startswith(str(archive / "a"))
    assert items[-1].kind == "tar"


def test_a_pattern_stands_for_its_files_in_order(tmp_path: Path, tar: Path) -> None:
    for name in ("2.tar", "10.tar"):
        (tmp_path / name).symlink_to(tar)
    listed = names(tmp_path / "*.tar")
    assert [name.split("#")[0] for name in listed[:: len(listed) // 2]] == [
        f"{tmp_path}/10.tar",
        f"{tmp_path}/2.tar",
    ]


@pytest.mark.parametrize("kind", ["folder", "tar", "parquet"])
def test_what_is_read_is_what_is_in_the_files(
    kind: str, archive: Path, pictures: list[Path], tar: Path, parquet: Path
) -> None:
    source = {"folder": archive, "tar": tar, "parquet": parquet}[kind]
    items = list(items_of([str(source)]))
    expected = [path.read_bytes() for path in pictures]
    if kind == "parquet":
        gone = items.pop(3)
        (blob,) = read([gone])
        with pytest.raises(OSError, match="the row is empty"):
            blob.read()  # type: ignore[union-attr]
        assert gone.name == f"{parquet}#3"
    found = [s.read_bytes() if isinstance(s, Path) else s.read() for s in read(items)]  # type: ignore[union-attr]
    assert found == expected
    # From the middle on, over the row groups' borders, and rows that do not follow each other.
    some = [*items[4:9], *items[1:3], items[1]]
    chosen = [s.read_bytes() if isinstance(s, Path) else s.read() for s in read(some)]  # type: ignore[union-attr]
    assert chosen == [expected[n] for n in (4, 5, 6, 7, 8, 1, 2, 1)]


def test_what_was_cut_off_since_is_an_error_of_its_pictures_only(tar: Path, tmp_path: Path) -> None:
    copy = tmp_path / "cut.tar"
    copy.write_bytes(tar.read_bytes())
    items = list(items_of([str(copy)]))
    os.truncate(copy, items[1].start + 10)
    first, second, *_ = read(items)
    assert len(first.read()) == items[0].size  # type: ignore[union-attr]
    with pytest.raises(OSError, match=f"10 of {items[1].size} bytes"):
        second.read()  # type: ignore[union-attr]


def test_a_source_that_cannot_be_listed_is_refused(tar: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    cut, packed = tmp_path / "cut.tar", tmp_path / "packed.tar"
    cut.write_bytes(tar.read_bytes()[:5000])
    with tarfile.open(packed, "w:gz") as file:
        file.add(tar, "x.jpg")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    pq.write_table(pa.table({"label": [1]}), tmp_path / "none.parquet")
    (tmp_path / "x.bin").write_bytes(b"")
    for source, message in {
        cut: "in the middle of a file",
        packed: "uncompressed",
        tmp_path / "bad.parquet": "not a readable Parquet file",
        tmp_path / "none.parquet": "has 0 columns of bytes",
        tmp_path / "x.bin": "no known kind",
        tmp_path / "*.nothing": "is not there",
    }.items():
        with pytest.raises(InputError, match=message):
            names(source)


def test_a_name_that_is_not_utf_8_can_be_written(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))
    path.write_bytes(b"x")
    assert names(tmp_path) == [f"{tmp_path}/\\xff.jpg"]
    assert text_of("é") == "é"
