from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from faceport.benchmarks.machine.macs import Work, count_macs
from faceport.errors import InputError
from faceport.models.mobilefacenet_flat import mobilefacenet_flat


def counted_by_torch(network: torch.nn.Module, pixels: torch.Tensor) -> int:
    """The same figure from torch's layers: an independent count."""
    total = 0

    def count(layer: torch.nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            total += output.numel() * layer.weight[0].numel()

    for layer in network.modules():
        layer.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(pixels)
    return total


def saved(
    path: Path, nodes: list[onnx.NodeProto], shape: list[int | str], weights: dict[str, np.ndarray]
) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("elsewhere", 1)]
    )
    onnx.save(model, path)
    return path


@pytest.mark.xdist_group("exports")
def test_a_real_recogniser_counts_as_torchs_layers_do(recognisers: dict[str, Path]) -> None:
    work = count_macs(recognisers["flat"] / "model.onnx", 1, 112, 112)
    assert work.macs == counted_by_torch(mobilefacenet_flat(), torch.zeros(1, 3, 112, 112))
    # Published for MobileFaceNet (arXiv 1804.07573): 221 million.
    assert round(work.macs / 1e6) == 221
    assert work.input_bytes == 3 * 112 * 112 * 4
    assert work.output_bytes == (512 + 1) * 4


def test_a_graph_whose_sizes_are_computed_is_run(detectors: dict[str, Path]) -> None:
    # onnx can't follow the sizes of SCRFD's resizes. Published: 500 million for 640 × 480.
    work = count_macs(detectors["scrfd"] / "model.onnx", 1, 640, 640)
    assert 500e6 * 4 / 3 < work.macs < 600e6 * 4 / 3
    # Of each of 16,800 anchors a score, 4 numbers of a box, 10 of landmarks.
    assert work.output_bytes == 16_800 * 15 * 4


def test_operators_are_counted_by_hand(tmp_path: Path) -> None:
    ones = np.ones
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["h"], pads=[1, 1, 1, 1], group=2),
        helper.make_node("ConvTranspose", ["h", "b"], ["i"], strides=[2, 2]),
        helper.make_node("Flatten", ["i"], ["j"]),
        helper.make_node("Gemm", ["j", "c"], ["k"], transB=1),
        helper.make_node("MatMul", ["k", "d"], ["l"]),
        helper.make_node("Relu", ["l"], ["y"]),
    ]
    weights = {
        "a": ones((6, 2, 3, 3), np.float32),
        "b": ones((6, 5, 2, 2), np.float32),
        "c": ones((7, 5 * 16 * 12), np.float32),
        "d": ones((7, 3), np.float32),
    }
    # A convolution of 4 channels in two groups; the input is not the usual three.
    path = saved(tmp_path / "m.onnx", nodes, ["n", 4, 8, 6], weights)
    convolution = 6 * 8 * 6 * (2 * 3 * 3)
    transposed = 6 * 8 * 6 * (5 * 2 * 2)
    linear = 7 * 5 * 16 * 12 + 7 * 3
    one = count_macs(path, 1, 1, 1)
    assert one.macs == convolution + transposed + linear
    assert one.weight_bytes == 4 * sum(value.size for value in weights.values())
    many = count_macs(path, 5, 1, 1)
    assert many == Work(5 * one.macs, one.weight_bytes, 5 * one.input_bytes, 5 * one.output_bytes)


def test_products_of_activations_count_too(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["x", "t"], ["y"]),
    ]
    path = saved(tmp_path / "m.onnx", nodes, ["n", 3, "h", "w"], {})
    assert count_macs(path, 2, 10, 7).macs == 2 * 3 * 10 * 10 * 7


def test_quantised_weights_are_smaller_and_as_many_products(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["y"]),
    ]
    weights = {"q": np.ones((2, 3, 1, 1), np.int8), "s": np.array(0.5, np.float32)}
    work = count_macs(saved(tmp_path / "m.onnx", nodes, ["n", 3, "h", "w"], weights), 1, 5, 4)
    assert (work.macs, work.weight_bytes) == (2 * 3 * 5 * 4, 2 * 3 + 4)


def test_channels_may_come_last(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "w"], ["y"]),
    ]
    weights = {"w": np.ones((2, 3, 1, 1), np.float32)}
    path = saved(tmp_path / "m.onnx", nodes, ["n", "h", "w0", 3], weights)
    assert count_macs(path, 1, 5, 4).macs == 2 * 3 * 5 * 4


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\xff\xfe no protobuf")
    with pytest.raises(InputError, match="is no ONNX graph"):
        count_macs(path, 1, 112, 112)
    with pytest.raises(InputError, match="is no ONNX graph"):
        count_macs(tmp_path / "none.onnx", 1, 112, 112)


def test_a_graph_that_does_not_run_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("NoSuchOperator", ["x"], ["h"], domain="elsewhere")]
    nodes.append(helper.make_node("MatMul", ["h", "h"], ["y"]))
    with pytest.raises(InputError, match="does not run"):
        count_macs(saved(tmp_path / "m.onnx", nodes, [1, 4], {}), 1, 1, 1)
