"""Data sets of faces: millions of pictures to Parquet, in shards, and what is alike in them."""

from __future__ import annotations
