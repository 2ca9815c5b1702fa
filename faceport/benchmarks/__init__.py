"""Measurements of the runtime. `python -m faceport.benchmarks` prints those of a release."""

from __future__ import annotations
