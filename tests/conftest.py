"""Fixtures that several test modules share: the real weights, photographs and golden outputs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; CI has it, so there its absence is a failure."""
    if not SHARED.is_dir():
        message = f"real data is not there: {SHARED.name}/ beside the checkout"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return SHARED


@pytest.fixture(scope="session")
def weights(shared: Path) -> Path:
    return shared / "assets" / "weights"


@pytest.fixture(scope="session")
def photos(shared: Path) -> Path:
    return shared / "assets" / "images"


@pytest.fixture(scope="session")
def reference(shared: Path) -> Path:
    return shared / "reference"
