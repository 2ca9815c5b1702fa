"""Accuracy of embedders: verification and identification protocols."""

from __future__ import annotations
