"""Engines built by TensorRT-RTX itself, which needs no GPU, and by the fake for what does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceport.bundle import Bundle
from faceport.errors import ExportError, InputError
from faceport.exporters.tensorrt.builder import Plan, build_plan
from faceport.exporters.tensorrt.options import BuildOptions
from faceport.runtime.tensorrt.modules import import_tensorrt
from faceport.spec import TensorSpec

File = Callable[[str], Path]


@pytest.fixture
def spec(tiny_precisions: Path) -> Any:
    return Bundle.open(tiny_precisions).spec


def built(path: Path, spec: Any, precision: str, **options: Any) -> Plan:
    trt = import_tensorrt("tensorrt-rtx")
    chosen = BuildOptions(**options)
    return build_plan(trt, "tensorrt-rtx", path, spec, precision, chosen, on_gpu=False)


def faked(fake_gpu: Any, path: Path, spec: Any, precision: str, **options: Any) -> Plan:
    chosen = BuildOptions(**options)
    return build_plan(fake_gpu.trt, "tensorrt", path, spec, precision, chosen, on_gpu=True)


@pytest.mark.parametrize(
    ("precision", "types"),
    [
        ("fp32", {"FLOAT": 4}),
        ("fp16", {"FLOAT": 1, "HALF": 3}),
        ("int8", {"FLOAT": 4}),
    ],
)
def test_real_engines_of_each_precision(
    onnx_file: File, spec: Any, precision: str, types: dict[str, int]
) -> None:
    plan = built(onnx_file(precision), spec, precision)
    # Three convolutions and a matrix product; around an int8 convolution there are Q and DQ.
    assert plan.network_types == types
    assert plan.engine_types == {}
    assert len(plan.data) > 10_000


@pytest.mark.parametrize("asked", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("given", ["fp32", "fp16", "int8"])
def test_a_graph_of_another_precision_is_refused(
    onnx_file: File, spec: Any, fake_gpu: Any, asked: str, given: str
) -> None:
    if asked == given:
        faked(fake_gpu, onnx_file(given), spec, asked)
        return
    with pytest.raises(ExportError, match=f"does not compute in {asked}"):
        faked(fake_gpu, onnx_file(given), spec, asked)


def test_what_is_quantised_for_onnxruntime_is_refused_by_node(
    for_onnxruntime: Path, spec: Any
) -> None:
    with pytest.raises(ExportError, match=r"bias_DequantizeLinear.*Int32.*--target tensorrt"):
        built(for_onnxruntime, spec, "int8")


@pytest.mark.parametrize("options", [{"refit": True}, {"strip_weights": True}])
def test_tensorrt_rtx_needs_a_gpu_for_weights_that_can_be_replaced(
    onnx_file: File, spec: Any, options: dict[str, bool]
) -> None:
    with pytest.raises(InputError, match="on a GPU only"):
        built(onnx_file("fp32"), spec, "fp32", **options)


def test_too_little_workspace_is_an_error_that_says_what_to_do(onnx_file: File, spec: Any) -> None:
    with pytest.raises(ExportError, match=r"workspace limit.*--max-batch.*--workspace"):
        built(onnx_file("fp32"), spec, "fp32", workspace_mib=1, max_batch=512)


@pytest.mark.parametrize("version", ["10.3.0.30", "10.13.3.9", "11.4.0.106"])
def test_one_code_path_for_every_version(
    onnx_file: File, spec: Any, fake_gpu: Any, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    fake = fake_gpu.replace(monkeypatch, version=version)
    for precision, wanted in (("fp32", "FLOAT"), ("fp16", "HALF"), ("int8", "INT8")):
        plan = faked(fake, onnx_file(precision), spec, precision, workspace_mib=64, max_batch=4)
        assert plan.engine_types[wanted] > 0
    assert [network.created_with for network in fake.trt.networks] == [2, 2, 2]
    for config in fake.trt.configs:
        # No precision is asked for, and fp32 stays fp32.
        assert config.flags == set()
        assert list(config.pools.values()) == [64 << 20]
        assert [p.shapes["input"] for p in config.profiles] == [
            [(1, 3, 32, 24), (1, 3, 32, 24), (4, 3, 32, 24)]
        ]


def test_a_tensorrt_that_has_no_flag_for_strong_types(
    onnx_file: File, spec: Any, fake_gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_gpu.trt, "NetworkDefinitionCreationFlag", object(), raising=False)
    faked(fake_gpu, onnx_file("fp32"), spec, "fp32")
    assert fake_gpu.trt.networks[0].created_with == 0


def test_options_become_flags(onnx_file: File, spec: Any, fake_gpu: Any) -> None:
    faked(
        fake_gpu,
        onnx_file("fp32"),
        spec,
        "fp32",
        version_compatible=True,
        hardware_compatible="ampere-plus",
        refit=True,
        strip_weights=True,
        tf32=True,
    )
    config = fake_gpu.trt.configs[0]
    assert {flag.name for flag in config.flags} == {
        "VERSION_COMPATIBLE",
        "REFIT",
        "STRIP_PLAN",
        "TF32",
    }
    faked(fake_gpu, onnx_file("fp32"), spec, "fp32", strip_weights=True)
    assert {flag.name for flag in fake_gpu.trt.configs[1].flags} == {
        "REFIT_IDENTICAL",
        "STRIP_PLAN",
    }
    assert config.hardware_compatibility_level.name == "AMPERE_PLUS"
    with pytest.raises(ExportError, match=r"lacks an option.*SAME_COMPUTE_CAPABILITY with 10.3"):
        faked(
            fake_gpu,
            onnx_file("fp32"),
            spec,
            "fp32",
            hardware_compatible="same-compute-capability",
        )


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ("parse_from_file", r"'node_Conv_7' \(Conv\): the kernel is odd.*and 2 more"),
        ("build_serialized_network", "could not build.*TensorRT says of it.*--max-batch"),
        ("add_optimization_profile", "refuses the shapes"),
        ("deserialize_cuda_engine", "which it just built.*TensorRT says"),
        ("low precision", "does not compute in fp32.*HALF"),
        ("another dtype", "not what its spec says"),
        ("get_engine_information", "gave no layers"),
    ],
)
def test_what_tensorrt_refuses(
    onnx_file: File, spec: Any, fake_gpu: Any, failure: str, message: str
) -> None:
    fake_gpu.trt.fails = {failure}
    with pytest.raises(ExportError, match=message):
        faked(fake_gpu, onnx_file("fp32"), spec, "fp32")


def test_a_real_parser_error_names_the_node(tmp_path: Path, spec: Any) -> None:
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("NonMaxSuppressionOfMars", ["input"], ["embedding"], "node_of_mars")],
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 32, 24])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 16])],
    )
    onnx.save(helper.make_model(graph, ir_version=10), tmp_path / "m.onnx")
    with pytest.raises(ExportError, match=r"m\.onnx.*'node_of_mars' \(NonMaxSuppressionOfMars\)"):
        built(tmp_path / "m.onnx", spec, "fp32")


def test_a_file_that_is_no_onnx(tmp_path: Path, spec: Any) -> None:
    (tmp_path / "m.onnx").write_bytes(b"not an onnx file")
    with pytest.raises(ExportError, match=r"can't read m\.onnx"):
        built(tmp_path / "m.onnx", spec, "fp32")


def test_a_graph_that_is_not_what_the_spec_says(onnx_file: File, spec: Any) -> None:
    other = replace(
        spec, outputs=(*spec.outputs, TensorSpec("landmarks", "float32", ("batch", 10)))
    )
    with pytest.raises(ExportError, match=r"not what its spec says.*landmarks"):
        built(onnx_file("fp32"), other, "fp32")


def test_a_timing_cache_is_kept_and_a_foreign_one_refused(
    onnx_file: File, spec: Any, fake_gpu: Any, tmp_path: Path
) -> None:
    path = tmp_path / "orin.cache"
    for expected in (b"+", b"++"):
        faked(fake_gpu, onnx_file("fp32"), spec, "fp32", timing_cache=path)
        assert path.read_bytes() == expected
    for content in (b"damaged", b"another GPU"):
        path.write_bytes(content)
        with pytest.raises(ExportError, match="no timing cache of this GPU"):
            faked(fake_gpu, onnx_file("fp32"), spec, "fp32", timing_cache=path)
    with pytest.raises(ExportError, match="could not be read"):
        faked(fake_gpu, onnx_file("fp32"), spec, "fp32", timing_cache=tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"timing_cache": Path("x")},
        {"hardware_compatible": "ampere-plus"},
        {"version_compatible": True},
    ],
)
def test_what_tensorrt_rtx_does_not_have(
    onnx_file: File, spec: Any, options: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="TensorRT-RTX"):
        built(onnx_file("fp32"), spec, "fp32", **options)


@pytest.mark.parametrize(
    "options",
    [{"max_batch": 0}, {"opt_batch": 8, "max_batch": 4}, {"opt_batch": 0}, {"workspace_mib": 0}],
)
def test_options_out_of_order(options: dict[str, int]) -> None:
    with pytest.raises(InputError):
        BuildOptions(**options)
