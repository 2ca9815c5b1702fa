from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import faceport
from faceport.bundle import Bundle
from faceport.errors import ExportError
from faceport.exporters import Exportable, ExportOptions
from faceport.exporters import torchscript as exporter
from faceport.runtime.sessions import open_session

pytestmark = pytest.mark.xdist_group("exports")


@pytest.mark.parametrize("batch", [1, 2, 5, 8])
def test_any_batch_runs(tiny_bundle: Bundle, tiny_model: Exportable, batch: int) -> None:
    inputs = np.random.default_rng(batch).normal(size=(batch, 3, 32, 24)).astype(np.float32)
    session = open_session(tiny_bundle.path / "model.torchscript", "torchscript")
    outputs = session.run({"input": inputs})
    with torch.inference_mode():
        wanted = tiny_model.module(torch.from_numpy(inputs))
    for name, value in zip(("embedding", "norm"), wanted, strict=True):
        np.testing.assert_allclose(outputs[name], value.numpy(), rtol=1e-5, atol=1e-6)


def test_the_spec_travels_inside(tiny_bundle: Bundle) -> None:
    session = open_session(tiny_bundle.path / "model.torchscript", "torchscript")
    assert session.spec == tiny_bundle.spec


def test_it_is_frozen_and_batch_norms_are_folded(tiny_bundle: Bundle) -> None:
    with zipfile.ZipFile(tiny_bundle.path / "model.torchscript") as archive:
        code = b"".join(archive.read(n) for n in archive.namelist() if n.endswith(".py")).decode()
    assert "batch_norm" not in code
    assert code.count("torch._convolution") == 3
    assert "running_mean" not in code


def test_no_path_of_the_exporting_machine_is_in_the_file(tiny_bundle: Bundle) -> None:
    with zipfile.ZipFile(tiny_bundle.path / "model.torchscript") as archive:
        data = b"".join(archive.read(name) for name in archive.namelist())
    for package in (faceport, torch):
        assert str(Path(package.__file__ or "").parent).encode() not in data


class Counting(torch.nn.Module):
    """Reads its batch size in Python, where tracing can't see it."""

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        count = int(pixels.shape[0])
        flat = pixels.flatten(1)[:count, :17]
        return flat[:, :16].new_ones(count, 16), flat[:, 16:]


def test_a_batch_size_that_became_a_constant_is_refused(
    tiny_model: Exportable, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=r"batch size a constant.*\(2, 16\).*expected 3 rows"):
        exporter.export(Counting(), tiny_model.spec, tmp_path, ExportOptions())
    assert list(tmp_path.iterdir()) == []


class Failing(torch.nn.Module):
    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (pixels.reshape(7, 7),)


def test_what_torch_cannot_trace_is_an_export_error(tiny_model: Exportable, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="could not trace tiny_16 to TorchScript: RuntimeError"):
        exporter.export(Failing(), tiny_model.spec, tmp_path, ExportOptions())
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_printed(
    tiny_model: Exportable, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    exporter.export(tiny_model.module, tiny_model.spec, tmp_path, ExportOptions())
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["model.torchscript"]
