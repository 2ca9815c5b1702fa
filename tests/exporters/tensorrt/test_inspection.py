from __future__ import annotations

import json
from collections import Counter

import pytest

from faceport.errors import ExportError
from faceport.exporters.tensorrt.inspection import layer_types


def test_types_as_tensorrt_10_writes_them() -> None:
    outputs = [
        {"Name": "a", "Format/Datatype": "Row major linear FP32"},
        {"Name": "b", "Format/Datatype": "Channel major FP16 format where channel % 8 == 0"},
        {
            "Name": "c",
            "Format/Datatype": "Thirty-two wide channel vectorized row major Int8 format",
        },
    ]
    layers = [{"Name": f"layer {o['Name']}", "Outputs": [o]} for o in outputs]
    text = json.dumps({"Layers": [*layers, layers[1]], "Bindings": ["a"]})
    assert layer_types(text) == Counter({"HALF": 2, "FLOAT": 1, "INT8": 1})


def test_types_as_tensorrt_11_writes_them() -> None:
    outputs = [{"Name": "a", "Datatype": "Half", "Format": "Channel major format"}]
    outputs += [{"Name": "b", "Datatype": "Float", "Format": "Row major linear format"}]
    text = json.dumps({"Layers": [{"Name": "two", "Outputs": outputs}], "I/O Tensors": []})
    assert layer_types(text) == Counter({"HALF": 1, "FLOAT": 1})


@pytest.mark.parametrize("text", ["", "[]", "{}", "no JSON"])
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(ExportError, match="inspector"):
        layer_types(text)
