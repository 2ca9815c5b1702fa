"""Folders for results."""

from __future__ import annotations

from pathlib import Path

from faceport.errors import InputError


def made_folder(folder: Path) -> Path:
    """Make a folder, and those above it, unless it is there.

    Raises:
        InputError: it can't be made, or a file has its name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} could not be made: {error.strerror or error}",
            fix="give another folder for the results",
        ) from error
    return folder
