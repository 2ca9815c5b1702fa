from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from faceport.errors import ExportError
from faceport.exporters import Exportable
from faceport.exporters.onnx_graph import check_interface, default_opset, set_spec, strip_debris
from faceport.spec import METADATA_KEY, ModelSpec, TensorSpec


def branch(name: str) -> onnx.GraphProto:
    value = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2])
    node = helper.make_node("Identity", ["x"], [name], doc_string="a stack trace")
    return helper.make_graph([node], name, [], [value], doc_string="a branch")


def littered() -> onnx.ModelProto:
    """A valid graph with a subgraph in an If, and debris wherever ONNX has room for it."""
    weight = numpy_helper.from_array(np.ones(2, np.float32), "w")
    weight.doc_string = "from /home/somebody/net.py"
    nodes = [
        helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("If", ["yes"], ["y"], then_branch=branch("a"), else_branch=branch("b")),
        helper.make_node("Mul", ["y", "w"], ["z"], name="scale"),
    ]
    values = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2], "input doc")],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 2])],
        initializer=[weight],
        value_info=values,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model.doc_string = "exported by me"
    for message in (model, graph, *graph.node, weight, graph.input[0]):
        entry = message.metadata_props.add()
        entry.key, entry.value = "pkg.torch.onnx.stack_trace", "/home/somebody/net.py, line 3"
    model.graph.CopyFrom(graph)
    model.graph.initializer[0].metadata_props.add().key = "litter"
    return model


def spec_of(tiny_model: Exportable) -> ModelSpec:
    return replace(
        tiny_model.spec,
        inputs=(TensorSpec("x", "float32", ("batch", 2)),),
        outputs=(TensorSpec("z", "float32", ("batch", 2)),),
        norm_output=None,
    )


def test_debris_is_removed_at_every_depth_and_nothing_else_is() -> None:
    model = littered()
    assert b"somebody" in model.SerializeToString()
    strip_debris(model)
    data = model.SerializeToString()
    for text in (b"somebody", b"litter", b"stack", b"exported by", b"input doc", b"a branch"):
        assert text not in data
    assert [node.op_type for node in model.graph.node] == ["Constant", "If", "Mul"]
    assert model.graph.node[2].name == "scale"
    assert len(model.graph.value_info) == 0
    np.testing.assert_array_equal(numpy_helper.to_array(model.graph.initializer[0]), [1, 1])
    onnx.checker.check_model(model, full_check=True)


def test_the_spec_becomes_the_only_metadata(tiny_model: Exportable) -> None:
    model = littered()
    set_spec(model, tiny_model.spec)
    set_spec(model, tiny_model.spec)
    (entry,) = model.metadata_props
    assert (entry.key, entry.value) == (METADATA_KEY, tiny_model.spec.to_json())


def test_the_default_opset_is_found_among_others() -> None:
    model = littered()
    model.opset_import.insert(0, helper.make_opsetid("com.microsoft", 1))
    assert default_opset(model) == 18
    del model.opset_import[1]
    with pytest.raises(ExportError, match="no default opset"):
        default_opset(model)


def test_the_interface_is_compared_with_the_spec(tiny_model: Exportable) -> None:
    spec = spec_of(tiny_model)
    check_interface(littered(), spec)
    for wrong in (
        TensorSpec("z", "float32", ("N", 2)),
        TensorSpec("z", "float32", ("batch", 3)),
        TensorSpec("z", "float32", ("batch", 2, 1)),
        TensorSpec("y", "float32", ("batch", 2)),
        TensorSpec("z", "uint8", ("batch", 2)),
    ):
        with pytest.raises(ExportError, match=r"outputs are not the spec's.*z float32"):
            check_interface(littered(), replace(spec, outputs=(wrong,)))
    renamed = replace(spec, inputs=(TensorSpec("pixels", "float32", ("batch", 2)),))
    with pytest.raises(ExportError, match="inputs are not the spec's"):
        check_interface(littered(), renamed)


def test_an_invalid_graph_is_an_export_error(tiny_model: Exportable) -> None:
    model = littered()
    model.graph.node[2].input[0] = "nowhere"
    with pytest.raises(ExportError, match="invalid ONNX graph"):
        check_interface(model, spec_of(tiny_model))
