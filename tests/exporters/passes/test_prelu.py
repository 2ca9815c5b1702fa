from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from faceport.exporters.passes.edit import copied
from faceport.exporters.passes.prelu import Form, rewrite_prelu

SLOPES = np.array([-1.5, -0.25, 0.0, 0.25, 1.0, 1.4], np.float32).reshape(6, 1, 1)


def graph(*slopes: NDArray[np.float32]) -> onnx.ModelProto:
    """PReLUs in a row over (batch, 6, 5, 4)."""
    nodes, constants = [], []
    for number, slope in enumerate(slopes):
        constants.append(numpy_helper.from_array(slope, f"slope{number}"))
        nodes.append(
            helper.make_node("PRelu", [f"x{number}", f"slope{number}"], [f"x{number + 1}"])
        )
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 6, 5, 4])
        for name in ("x0", f"x{len(slopes)}")
    ]
    made = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (values,) = session.run(None, {"x0": x})
    return np.asarray(values)


@pytest.mark.parametrize("form", ["sum", "max"])
def test_every_form_is_the_prelu_formula(form: Form) -> None:
    model = graph(SLOPES, np.minimum(SLOPES, 1))
    x = np.random.default_rng(1).normal(0, 10, (2, 6, 5, 4)).astype(np.float32)
    assert rewrite_prelu(model, form) == 2
    onnx.checker.check_model(model, full_check=True)
    wanted = x.astype(np.float64)
    for slope in (SLOPES, np.minimum(SLOPES, 1)):
        wanted = np.where(wanted > 0, wanted, slope * wanted)
    assert run(model, x) == pytest.approx(wanted, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("form", "slopes", "types"),
    [
        ("sum", SLOPES, {"Relu", "Mul", "Add"}),
        ("max", np.minimum(SLOPES, 1), {"Mul", "Max"}),
        ("max", SLOPES, {"Relu", "Mul", "Add"}),
    ],
)
def test_the_max_form_is_used_only_where_no_slope_is_above_1(
    form: Form, slopes: NDArray[np.float32], types: set[str]
) -> None:
    model = graph(slopes)
    rewrite_prelu(model, form)
    assert {node.op_type for node in model.graph.node} == types
    assert "slope0" not in {constant.name for constant in model.graph.initializer}


def test_slopes_that_are_computed_are_left_alone() -> None:
    model = graph(SLOPES)
    model.graph.initializer.pop()
    model.graph.input.append(helper.make_tensor_value_info("slope0", TensorProto.FLOAT, [6, 1, 1]))
    before = model.SerializeToString()
    assert rewrite_prelu(model) == 0
    assert model.SerializeToString() == before


def test_a_copy_shares_nothing_with_the_graph() -> None:
    model = graph(SLOPES)
    before = model.SerializeToString()
    rewrite_prelu(copied(model))
    assert model.SerializeToString() == before
