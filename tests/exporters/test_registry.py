from __future__ import annotations

import inspect
import sys

import pytest

from faceport.errors import InputError, MissingDependencyError
from faceport.exporters.base import Exporter
from faceport.exporters.registry import EXPORTERS, exporter_of
from faceport.exporters.versions import versions_of
from faceport.runtime.sessions import FORMAT_BACKENDS


@pytest.mark.parametrize("format", sorted(EXPORTERS))
def test_every_format_has_an_exporter_and_a_backend_that_runs_it(format: str) -> None:
    wanted = list(inspect.signature(Exporter.__call__).parameters)[1:4]
    assert list(inspect.signature(exporter_of(format)).parameters)[:3] == wanted
    assert format in FORMAT_BACKENDS


def test_an_unknown_format_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"tflite.*onnx, torchscript, pt2"):
        exporter_of("tflite")


def test_versions_are_those_of_the_installed_packages() -> None:
    import onnx
    import torch

    wanted = {"torch": torch.__version__, "onnx": onnx.__version__}
    assert versions_of("torch", "onnx") == wanted


@pytest.mark.parametrize(("package", "extra"), [("onnxslim", "export"), ("onnxruntime", "cpu")])
def test_a_package_that_is_not_installed_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"{package}.*faceport\[{extra}\]"):
        versions_of("torch", package)
