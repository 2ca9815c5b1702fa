"""Enums, tensors and layers of the fake TensorRT, by the names that the real one has."""

from __future__ import annotations

import enum

import numpy as np


class DataType(enum.Enum):
    FLOAT = np.dtype(np.float32)
    HALF = np.dtype(np.float16)
    INT8 = np.dtype(np.int8)
    UINT8 = np.dtype(np.uint8)
    INT32 = np.dtype(np.int32)
    INT64 = np.dtype(np.int64)
    BOOL = np.dtype(np.bool_)
    BF16 = "bf16"


class TensorIOMode(enum.Enum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class LayerType(enum.Enum):
    CONVOLUTION = 0
    MATRIX_MULTIPLY = 1
    QUANTIZE = 2
    ELEMENTWISE = 3


class LayerInformationFormat(enum.Enum):
    ONELINE = 0
    JSON = 1


class ProfilingVerbosity(enum.Enum):
    DETAILED = 2


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


class BuilderFlag(enum.Enum):
    REFIT = 0
    TF32 = 1
    VERSION_COMPATIBLE = 2
    STRIP_PLAN = 3
    REFIT_IDENTICAL = 4


class HardwareCompatibilityLevel(enum.Enum):
    NONE = 0
    AMPERE_PLUS = 1


LAYERS = {
    "Conv": LayerType.CONVOLUTION,
    "Gemm": LayerType.MATRIX_MULTIPLY,
    "MatMul": LayerType.MATRIX_MULTIPLY,
    "QuantizeLinear": LayerType.QUANTIZE,
}
IN_10 = {"FLOAT": "Row major linear FP32", "HALF": "Channel major FP16 format", "INT8": "Row Int8"}
IN_11 = {"FLOAT": "Float", "HALF": "Half", "INT8": "Int8"}


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    def log(self, severity: int, message: str) -> None:
        raise NotImplementedError


class Tensor:
    def __init__(self, name: str, dtype: DataType, shape: tuple[int, ...] = ()) -> None:
        self.name = name
        self.dtype = dtype
        self.shape = shape


class Layer:
    def __init__(self, name: str, kind: LayerType, outputs: list[Tensor]) -> None:
        self.name = name
        self.type = kind
        self._outputs = outputs
        self.num_outputs = len(outputs)

    def get_output(self, index: int) -> Tensor:
        return self._outputs[index]
