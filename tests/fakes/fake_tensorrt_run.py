"""The runtime's side of the fake TensorRT: engines that compute with onnxruntime."""

from __future__ import annotations

import base64
import ctypes
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from fake_tensorrt_types import DataType, ILogger, LayerInformationFormat, TensorIOMode

if TYPE_CHECKING:
    from fake_tensorrt import FakeTensorRt


class Runtime:
    def __init__(self, trt: FakeTensorRt, logger: ILogger) -> None:
        self._trt, self._logger = trt, logger
        self.engine_host_code_allowed = False

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Engine | None:
        if self._trt.refused("deserialize_cuda_engine", self._logger):
            return None
        return Engine(self._trt, self._logger, json.loads(serialized_engine))


class Engine:
    def __init__(self, trt: FakeTensorRt, logger: ILogger, plan: dict[str, Any]) -> None:
        self.trt, self.logger, self.plan = trt, logger, plan
        self.weights = base64.b64decode(plan["onnx"])
        self.names = [name for name, *_ in (*plan["inputs"], *plan["outputs"])]
        self.num_io_tensors = len(self.names)
        self.graph_strategy: Any = None

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        is_input = name in [item[0] for item in self.plan["inputs"]]
        return TensorIOMode.INPUT if is_input else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        items = (*self.plan["inputs"], *self.plan["outputs"])
        odd = {"BF16 output": "BF16", "another dtype": "INT32"}
        for failure, dtype in odd.items():
            if failure in self.trt.fails:
                return DataType[dtype]
        return DataType[next(item[1] for item in items if item[0] == name)]

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[list[int]]:
        shapes: list[list[int]] = self.plan["profile"][name]
        return shapes

    def create_runtime_config(self) -> Engine:
        return self

    def create_execution_context(self, runtime_config: Any = None) -> Context | None:
        refused = self.trt.refused("create_execution_context", self.logger)
        return None if refused else Context(self)

    def create_engine_inspector(self) -> Inspector:
        return Inspector(self)


class Inspector:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get_engine_information(self, format: LayerInformationFormat) -> str:
        if "get_engine_information" in self._engine.trt.fails:
            return "no JSON"
        return json.dumps({"Layers": ["a layer by name only", *self._engine.plan["layers"]]})


class Context:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._session: Any = None
        self.executions = 0

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = tuple(shape)
        return "set_input_shape" not in self._engine.trt.fails

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if "output of unknown size" in self._engine.trt.fails:
            return (-1, 4)
        if name in self._shapes:
            return self._shapes[name]
        return self._run({n: self._zeros(n, s) for n, s in self._shapes.items()})[name].shape

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        if self._engine.trt.refused("execute_async_v3", self._engine.logger):
            return False
        shapes = dict(self._shapes)
        self._engine.trt.cuda.enqueue(stream_handle, lambda: self._compute(shapes))
        return True

    def _compute(self, shapes: dict[str, tuple[int, ...]]) -> None:
        self.executions += 1
        feeds = {}
        for name, shape in shapes.items():
            array = self._zeros(name, shape)
            ctypes.memmove(array.ctypes.data, self._addresses[name], array.nbytes)
            feeds[name] = array
        for name, value in self._run(feeds).items():
            data = np.ascontiguousarray(value).tobytes()
            room = len(self._engine.trt.cuda.memory[self._addresses[name]])
            if len(data) > room:
                raise MemoryError(f"{name}: {len(data)} bytes into {room}")
            ctypes.memmove(self._addresses[name], data, len(data))

    def _zeros(self, name: str, shape: tuple[int, ...]) -> Any:
        inputs = {item[0]: item[1] for item in self._engine.plan["inputs"]}
        return np.zeros(shape, DataType[inputs[name]].value)

    def _run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        import onnxruntime

        names = [item[0] for item in self._engine.plan["outputs"]]
        if self._session is None:
            self._session = onnxruntime.InferenceSession(
                self._engine.weights, providers=["CPUExecutionProvider"]
            )
        return dict(zip(names, self._session.run(names, feeds), strict=True))


class Refitter:
    def __init__(self, trt: FakeTensorRt, engine: Engine, logger: ILogger) -> None:
        self.trt, self.engine, self.logger = trt, engine, logger

    def refit_cuda_engine(self) -> bool:
        return not self.trt.refused("refit_cuda_engine", self.logger)


class OnnxParserRefitter:
    def __init__(self, refitter: Refitter) -> None:
        self._refitter = refitter

    def refit_from_file(self, model_file: str) -> bool:
        with open(model_file, "rb") as handle:
            self._refitter.engine.weights = handle.read()
        return True
