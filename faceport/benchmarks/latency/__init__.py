"""Latency of artefacts across sessions, each case in a process of its own."""

from __future__ import annotations
