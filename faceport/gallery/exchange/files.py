"""Which of the two formats a path means."""

from __future__ import annotations

from pathlib import Path

from faceport.gallery.exchange.content import Content, check_content
from faceport.gallery.exchange.npz import read_npz, write_npz
from faceport.gallery.exchange.parquet import read_parquet, write_parquet

PARQUET_SUFFIX = ".parquet"


def write_content(content: Content, target: Path) -> None:
    """Write a content: `NAME.parquet` is one Parquet file, any other name a folder (NPZ + JSON).

    What is there is replaced, in one step, if it is such an export, and refused if it is not.

    Raises:
        GalleryError: the target is something else, or could not be written.
        MissingDependencyError: Parquet without pyarrow.
    """
    if target.suffix.lower() == PARQUET_SUFFIX:
        write_parquet(content, target)
    else:
        write_npz(content, target)


def read_content(source: Path) -> Content:
    """Read and check a content.

    Raises:
        GalleryError: it is no export, of another version, or damaged.
        MissingDependencyError: Parquet without pyarrow.
    """
    content = read_npz(source) if source.is_dir() else read_parquet(source)
    check_content(content, str(source))
    return content
