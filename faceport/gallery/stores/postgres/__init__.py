"""A gallery in PostgreSQL with pgvector (extra `postgres`)."""

from __future__ import annotations

from faceport.gallery.stores.postgres.address import is_postgres, redacted
from faceport.gallery.stores.postgres.store import PostgresStore, open_store

__all__ = ["PostgresStore", "is_postgres", "open_store", "redacted"]
