from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from faceport.exporters.precision.equalise import equalised
from faceport.exporters.precision.values import observed


def network(
    *, depthwise: bool, slopes: NDArray[np.float32], second_reader: bool = False
) -> onnx.ModelProto:
    """Convolution, PReLU, convolution, over (batch, 3, 9, 8) and 6 channels of unequal size."""
    rng = np.random.default_rng(5)
    size = 10.0 ** np.linspace(-2, 2, 6)
    constants = {
        "w1": rng.normal(size=(6, 3, 3, 3)) * size.reshape(6, 1, 1, 1),
        "b1": rng.normal(size=6) * size,
        "slope": slopes.reshape(6, 1, 1),
        "w2": rng.normal(size=(6, 1, 3, 3) if depthwise else (4, 6, 3, 3)),
    }
    groups = 6 if depthwise else 1
    nodes = [
        helper.make_node("Conv", ["input", "w1", "b1"], ["x"], pads=[1, 1, 1, 1]),
        helper.make_node("PRelu", ["x", "slope"], ["y"]),
        helper.make_node("Conv", ["y", "w2"], ["z"], pads=[1, 1, 1, 1], group=groups),
    ]
    if second_reader:
        nodes.append(helper.make_node("Abs", ["x"], ["other"]))
    ends = [
        helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 9, 8]),
        helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", None, 9, 8]),
    ]
    arrays = [numpy_helper.from_array(a.astype(np.float32), name) for name, a in constants.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], arrays)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def seen(
    model: onnx.ModelProto, name: str, x: NDArray[np.float32], folder: Path
) -> NDArray[np.float32]:
    return np.concatenate([np.asarray(v[name]) for v in observed(model, [name], x, folder)])


PICTURES = np.random.default_rng(6).normal(size=(4, 3, 9, 8)).astype(np.float32)
GENTLE = np.array([0.1, 0.25, 0.5, 0.0, -0.25, 1.0], np.float32)
STEEP = np.array([1.2, 0.25, 3.0, 0.0, -1.25, 1.0], np.float32)


@pytest.mark.parametrize("depthwise", [True, False])
def test_factors_of_two_change_not_one_bit_and_channels_come_closer(
    tmp_path: Path, depthwise: bool
) -> None:
    model = network(depthwise=depthwise, slopes=GENTLE)
    new, pairs = equalised(model, PICTURES, tmp_path)
    assert pairs == 1
    onnx.checker.check_model(new, full_check=True)
    before, after = (seen(m, "z", PICTURES, tmp_path) for m in (model, new))
    if depthwise:
        assert np.array_equal(before, after)
    else:
        assert after == pytest.approx(before, rel=1e-5, abs=1e-4)
    spread = [
        np.ptp(np.log2(np.abs(seen(m, "x", PICTURES, tmp_path)).max(axis=(0, 2, 3))))
        for m in (model, new)
    ]
    assert spread[1] < 0.6 * spread[0]


@pytest.mark.parametrize("depthwise", [True, False])
def test_slopes_above_1_are_turned_over_and_the_outputs_stay(
    tmp_path: Path, depthwise: bool
) -> None:
    model = network(depthwise=depthwise, slopes=STEEP)
    new, _ = equalised(model, PICTURES, tmp_path)
    (prelu,) = (node for node in new.graph.node if node.op_type == "PRelu")
    (slope,) = (c for c in new.graph.initializer if c.name == prelu.input[1])
    assert numpy_helper.to_array(slope).max() <= 1
    before, after = (seen(m, "z", PICTURES, tmp_path) for m in (model, new))
    assert after == pytest.approx(before, rel=1e-4, abs=1e-3)


def test_what_another_node_reads_is_left_alone(tmp_path: Path) -> None:
    model = network(depthwise=True, slopes=STEEP, second_reader=True)
    new, pairs = equalised(model, PICTURES, tmp_path)
    assert pairs == 0
    assert new.SerializeToString() == model.SerializeToString()
