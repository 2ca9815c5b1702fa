"""Versions of the tools that make an artefact, for its manifest."""

from __future__ import annotations

import importlib

from faceport.errors import MissingDependencyError

EXTRAS = {"onnxruntime": "cpu"}
"""The extra that brings a package, where it is not `export`."""


def versions_of(*packages: str) -> dict[str, str]:
    """Return the versions of packages, by their import names.

    Asked of the package itself: one import name comes in several distributions (onnxruntime,
    onnxruntime-gpu).

    Raises:
        MissingDependencyError: one of them is not installed.
    """
    versions = {}
    for package in packages:
        try:
            versions[package] = str(importlib.import_module(package).__version__)
        except ImportError as error:
            raise MissingDependencyError(package, EXTRAS.get(package, "export")) from error
    return versions
