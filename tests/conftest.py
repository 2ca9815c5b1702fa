"""Fixtures that several test modules share: the real weights, photographs and golden outputs."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from faceport.spec import ModelSpec, PreprocessSpec, Source, TensorSpec

if TYPE_CHECKING:
    import torch
    from fake_cuda import FakeCuda
    from fake_tensorrt import FakeTensorRt
    from local_postgres import LocalPostgres

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


@dataclass(frozen=True)
class TinyModel:
    """A converted checkpoint in small: what `convert` returns, with 1,300 weights."""

    module: torch.nn.Module
    spec: ModelSpec


@pytest.fixture(scope="session")
def tiny_model() -> TinyModel:
    """A seeded embedder of 32 × 24 pixels, BGR, with an unequal mean and std in each channel."""
    import torch
    from torch import nn

    from faceport.models.outputs import EmbedderOutputs

    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.PReLU(8),
            nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 8, (16, 12), groups=8, bias=False),
            nn.Flatten(),
            nn.Linear(8, 16),
            nn.BatchNorm1d(16),
        )
        network.requires_grad_(False)
        for layer in network:
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 1.5)
    return TinyModel(EmbedderOutputs(network, normalize=True).eval(), tiny_spec())


def tiny_spec() -> ModelSpec:
    return ModelSpec(
        task="embedder",
        family="tiny",
        arch="tiny_16",
        preprocess=PreprocessSpec(
            height=32,
            width=24,
            color_order="bgr",
            mean=(100.0, 120.0, 140.0),
            std=(50.0, 60.0, 70.0),
            geometry="crop",
        ),
        inputs=(TensorSpec("input", "float32", ("batch", 3, 32, 24)),),
        outputs=(
            TensorSpec("embedding", "float32", ("batch", 16)),
            TensorSpec("norm", "float32", ("batch", 1)),
        ),
        source=Source("tiny.pth", "0" * 64),
        weights_sha256="1" * 64,
        embedding_dim=16,
        normalized=True,
        norm_output="norm",
    )


@pytest.fixture(scope="session")
def detectors(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles of the three real detectors, by family."""
    from faceport.exporters.onnx_import import ImportOptions, import_onnx

    files = {
        "scrfd": "scrfd_500m_kps.onnx",
        "yunet": "yunet_n_dynamic.onnx",
        "yolov8-face": "yolov8_lite_t_face.onnx",
    }
    folder = tmp_path_factory.mktemp("detectors")
    return {
        family: import_onnx(
            weights / file, folder / f"{family}.bundle", ImportOptions(family=family)
        ).path
        for family, file in files.items()
    }


@pytest.fixture(scope="session")
def recognisers(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles of the two real MobileFaceNet recognisers, as ONNX and TorchScript, by layout."""
    from faceport.converters import convert
    from faceport.exporters import export_bundle

    files = {
        "flat": "mobilefacenet_flat_112x112_512d.pth",
        "blocks": "mobilefacenet_blocks_112x96_128d.ckpt",
    }
    folder = tmp_path_factory.mktemp("recognisers")
    return {
        layout: export_bundle(convert(weights / file), folder / f"{layout}.bundle").path
        for layout, file in files.items()
    }


@pytest.fixture(scope="session")
def synthetic_checkpoint(
    reference: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Writes the checkpoint of a reference layout, of which `golden/` holds the outputs."""
    import torch

    path = reference / "synth_checkpoint.py"
    module_spec = importlib.util.spec_from_file_location(path.stem, path)
    assert module_spec is not None
    assert module_spec.loader is not None
    synthesis = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(synthesis)
    folder = tmp_path_factory.mktemp("synthetic")

    def write(layout: str) -> Path:
        target = folder / f"{layout}.ckpt"
        if not target.exists():
            text = (reference / "layouts" / f"{layout}.json").read_text()
            torch.save(synthesis.build(json.loads(text)), target)
        return target

    return write


@pytest.fixture(scope="session")
def yolo_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes what Ultralytics' training writes, with seeded weights and a sixteenth of the width.

    The statistics are those of smooth random pictures, and the scores spread over 0 to 1: with a
    fresh network's every anchor would say the same.
    """
    import torch

    from faceport.converters.ultralytics_package import import_ultralytics

    tasks = import_ultralytics()
    folder = tmp_path_factory.mktemp("yolo")

    def write(
        config: str, *, keypoints: tuple[int, int] | None = None, classes: int = 1, name: str = ""
    ) -> Path:
        target = folder / f"{name or config}-{keypoints}-{classes}.pt"
        if target.exists():
            return target
        with torch.random.fork_rng():
            torch.manual_seed(11)
            model = tasks.yaml_model_load(f"{config}.yaml")
            model |= {"scales": {"n": [0.33, 0.0625, 1024]}, "scale": "n"}
            if keypoints is None:
                model = tasks.DetectionModel(model, nc=classes, verbose=False)
            else:
                model["kpt_shape"] = list(keypoints)
                model = tasks.PoseModel(model, nc=classes, verbose=False)
            _enliven(model)
        model.names = dict(enumerate(["face", "person", "cat"][:classes]))
        content = {"epoch": -1, "model": model.half(), "ema": None, "version": "8.4.190"}
        torch.save({**content, "train_args": {"imgsz": 640}}, target)
        return target

    return write


def _enliven(model: torch.nn.Module) -> None:
    import torch

    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None
    coarse = torch.rand(4, 3, 10, 10)
    pictures = torch.nn.functional.interpolate(coarse, (160, 160), mode="bilinear")
    with torch.no_grad():
        model.train()(pictures)
        for part in model.modules():
            # A channel that hardly varies would be blown up, rounding errors with it.
            if isinstance(part, torch.nn.BatchNorm2d):
                part.running_var.clamp_(min=0.1)
        for branch in model.model[-1].cv3:
            branch[-1].weight *= 4
            branch[-1].bias.fill_(-1.0)
    model.eval()


@dataclass(frozen=True)
class FakeGpu:
    """The fakes in place of the two NVIDIA modules."""

    cuda: FakeCuda
    trt: FakeTensorRt

    def replace(self, monkeypatch: pytest.MonkeyPatch, *, version: str | None = None) -> FakeGpu:
        """Put another TensorRT in its place."""
        from fake_tensorrt import FakeTensorRt

        fake = FakeGpu(self.cuda, FakeTensorRt(self.cuda, version or self.trt.__version__))
        monkeypatch.setitem(sys.modules, "tensorrt", fake.trt)
        return fake


@pytest.fixture
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    """A Jetson Orin with TensorRT 10.3 that computes, for tests on a machine without a GPU."""
    from fake_cuda import FakeCuda
    from fake_tensorrt import FakeTensorRt

    cuda = FakeCuda()
    fake = FakeGpu(cuda, FakeTensorRt(cuda))
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)
    monkeypatch.setitem(sys.modules, "tensorrt", fake.trt)
    return fake


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[LocalPostgres]:
    """A PostgreSQL server with pgvector that a test may restart; in CI it is never skipped."""
    try:
        from local_postgres import LocalPostgres

        server = LocalPostgres()
    except ModuleNotFoundError as error:
        message = f"pip install 'faceport[dev]': {error.name} is not there"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    yield server
    server.close()


@pytest.fixture
def postgres_gallery(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a gallery that is not there yet, on `FACEPORT_TEST_POSTGRES` or a server of ours.

    Whoever uses it is in the group `postgres`, so that one server does for all.
    """
    import psycopg

    uri = os.environ.get("FACEPORT_TEST_POSTGRES")
    uri = uri or request.getfixturevalue("postgres_server").uri
    name = f"t{uuid.uuid4().hex[:12]}"
    yield f"{uri}{'&' if '?' in uri else '?'}gallery={name}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS faceport_{name} CASCADE")
