"""The same pictures in every kind of source."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def archive(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photographs in two folders, a damaged one, an empty one, and what is no picture."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("archive")
    (folder / "a").mkdir()
    (folder / "b é").mkdir()
    for number, path in enumerate(sorted((photos / "pairs").glob("*.jp*g"))[:6] * 2):
        place = folder / ("a" if number % 2 else "b é")
        shutil.copyfile(path, place / f"{number:02}{path.suffix}")
    (folder / "a" / "bad.jpg").write_bytes(b"\xff\xd8\xff no picture")
    Image.new("RGB", (200, 160), (90, 120, 90)).save(folder / "a" / "empty.png")
    (folder / "notes.md").write_text("not a picture")
    (folder / ".hidden.jpg").write_bytes(b"")
    return folder


@pytest.fixture(scope="session")
def pictures(archive: Path) -> list[Path]:
    """The archive's pictures, in the order of a data set."""
    found = [p for p in archive.rglob("*") if p.suffix in (".jpg", ".jpeg", ".png")]
    return sorted(p for p in found if not p.name.startswith("."))


@pytest.fixture(scope="session")
def tar(pictures: list[Path], archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive as WebDataset has it: a picture and its label beside it."""
    path = tmp_path_factory.mktemp("tar") / "shard-000.tar"
    label = archive / "notes.md"
    with tarfile.open(path, "w") as file:
        for number, picture in enumerate(pictures):
            file.add(picture, f"{number:04}{picture.suffix}")
            file.add(label, f"{number:04}.cls")
    return path


@pytest.fixture(scope="session")
def parquet(pictures: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive as Hugging Face's data sets have it, in row groups of five, and an empty row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path_factory.mktemp("parquet") / "train.parquet"
    images: list[dict[str, object]] = [
        {"bytes": picture.read_bytes(), "path": picture.name} for picture in pictures
    ]
    images.insert(3, {"bytes": None, "path": "gone.jpg"})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(images, kind), "label": list(range(len(images)))})
    pq.write_table(table, path, row_group_size=5)
    return path
