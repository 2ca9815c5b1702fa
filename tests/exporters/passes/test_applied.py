from __future__ import annotations

from pathlib import Path

import onnx
from onnx import helper, numpy_helper

from faceport.bundle import Bundle
from faceport.exporters.passes.applied import passes_for, with_passes
from faceport.exporters.passes.identity_pool import remove_identity_pools


def loaded(bundle: Bundle) -> onnx.ModelProto:
    return onnx.load(bundle.path / bundle.artefact("onnx").file.path)


def with_pool(model: onnx.ModelProto, **given: list[int]) -> onnx.ModelProto:
    """Put a pool behind the first node."""
    first = model.graph.node[0]
    name = first.output[0]
    for node in model.graph.node:
        for index, read in enumerate(node.input):
            if read == name:
                node.input[index] = "pooled"
    model.graph.node.insert(1, helper.make_node("MaxPool", [name], ["pooled"], "pool", **given))
    return model


def test_a_pass_that_changes_the_outputs_is_not_kept(tiny_bundle: Bundle, tmp_path: Path) -> None:
    model = loaded(tiny_bundle)

    def spoil(candidate: onnx.ModelProto) -> int:
        weight = next(w for w in candidate.graph.initializer if len(w.dims) == 4)
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 2, weight.name))
        return 1

    def break_it(candidate: onnx.ModelProto) -> int:
        candidate.graph.node[0].op_type = "NoSuchOperator"
        return 1

    passes = {"weights doubled": spoil, "graphs broken": break_it}
    result, notes = with_passes(model, tiny_bundle.spec, passes, tmp_path)
    assert result.SerializeToString() == model.SerializeToString()
    assert notes[0].startswith("not done: weights doubled: ")
    assert notes[1].startswith("not done: graphs broken: ")
    assert list(tmp_path.iterdir()) == []


def test_pools_of_one_element_go_and_all_others_stay(tiny_bundle: Bundle, tmp_path: Path) -> None:
    plain = loaded(tiny_bundle)
    model = with_pool(loaded(tiny_bundle), kernel_shape=[1, 1], strides=[1, 1])
    result, notes = with_passes(model, tiny_bundle.spec, passes_for("tensorrt"), tmp_path)
    assert notes == ("1 pools of one element removed",)
    assert [n.op_type for n in result.graph.node] == [n.op_type for n in plain.graph.node]
    for given in (
        {"kernel_shape": [1, 1], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]},
    ):
        assert remove_identity_pools(with_pool(loaded(tiny_bundle), **given)) == 0


def test_only_onnxruntime_gets_prelu_rewritten(tiny_bundle: Bundle) -> None:
    assert [n.op_type for n in loaded(tiny_bundle).graph.node].count("PRelu") == 0
    assert tiny_bundle.artefact("onnx").details["target"] == "onnxruntime"
    assert "1 PReLUs written in sum form" in tiny_bundle.artefact("onnx").notes
    assert len(passes_for("tensorrt")) < len(passes_for("onnxruntime"))
