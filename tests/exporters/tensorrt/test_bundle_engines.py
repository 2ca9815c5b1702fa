"""From a bundle's ONNX files to engines in it: real ones without a GPU, proven fake ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceport.bundle import Bundle, write_manifest
from faceport.commands import run
from faceport.errors import (
    BundleError,
    BundleIntegrityError,
    ExportError,
    InputError,
    MissingDependencyError,
    ParityError,
    ProviderUnavailableError,
)
from faceport.exporters import ExportOptions, export_bundle
from faceport.exporters.tensorrt.builder import build_plan
from faceport.exporters.tensorrt.bundle_engines import build_engines
from faceport.exporters.tensorrt.options import BuildOptions
from faceport.runtime.artefacts import open_artefact
from faceport.runtime.sessions import SessionOptions
from faceport.runtime.tensorrt.engine_file import read_header
from faceport.runtime.tensorrt.modules import import_tensorrt
from faceport.runtime.verify import verify_bundle


def names(path: Path) -> set[str]:
    return {item.name for item in path.iterdir()}


@pytest.fixture
def mobilefacenet(recognisers: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the real recogniser's bundle."""
    return Path(shutil.copytree(recognisers["flat"], tmp_path / "mbf.bundle"))


def test_mobilefacenet_builds_without_a_gpu(mobilefacenet: Path) -> None:
    (made,) = build_engines(Bundle.open(mobilefacenet), "tensorrt-rtx")
    bundle = Bundle.open(mobilefacenet)
    assert bundle.manifest.artefacts[-1] == made
    source = bundle.artefact("onnx")
    assert made.details["onnx_sha256"] == source.file.sha256
    assert (made.details["gpu"], made.details["max_batch"]) == ("any", 32)
    # Its convolutions, and its one matrix product.
    assert made.details["network_types"] == {"FLOAT": 50.0}
    assert made.parity == ()
    assert any("verify" in note for note in made.notes)
    header = read_header(bundle.checked_file(made.file))
    assert header.spec == bundle.spec
    assert header.compatibility == "any"


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_mobilefacenet_builds_from_what_the_precision_steps_write(
    mobilefacenet: Path, tmp_path: Path, precision: str
) -> None:
    import onnx

    from faceport.exporters.precision.halves import halved, must_stay
    from faceport.exporters.precision.qdq import layers_of, quantised, values_to_watch
    from faceport.exporters.precision.ranges import Range

    bundle = Bundle.open(mobilefacenet)
    model = onnx.load(mobilefacenet / "model.onnx")
    if precision == "fp16":
        lower = halved(model, must_stay(model))
    else:
        spans = dict.fromkeys(values_to_watch(model), Range(-3.0, 3.0))
        lower = quantised(model, frozenset(layers_of(model)), spans, "tensorrt")
    onnx.save(lower, tmp_path / "m.onnx")
    plan = build_plan(
        import_tensorrt("tensorrt-rtx"),
        "tensorrt-rtx",
        tmp_path / "m.onnx",
        bundle.spec,
        precision,
        BuildOptions(),
        on_gpu=False,
    )
    # What an int8 layer gives before it is scaled are floats. TensorRT-RTX computes in int8 only
    # where weights of a matrix product are; it unpacks those of convolutions.
    assert plan.network_types == ({"HALF": 50} if precision == "fp16" else {"FLOAT": 50})
    if precision == "fp16":
        assert len(plan.data) < (mobilefacenet / "model.onnx").stat().st_size


@pytest.mark.parametrize("family", ["scrfd", "yunet", "yolov8-face"])
def test_detectors_build_without_a_gpu(
    detectors: dict[str, Path], tmp_path: Path, family: str
) -> None:
    path = Path(shutil.copytree(detectors[family], tmp_path / "det.bundle"))
    (made,) = build_engines(Bundle.open(path), "tensorrt-rtx")
    # Two have a batch of 1 in the file; the third takes pictures of any size, one at a time.
    assert made.details["max_batch"] == 1


def test_a_graph_that_takes_raw_pixels_builds_too(tiny_model: Any, tmp_path: Path) -> None:
    options = ExportOptions(formats=("tensorrt-rtx",), fuse_preprocess=True)
    bundle = export_bundle(tiny_model, tmp_path / "raw.bundle", options)
    header = read_header(bundle.checked_file(bundle.artefact("tensorrt-rtx").file))
    assert header.spec.inputs[0].dtype == "uint8"


def test_three_precisions_of_a_real_build(tiny_precisions: Path) -> None:
    made = build_engines(Bundle.open(tiny_precisions), "tensorrt-rtx")
    assert [artefact.precision for artefact in made] == ["fp32", "fp16", "int8"]
    assert [artefact.details["network_types"] for artefact in made] == [
        {"FLOAT": 4.0},
        {"FLOAT": 1.0, "HALF": 3.0},
        {"FLOAT": 4.0},
    ]
    results = verify_bundle(Bundle.open(tiny_precisions))
    assert {r.status for r in results if r.artefact.format == "tensorrt-rtx"} == {"not run"}


def test_engines_are_proven_where_there_is_a_gpu(tiny_precisions: Path, fake_gpu: Any) -> None:
    steps: list[str] = []
    made = build_engines(
        Bundle.open(tiny_precisions), "tensorrt", ("fp32",), BuildOptions(), steps.append
    )
    (engine,) = made
    assert engine.file.path == "model.fp32.orin.sm87.trt10.3.0.engine"
    assert [record.batch for record in engine.parity] == [1, 5]
    assert engine.details["gpu"] == "Orin"
    assert engine.details["compute_capability"] == "8.7"
    assert engine.details["tensorrt"] == engine.tools["tensorrt"] == "10.3.0.30"
    assert isinstance(engine.details["engine_types"], dict)
    assert steps[0].startswith("tensorrt fp32")
    assert fake_gpu.cuda.leaks == {}
    session, _ = open_artefact(tiny_precisions, SessionOptions(("cuda",)), backend="tensorrt")
    session.close()


def test_the_same_engine_again_replaces_the_first(tiny_precisions: Path, fake_gpu: Any) -> None:
    before = Bundle.open(tiny_precisions).manifest.artefacts
    for most in (8, 4):
        build_engines(
            Bundle.open(tiny_precisions), "tensorrt", ("fp32",), BuildOptions(max_batch=most)
        )
    after = Bundle.open(tiny_precisions)
    assert after.manifest.artefacts[:-1] == before
    assert after.manifest.artefacts[-1].details["max_batch"] == 4
    # Engines of other versions stay beside it.
    fake_gpu.trt.__version__ = "10.13.3.9"
    build_engines(after, "tensorrt", ("fp32",))
    assert len(Bundle.open(tiny_precisions).manifest.artefacts) == len(before) + 2
    assert {r.status for r in verify_bundle(Bundle.open(tiny_precisions))} >= {"passed"}


def test_a_failure_leaves_the_bundle_as_it_was(
    tiny_precisions: Path, fake_gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_engines(Bundle.open(tiny_precisions), "tensorrt", ("fp32",))
    before = {path.name: path.read_bytes() for path in tiny_precisions.iterdir()}
    fake_gpu.trt.fails = {"build_serialized_network"}
    with pytest.raises(ExportError, match="could not build"):
        build_engines(Bundle.open(tiny_precisions), "tensorrt", ("fp32",))
    fake_gpu.trt.fails = set()
    # An engine of the same name that computes something else: the old one must survive.
    import fake_tensorrt

    real = fake_tensorrt.Context._compute

    def wrong(context: Any, shapes: Any) -> None:
        import ctypes

        real(context, shapes)
        ctypes.memset(context._addresses["embedding"], 0x3F, 64)

    monkeypatch.setattr(fake_tensorrt.Context, "_compute", wrong)
    with pytest.raises(ParityError, match=r"\.engine"):
        build_engines(
            Bundle.open(tiny_precisions), "tensorrt", ("fp32",), BuildOptions(max_batch=7)
        )
    assert {path.name: path.read_bytes() for path in tiny_precisions.iterdir()} == before
    assert names(tiny_precisions.parent) == {tiny_precisions.name}


def test_small_profiles_are_proven_within_them(tiny_precisions: Path, fake_gpu: Any) -> None:
    (made,) = build_engines(
        Bundle.open(tiny_precisions), "tensorrt", ("fp32",), BuildOptions(max_batch=2)
    )
    assert [record.batch for record in made.parity] == [1, 2]


def test_bundles_that_nothing_can_be_built_from(tiny_precisions: Path, fake_gpu: Any) -> None:
    bundle = Bundle.open(tiny_precisions)
    with pytest.raises(BundleError, match="onnx bf16"):
        build_engines(bundle, "tensorrt", ("bf16",))
    (tiny_precisions / "model.onnx").write_bytes(b"changed")
    with pytest.raises(BundleIntegrityError):
        build_engines(bundle, "tensorrt", ("fp32",))
    other = replace(bundle.manifest.artefacts[0], format="torchscript")
    write_manifest(tiny_precisions, replace(bundle.manifest, artefacts=(other,)))
    with pytest.raises(InputError, match="no ONNX file"):
        build_engines(Bundle.open(tiny_precisions), "tensorrt")


def test_modules_and_gpus_that_are_not_there(
    tiny_precisions: Path, fake_gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Bundle.open(tiny_precisions)
    fake_gpu.cuda.devices = 0
    with pytest.raises(ProviderUnavailableError, match="0 GPUs"):
        build_engines(bundle, "tensorrt")
    fake_gpu.cuda.devices = 1
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingDependencyError, match=r"faceport\[tensorrt\]"):
        build_engines(bundle, "tensorrt")
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(MissingDependencyError, match=r"faceport\[tensorrt-rtx\]"):
        build_engines(bundle, "tensorrt-rtx")
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(MissingDependencyError, match="cuda-bindings"):
        build_engines(bundle, "tensorrt")


def test_an_export_makes_engines_too(tiny_model: Any, tmp_path: Path, fake_gpu: Any) -> None:
    options = ExportOptions(formats=("onnx", "tensorrt"), max_batch=8)
    engine = export_bundle(tiny_model, tmp_path / "b", options).artefact("tensorrt")
    assert [record.batch for record in engine.parity] == [1, 5]
    assert engine.details["max_batch"] == 8


def test_an_export_without_a_gpu_makes_what_needs_none(tiny_model: Any, tmp_path: Path) -> None:
    options = ExportOptions(formats=("onnx", "tensorrt-rtx"), max_batch=8)
    portable = export_bundle(tiny_model, tmp_path / "b", options).artefact("tensorrt-rtx")
    assert portable.details["max_batch"] == 8
    assert portable.parity == ()
    with pytest.raises(ProviderUnavailableError, match="no GPU"):
        export_bundle(tiny_model, tmp_path / "c", ExportOptions(formats=("tensorrt",)))
    assert not (tmp_path / "c").exists()


COMMAND = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "onnx", "onnxscript", "onnxslim", "onnxruntime"}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocker())
from faceport.commands import run
sys.exit(run(["build-engine", sys.argv[1], "--backend", "tensorrt-rtx", "--precision", "fp16"]))
"""


def test_the_command_needs_neither_torch_nor_onnx(tiny_precisions: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", COMMAND, str(tiny_precisions)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "model.fp16.any-gpu" in done.stdout
    assert "faceport verify" in done.stderr


def test_the_command(
    tiny_precisions: Path, fake_gpu: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["build-engine", str(tiny_precisions), "--precision", "fp32", "--max-batch", "6"]
    assert run([*args, "--workspace", "32", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["artefacts"][0]["details"]["max_batch"] == 6
    assert run(["inspect", str(tiny_precisions)]) == 0
    assert "orin.sm87.trt10.3.0" in capsys.readouterr().out
    assert run([*args, "--opt-batch", "8"]) == 1
    assert "opt 8, max 6" in capsys.readouterr().err
    assert run([*args[:-2], "--precision", "int4"]) == 2
    fake_gpu.cuda.devices = 0
    assert run(args) == 1
    assert "nvidia-smi" in capsys.readouterr().err


def test_the_proof_is_what_the_fake_really_computes(tiny_precisions: Path, fake_gpu: Any) -> None:
    # Guards the tests above: the fake's engine computes the ONNX file, not the proof.
    build_engines(Bundle.open(tiny_precisions), "tensorrt", ("fp32",))
    options = SessionOptions(("cuda",))
    session, spec = open_artefact(tiny_precisions, options, backend="tensorrt")
    rows = np.zeros((2, *spec.inputs[0].shape[1:]), np.float32)
    reference, _ = open_artefact(tiny_precisions)
    np.testing.assert_allclose(
        session.run({"input": rows})["embedding"],
        reference.run({"input": rows})["embedding"],
        atol=1e-6,
    )
