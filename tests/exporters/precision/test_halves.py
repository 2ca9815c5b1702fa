from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from faceport.bundle import Bundle
from faceport.errors import ExportError, InputError
from faceport.exporters.passes.edit import copied
from faceport.exporters.precision.halves import halved, must_stay
from faceport.exporters.precision.kept import kept_by_name, with_names
from faceport.runtime.sessions import open_session

NONE: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def plain(tiny_bundle: Bundle) -> onnx.ModelProto:
    model = onnx.load(tiny_bundle.path / "model.onnx")
    with_names(model)
    return model


def outputs(model: onnx.ModelProto, path: Path, x: np.ndarray) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    onnx.save(model, path)
    session = open_session(path, "onnxruntime")
    values = session.run({"input": x})
    session.close()
    return values


@pytest.mark.parametrize("kept", ["nothing", "tail", "first", "all"])
def test_the_graph_stays_sorted_valid_and_fp32_outside(
    plain: onnx.ModelProto, tmp_path: Path, kept: str
) -> None:
    names = [node.name for node in plain.graph.node]
    chosen = {
        "nothing": NONE,
        "tail": must_stay(plain),
        "first": frozenset(names[:3]),
        "all": frozenset(names),
    }[kept]
    half = halved(plain, chosen)
    # The checker refuses a node that reads what only a later node computes.
    onnx.checker.check_model(half, full_check=True)
    ends = [*half.graph.input, *half.graph.output]
    assert {v.type.tensor_type.elem_type for v in ends} == {TensorProto.FLOAT}
    assert [v.name for v in ends] == ["input", "embedding", "norm"]
    x = np.random.default_rng(0).normal(size=(2, 3, 32, 24)).astype(np.float32)
    one, other = (
        outputs(model, tmp_path / f"{n}.onnx", x) for n, model in enumerate((plain, half))
    )
    assert other["embedding"] == pytest.approx(one["embedding"], abs=2e-3)
    if kept == "all":
        assert (other["embedding"] == one["embedding"]).all()


def test_the_norm_and_its_guard_stay(plain: onnx.ModelProto) -> None:
    types = {n.op_type for n in plain.graph.node if n.name in must_stay(plain)}
    assert types == {"ReduceL2", "Clip", "Div"}


def with_weight(plain: onnx.ModelProto, value: float) -> tuple[onnx.ModelProto, str, str]:
    """Change one number of a convolution's weight; give the weight's name and its node's."""
    model = copied(plain)
    node = next(node for node in model.graph.node if node.op_type == "Conv")
    weight = next(w for w in model.graph.initializer if w.name == node.input[1])
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] = value
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return model, weight.name, node.name


@pytest.mark.parametrize("value", [65536.0, -1e30])
def test_a_weight_beyond_65504_is_named_and_never_clipped(
    plain: onnx.ModelProto, value: float
) -> None:
    model, weight, node = with_weight(plain, value)
    with pytest.raises(ExportError, match=r"too large for fp16.*at most 65504") as caught:
        halved(model, NONE)
    assert weight in str(caught.value)
    assert "--keep-fp32" in str(caught.value)
    onnx.checker.check_model(halved(model, frozenset({node})), full_check=True)


def test_the_largest_half_passes(plain: onnx.ModelProto) -> None:
    model, weight, _ = with_weight(plain, 65504.0)
    half = halved(model, NONE)
    (found,) = (c for c in half.graph.initializer if c.name == f"{weight}.half")
    assert numpy_helper.to_array(found).max() == 65504


def test_nodes_are_kept_by_name_or_type_and_unknown_words_refused(plain: onnx.ModelProto) -> None:
    convolutions = {n.name for n in plain.graph.node if n.op_type == "Conv"}
    first = plain.graph.node[0].name
    assert kept_by_name(plain, ("Conv",)) == convolutions
    assert kept_by_name(plain, (first,)) == {first}
    with pytest.raises(InputError, match="no operator type of this graph; received Softmax"):
        kept_by_name(plain, ("Softmax",))
