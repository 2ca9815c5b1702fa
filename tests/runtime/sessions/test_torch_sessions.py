"""TorchScript and pt2 sessions on a small network of known arithmetic."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faceport.errors import InputError, ProviderUnavailableError, SessionError
from faceport.runtime.sessions import Session, SessionOptions, open_session
from faceport.spec import METADATA_KEY, ModelSpec, PreprocessSpec, Source, TensorSpec

PREPROCESS = PreprocessSpec(
    height=4, width=4, color_order="rgb", mean=(0.0,) * 3, std=(255.0,) * 3, geometry="crop"
)
SPEC = ModelSpec(
    task="embedder",
    family="test",
    arch="mean",
    preprocess=PREPROCESS,
    inputs=(TensorSpec("input", "float32", ("batch", 3, 4, 4)),),
    outputs=(
        TensorSpec("embedding", "float32", ("batch", 3)),
        TensorSpec("norm", "float32", ("batch", 1)),
    ),
    source=Source("none", "0" * 64),
    weights_sha256="0" * 64,
    embedding_dim=3,
    norm_output="norm",
)


class Mean(torch.nn.Module):
    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        means = pixels.mean(dim=(2, 3))
        return means, means.norm(dim=1, keepdim=True)


def write_torchscript(path: Path, spec: str | None) -> None:
    extra = {} if spec is None else {METADATA_KEY: spec}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(Mean().eval(), torch.zeros(2, 3, 4, 4))
        torch.jit.save(traced, str(path), _extra_files=extra)


def write_pt2(path: Path, spec: str | None) -> None:
    extra = {} if spec is None else {METADATA_KEY: spec}
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(
        Mean().eval(), (torch.zeros(2, 3, 4, 4),), dynamic_shapes=({0: batch},)
    )
    torch.export.save(program, str(path), extra_files=extra)


BACKENDS = {"torchscript": write_torchscript, "pt2": write_pt2}
Writer = Callable[[Path, "str | None"], None]


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def session(backend: str, tmp_path: Path) -> Session:
    path = tmp_path / f"model.{backend}"
    BACKENDS[backend](path, SPEC.to_json())
    return open_session(path, backend)


@pytest.mark.parametrize("batch", [1, 3])
def test_it_computes_what_the_module_computes(session: Session, backend: str, batch: int) -> None:
    pixels = np.random.default_rng(0).random((batch, 3, 4, 4), dtype=np.float32)
    outputs = session.run({"input": pixels})
    exact = pixels.astype(np.float64).mean(axis=(2, 3))
    assert outputs["embedding"] == pytest.approx(exact, abs=1e-6)
    assert outputs["norm"][:, 0] == pytest.approx(np.linalg.norm(exact, axis=1), abs=1e-6)
    assert (session.backend, session.provider, session.spec) == (backend, "cpu", SPEC)


def test_wrong_feeds_are_refused(session: Session) -> None:
    with pytest.raises(InputError, match="shape"):
        session.run({"input": np.zeros((1, 3, 4, 5), np.float32)})
    session.close()
    with pytest.raises(SessionError, match="closed"):
        session.run({"input": np.zeros((1, 3, 4, 4), np.float32)})


def test_a_file_without_a_spec_is_refused(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "bare"
    BACKENDS[backend](path, None)
    with pytest.raises(SessionError, match="carries no spec"):
        open_session(path, backend)


def test_outputs_that_the_spec_does_not_name_are_an_error(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    BACKENDS[backend](path, replace(SPEC, outputs=SPEC.outputs[:1], norm_output=None).to_json())
    with pytest.raises(SessionError, match="2 outputs"):
        open_session(path, backend).run({"input": np.zeros((1, 3, 4, 4), np.float32)})


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_a_file_that_does_not_load(backend: str, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SessionError, match="broken"):
        open_session(path, backend)


def test_a_device_that_is_not_there(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    path = tmp_path / "model"
    BACKENDS[backend](path, SPEC.to_json())
    with pytest.raises(ProviderUnavailableError, match="cuda"):
        open_session(path, backend, SessionOptions(providers=("cuda",)))
    fallback = open_session(path, backend, SessionOptions(providers=("cuda", "cpu")))
    assert fallback.provider == "cpu"
