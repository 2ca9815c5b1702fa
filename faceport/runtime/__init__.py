"""The runtime: detect, align, embed. Importing it loads numpy and nothing heavier."""

from __future__ import annotations
