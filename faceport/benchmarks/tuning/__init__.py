"""The fastest way to run a bundle on this device at an accuracy that the user names."""

from __future__ import annotations
