"""What the original authors' code computed, against what the artefacts compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from faceport.bundle import Bundle
from faceport.converters import convert
from faceport.exporters import ExportOptions, export_bundle
from faceport.runtime.preprocess import to_tensor
from faceport.runtime.sessions import FORMAT_BACKENDS, open_session
from faceport.runtime.verify import verify_bundle

BATCH_NORMS = {
    # One in front of each residual unit's first convolution, whose padding keeps it from being
    # folded, and one in front of the linear layer.
    "adaface_ir_18": 8 + 1,
    "adaface_ir_50": 24 + 1,
    "mobilefacenet_flat_512": 0,
    "mobilefacenet_blocks_128": 0,
    "mobilefacenet_features_128": 0,
}
# A worker of pytest-xdist gets all tests of a layout, so that it is exported once.
LAYOUTS = [pytest.param(n, marks=pytest.mark.xdist_group(f"golden {n}")) for n in BATCH_NORMS]
RAW = [p for p in LAYOUTS if p.values[0] in ("adaface_ir_18", "mobilefacenet_blocks_128")]

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Golden:
    """Pictures, (N, H, W, 3) uint8 RGB, and what the original gives: unit vectors and lengths.

    No lengths where it normalises and does not tell.
    """

    pixels: NDArray[np.uint8]
    unit: Float64
    norm: Float64 | None


@pytest.fixture(scope="session")
def golden(reference: Path) -> Callable[[str], Golden]:
    def read(layout: str) -> Golden:
        with np.load(reference / "golden" / f"{layout}.npz") as data:
            (size,) = [k.removeprefix("image_rgb_") for k in data.files if k.startswith("image")]
            embedding = data[f"embedding_{size}"].astype(np.float64)
            length = np.linalg.norm(embedding, axis=1, keepdims=True)
            pixels = data[f"image_rgb_{size}"]
            if f"norm_{size}" in data.files:
                return Golden(pixels, embedding, data[f"norm_{size}"].reshape(-1, 1))
            untold = np.allclose(length, 1, atol=1e-6)
            return Golden(pixels, embedding / length, None if untold else length)

    return read


@pytest.fixture(scope="session")
def exported(
    synthetic_checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Bundle]:
    @cache
    def export(layout: str, fused: bool = False) -> Bundle:
        conversion = convert(str(synthetic_checkpoint(layout)))
        options = ExportOptions(
            formats=("onnx",) if fused else ("onnx", "torchscript"),
            simplify=not fused,
            fuse_preprocess=fused,
        )
        return export_bundle(conversion, tmp_path_factory.mktemp(layout) / "m.bundle", options)

    return export


def outputs_of(bundle: Bundle, format: str, pixels: NDArray[np.uint8]) -> tuple[Float64, Float64]:
    artefact = bundle.artefact(format)
    session = open_session(bundle.path / artefact.file.path, FORMAT_BACKENDS[format])
    outputs = session.run({"input": to_tensor(pixels, "rgb", bundle.spec.preprocess)})
    session.close()
    embedding = outputs["embedding"].astype(np.float64)
    return embedding / np.linalg.norm(embedding, axis=1, keepdims=True), outputs["norm"]


def check_equal(received: tuple[Float64, Float64], wanted: Golden) -> None:
    unit, norm = received
    assert np.einsum("nd,nd->n", unit, wanted.unit).min() >= 0.99999
    np.testing.assert_allclose(unit, wanted.unit, atol=1e-5)
    if wanted.norm is not None:
        np.testing.assert_allclose(norm, wanted.norm, rtol=1e-3)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("format", ["onnx", "torchscript"])
def test_an_artefact_computes_what_the_original_code_computed(
    layout: str,
    format: str,
    golden: Callable[[str], Golden],
    exported: Callable[..., Bundle],
) -> None:
    wanted = golden(layout)
    assert len(wanted.pixels) >= 2
    check_equal(outputs_of(exported(layout), format, wanted.pixels), wanted)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_only_batch_norms_that_cannot_be_folded_are_left(
    layout: str, exported: Callable[..., Bundle]
) -> None:
    model = onnx.load(exported(layout).path / "model.onnx")
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("BatchNormalization") == BATCH_NORMS[layout]
    # PReLU is written as Relu, Mul and Add for onnxruntime.
    network = {"Conv", "PRelu", "Relu", "Clip", "Mul", "Add", "MaxPool", "BatchNormalization"}
    assert set(kinds) <= network | {"Reshape", "Gemm", "ReduceL2", "Div"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_manifest_holds_the_opset_of_the_file_and_figures_within_the_tolerance(
    layout: str, exported: Callable[..., Bundle]
) -> None:
    bundle = exported(layout)
    for artefact in bundle.manifest.artefacts:
        assert [record.batch for record in artefact.parity] == [1, 5]
        assert min(record.min_cosine for record in artefact.parity) >= 0.999999
        assert max(record.max_abs_diff for record in artefact.parity) <= 1e-5
    model = onnx.load(bundle.path / "model.onnx")
    assert bundle.artefact("onnx").opset == model.opset_import[0].version


@pytest.mark.parametrize("layout", RAW)
def test_a_fused_graph_gives_the_same_from_raw_pixels(
    layout: str, golden: Callable[[str], Golden], exported: Callable[..., Bundle]
) -> None:
    wanted, bundle = golden(layout), exported(layout, fused=True)
    session = open_session(bundle.path / "model.onnx", "onnxruntime")
    assert (session.inputs[0].dtype, session.inputs[0].shape[3]) == ("uint8", 3)
    outputs = session.run({"input": wanted.pixels})
    session.close()
    check_equal((outputs["embedding"], outputs["norm"]), wanted)
    assert bundle.manifest.fingerprint == exported(layout).manifest.fingerprint


def test_bundles_of_real_weights_verify(recognisers: dict[str, Path]) -> None:
    for path in recognisers.values():
        for record in verify_bundle(Bundle.open(path)):
            assert (record.status, record.problem) == ("passed", None)
