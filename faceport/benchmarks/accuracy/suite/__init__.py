"""Suites: bundles × detectors × sets × settings out of one YAML file, resumable."""

from __future__ import annotations
