"""Ultralytics' package, imported for `--family yolo-face` and for nothing else.

It is AGPL-3.0 and an extra of its own (ADR 50). Its import replaces functions of PIL, OpenCV and
torch in the whole process, sets environment variables and print options, and stops unless
torchvision is installed, of which it needs the version number only. What it changes is put back.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from types import ModuleType
from typing import Any

from faceport.errors import MissingDependencyError

EXTRA = "yolo"
NETWORKS = "ultralytics.nn.tasks"

QUIETLY = {"YOLO_VERBOSE": "false", "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
"""So that the import prints nothing, asks no server, and installs no packages by itself."""

REPLACED = (
    ("PIL.Image", ("open",)),
    ("cv2", ("imread", "imwrite", "imshow")),
    ("torch", ("save", "load")),
)
"""Functions that the import puts its own in place of."""


def import_ultralytics() -> ModuleType:
    """Import the networks that an Ultralytics checkpoint is made of.

    Raises:
        MissingDependencyError: the package, or one that it needs, is not installed or fails.
    """
    if NETWORKS in sys.modules:
        return sys.modules[NETWORKS]
    try:
        with _put_back(), _quiet_environment(), _torchvision_version():
            return importlib.import_module(NETWORKS)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(error.name or "ultralytics", EXTRA) from error
    # A package that is there but does not fit the others fails in any way.
    except Exception as error:
        problem = f"is installed but does not import ({type(error).__name__}: {error})"
        raise MissingDependencyError("ultralytics", EXTRA, problem=problem) from error


@contextlib.contextmanager
def _put_back() -> Iterator[None]:
    import cv2
    import numpy as np

    kept = [
        (module, name, getattr(module, name))
        for module_name, names in REPLACED
        for module in [importlib.import_module(module_name)]
        for name in names
    ]
    threads, printing, warned = cv2.getNumThreads(), np.get_printoptions(), _torch_printing()
    try:
        yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)
        cv2.setNumThreads(threads)
        np.set_printoptions(**printing)
        warned()


def _torch_printing() -> Callable[[], None]:
    """Return what puts torch's print options back; torch has no public way to read them."""
    import torch

    options: Any = torch._tensor_str.PRINT_OPTS
    before = dict(vars(options))
    return lambda: vars(options).update(before)


@contextlib.contextmanager
def _quiet_environment() -> Iterator[None]:
    """Set what the import reads, with its settings file in a folder that goes away after it."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="faceport-") as folder:
        for name, value in {**QUIETLY, "YOLO_CONFIG_DIR": folder}.items():
            os.environ.setdefault(name, value)
        try:
            yield
        finally:
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
            os.environ.update(before)


class _Torchvision(metadata.Distribution):
    """Says the version of a torchvision that is not there: nothing of it is used."""

    def read_text(self, filename: str) -> str | None:
        """Return the metadata."""
        text = "Metadata-Version: 2.1\nName: torchvision\nVersion: 0.0.0\n"
        return text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        """Raise: there are no files."""
        raise FileNotFoundError(path)


class _TorchvisionFinder(metadata.DistributionFinder):
    """Finds the above, after all real packages."""

    def find_distributions(
        self, context: metadata.DistributionFinder.Context | None = None
    ) -> Iterator[metadata.Distribution]:
        """Yield it for its own name."""
        if context is not None and context.name == "torchvision":
            yield _Torchvision()

    def find_spec(self, *_: object) -> None:
        """Find no module."""


@contextlib.contextmanager
def _torchvision_version() -> Iterator[None]:
    finder = _TorchvisionFinder()
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
