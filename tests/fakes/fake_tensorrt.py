"""TensorRT's Python module, as documented, over onnxruntime: its engines compute real numbers.

It stands for 10.x (flags and an inspector as there) or, by its version, for 11.x. `fails` names
calls that give what TensorRT gives when they fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_tensorrt_build import (
    Builder,
    Config,
    Network,
    OnnxParser,
    ParserError,
    Profile,
    TimingCache,
)
from fake_tensorrt_run import (
    Context,
    Engine,
    Inspector,
    OnnxParserRefitter,
    Refitter,
    Runtime,
)
from fake_tensorrt_types import (
    BuilderFlag,
    DataType,
    HardwareCompatibilityLevel,
    ILogger,
    Layer,
    LayerInformationFormat,
    LayerType,
    MemoryPoolType,
    NetworkDefinitionCreationFlag,
    ProfilingVerbosity,
    Tensor,
    TensorIOMode,
)

if TYPE_CHECKING:
    from fake_cuda import FakeCuda

__all__ = [
    "BuilderFlag",
    "Config",
    "Context",
    "DataType",
    "FakeTensorRt",
    "Inspector",
    "Layer",
    "LayerType",
    "Network",
    "ParserError",
    "Profile",
    "Tensor",
    "TimingCache",
]


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
