"""The builder's side of the fake TensorRT: networks from ONNX files, configurations, plans."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from fake_tensorrt_types import (
    IN_10,
    IN_11,
    LAYERS,
    BuilderFlag,
    DataType,
    HardwareCompatibilityLevel,
    ILogger,
    Layer,
    LayerType,
    MemoryPoolType,
    Tensor,
)

if TYPE_CHECKING:
    from fake_tensorrt import FakeTensorRt


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
