"""pyarrow, which is imported here only, and only when it is needed."""

from __future__ import annotations

from typing import Any

from faceport.errors import MissingDependencyError


def import_arrow() -> Any:
    """Return the module `pyarrow`.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise MissingDependencyError("pyarrow", "datasets") from error
    return pyarrow


def import_parquet() -> Any:
    """Return the module `pyarrow.parquet`.

    Raises:
        MissingDependencyError: it is not installed.
    """
    import_arrow()
    import pyarrow.parquet

    return pyarrow.parquet
