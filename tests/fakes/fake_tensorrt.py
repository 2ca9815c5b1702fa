"""TensorRT's Python module, as documented, over onnxruntime: its engines compute real numbers.

It stands for 10.x (flags and an inspector as there) or, by its version, for 11.x. `fails` names
calls that give what TensorRT gives when they fail.
"""

from __future__ import annotations

import base64
import ctypes
import enum
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fake_cuda import FakeCuda


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


class Network:
    def __init__(self, flags: int) -> None:
        self.created_with = flags
        self.onnx = b""
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.layers: list[Layer] = []

    num_inputs = property(lambda self: len(self.inputs))
    num_outputs = property(lambda self: len(self.outputs))
    num_layers = property(lambda self: len(self.layers))

    def get_input(self, index: int) -> Tensor:
        return self.inputs[index]

    def get_output(self, index: int) -> Tensor:
        return self.outputs[index]

    def get_layer(self, index: int) -> Layer:
        return self.layers[index]


class ParserError:
    def node_name(self) -> str:
        return "node_Conv_7"

    def node_operator(self) -> str:
        return "Conv"

    def desc(self) -> str:
        return "the kernel\n is odd"


class Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, list[tuple[int, ...]]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        if not all(a <= b <= c for a, b, c in zip(min, opt, max, strict=True)):
            raise ValueError("Shape provided for min is inconsistent with other shapes.")
        self.shapes[input] = [min, opt, max]


class TimingCache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content + b"+"


class Config:
    def __init__(self, fails: set[str]) -> None:
        self.flags = {BuilderFlag.TF32}
        self.pools: dict[MemoryPoolType, int] = {}
        self.profiles: list[Profile] = []
        self.cache: TimingCache | None = None
        self.profiling_verbosity: Any = None
        self.hardware_compatibility_level = HardwareCompatibilityLevel.NONE
        self._fails = fails

    def set_flag(self, flag: BuilderFlag) -> None:
        self.flags.add(flag)

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.flags.discard(flag)

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self.pools[pool] = pool_size

    def add_optimization_profile(self, profile: Profile) -> int:
        self.profiles.append(profile)
        return -1 if "add_optimization_profile" in self._fails else len(self.profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> TimingCache | None:
        damaged = serialized_timing_cache.startswith(b"damaged")
        return None if damaged else TimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        self.cache = cache
        return not cache.content.startswith(b"another GPU")

    def get_timing_cache(self) -> TimingCache | None:
        return self.cache


class FakeTensorRt:
    """Give an instance where the module is wanted.

    Args:
        cuda: whose streams and memory its contexts use.
        version: `10.3.0.30`, `11.4.0.106`.
    """

    ILogger = ILogger
    DataType = DataType
    TensorIOMode = TensorIOMode
    LayerInformationFormat = LayerInformationFormat
    ProfilingVerbosity = ProfilingVerbosity
    MemoryPoolType = MemoryPoolType
    NetworkDefinitionCreationFlag = NetworkDefinitionCreationFlag
    BuilderFlag = BuilderFlag
    HardwareCompatibilityLevel = HardwareCompatibilityLevel

    def __init__(self, cuda: FakeCuda, version: str = "10.3.0.30") -> None:
        self.__version__ = version
        self.cuda = cuda
        self.fails: set[str] = set()
        self.networks: list[Network] = []
        self.configs: list[Config] = []
        self.touched = 0

    def refused(self, name: str, logger: ILogger) -> bool:
        """Whether a call is to fail; TensorRT then says why to its logger."""
        self.touched += 1
        if name in self.fails:
            logger.log(ILogger.ERROR, f"[{name}] what TensorRT says of it")
        return name in self.fails

    def Builder(self, logger: ILogger) -> Builder:
        return Builder(self, logger)

    def OnnxParser(self, network: Network, logger: ILogger) -> OnnxParser:
        return OnnxParser(self, network, logger)

    def Runtime(self, logger: ILogger) -> Runtime:
        return Runtime(self, logger)

    def Refitter(self, engine: Engine, logger: ILogger) -> Refitter:
        return Refitter(self, engine, logger)

    def OnnxParserRefitter(self, refitter: Refitter, logger: ILogger) -> OnnxParserRefitter:
        return OnnxParserRefitter(refitter)


class OnnxParser:
    def __init__(self, trt: FakeTensorRt, network: Network, logger: ILogger) -> None:
        self._trt, self._network, self._logger = trt, network, logger
        self.num_errors = 0

    def get_error(self, index: int) -> ParserError:
        return ParserError()

    def parse_from_file(self, model: str) -> bool:
        import onnx
        from onnx.shape_inference import infer_shapes

        if self._trt.refused("parse_from_file", self._logger):
            self.num_errors = 5
            return False
        graph = infer_shapes(onnx.load(model)).graph
        values = [*graph.input, *graph.output, *graph.value_info]
        types = {value.name: value.type.tensor_type for value in values}

        def tensor(name: str) -> Tensor:
            found = types[name]
            dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(found.elem_type))
            dims = (d.dim_value if d.HasField("dim_value") else -1 for d in found.shape.dim)
            return Tensor(name, DataType(dtype), tuple(dims))

        constants = {value.name for value in graph.initializer}
        self._network.inputs = [tensor(v.name) for v in graph.input if v.name not in constants]
        self._network.outputs = [tensor(v.name) for v in graph.output]
        self._network.layers = [
            Layer(
                node.name,
                LAYERS.get(node.op_type, LayerType.ELEMENTWISE),
                [tensor(name) for name in node.output if name in types],
            )
            for node in graph.node
        ]
        with open(model, "rb") as handle:
            self._network.onnx = handle.read()
        return True


class Builder:
    def __init__(self, trt: FakeTensorRt, logger: ILogger) -> None:
        self._trt, self._logger = trt, logger

    def create_network(self, flags: int = 0) -> Network:
        self._trt.networks.append(Network(flags))
        return self._trt.networks[-1]

    def create_builder_config(self) -> Config:
        self._trt.configs.append(Config(self._trt.fails))
        return self._trt.configs[-1]

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Network, config: Config) -> bytes | None:
        if self._trt.refused("build_serialized_network", self._logger):
            return None
        names = IN_10 if self._trt.__version__.startswith("10.") else IN_11
        field = "Format/Datatype" if names is IN_10 else "Datatype"
        layers: list[Any] = [
            {"Name": layer.name, "Outputs": [{field: names.get(t.dtype.name, t.dtype.name)}]}
            for layer in network.layers
            for t in layer._outputs
        ]
        if "low precision" in self._trt.fails:
            layers.append({"Name": "sneaky", "Outputs": [{field: names["HALF"]}]})
        stripped = BuilderFlag.STRIP_PLAN in config.flags
        plan = {
            "onnx": "" if stripped else base64.b64encode(network.onnx).decode(),
            "profile": config.profiles[0].shapes,
            "layers": layers,
            "inputs": [(t.name, t.dtype.name) for t in network.inputs],
            "outputs": [(t.name, t.dtype.name, t.shape) for t in network.outputs],
        }
        return json.dumps(plan).encode()


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
