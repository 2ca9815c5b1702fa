"""Verification and identification figures, from vectors and labels; they know no models."""

from __future__ import annotations
