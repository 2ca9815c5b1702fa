"""Versions of the tools that make an artefact, for its manifest."""

from __future__ import annotations

from importlib import metadata

from faceport.errors import MissingDependencyError


def versions_of(*packages: str) -> dict[str, str]:
    """Return the installed versions of packages of the `export` extra.

    Raises:
        MissingDependencyError: one of them is not installed.
    """
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError as error:
            raise MissingDependencyError(package, "export") from error
    return versions
