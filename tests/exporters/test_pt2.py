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
from faceport.exporters import pt2 as exporter
from faceport.runtime.sessions import open_session

pytestmark = pytest.mark.xdist_group("exports")


@pytest.mark.parametrize("batch", [1, 2, 5, 8])
def test_any_batch_runs(tiny_bundle: Bundle, tiny_model: Exportable, batch: int) -> None:
    inputs = np.random.default_rng(batch).normal(size=(batch, 3, 32, 24)).astype(np.float32)
    session = open_session(tiny_bundle.path / "model.pt2", "pt2")
    outputs = session.run({"input": inputs})
    with torch.inference_mode():
        wanted = tiny_model.module(torch.from_numpy(inputs))
    for name, value in zip(("embedding", "norm"), wanted, strict=True):
        np.testing.assert_allclose(outputs[name], value.numpy(), rtol=1e-5, atol=1e-6)


def test_the_spec_travels_inside(tiny_bundle: Bundle) -> None:
    assert open_session(tiny_bundle.path / "model.pt2", "pt2").spec == tiny_bundle.spec


def test_no_path_of_the_exporting_machine_is_in_the_file(tiny_bundle: Bundle) -> None:
    with zipfile.ZipFile(tiny_bundle.path / "model.pt2") as archive:
        data = b"".join(archive.read(name) for name in archive.namelist())
    for package in (faceport, torch):
        assert str(Path(package.__file__ or "").parent).encode() not in data


class Deciding(torch.nn.Module):
    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (pixels.flatten(1) * (2 if pixels.sum() > 0 else 1),)


def test_what_torch_cannot_export_is_an_export_error(
    tiny_model: Exportable, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExportError, match="could not export tiny_16") as caught:
        exporter.export(Deciding(), tiny_model.spec, tmp_path, ExportOptions())
    assert caught.value.__cause__ is not None
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
