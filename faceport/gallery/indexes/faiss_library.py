"""faiss, imported where an index needs it."""

from __future__ import annotations

from typing import Any

from faceport.errors import MissingDependencyError


def import_faiss() -> Any:
    """Import faiss.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingDependencyError("faiss-cpu", "search") from error
    return faiss
