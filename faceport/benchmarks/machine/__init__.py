"""What a measurement ran on, and what that machine can do at most."""

from __future__ import annotations
