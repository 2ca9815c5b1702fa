"""From an engine's bytes to something that can be run: the engine, its context, its limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faceport.errors import SessionError
from faceport.runtime.tensorrt.buffers import Shape, dtype_of
from faceport.runtime.tensorrt.cuda import out_of_memory
from faceport.runtime.tensorrt.engine_file import EngineHeader, rebuild
from faceport.runtime.tensorrt.logger import last_error, make_logger
from faceport.runtime.tensorrt.refit import refit

PROFILE = 0
"""The one optimisation profile of our engines."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of an engine.

    Attributes:
        dtype: of its values.
        smallest: shape at the beginning of the profile; of an output, the same as `largest`.
        largest: shape at its end.
    """

    dtype: np.dtype[Any]
    smallest: Shape
    largest: Shape


@dataclass(frozen=True)
class Engine:
    """A loaded engine.

    Attributes:
        context: TensorRT's execution context, on profile 0.
        inputs: by name.
        outputs: by name.
        logger: what TensorRT said.
        owners: what must live as long as the context: runtime and engine.
    """

    context: Any
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    logger: Any
    owners: tuple[Any, ...]


def load_engine(
    trt: Any, path: Path, header: EngineHeader, plan: bytes, *, cuda_graph: bool
) -> Engine:
    """Deserialise an engine on the current GPU.

    Args:
        trt: `tensorrt` or `tensorrt_rtx`.
        path: of the engine's file, for messages and for the ONNX file beside it.
        header: what the file says.
        plan: TensorRT's bytes.
        cuda_graph: whether TensorRT-RTX is to record CUDA graphs itself.

    Raises:
        SessionError: TensorRT refuses it, the GPU is out of memory, or it is not what its header
            says.
    """
    logger = make_logger(trt)
    runtime = trt.Runtime(logger)
    if header.version_compatible:
        # Such a plan brings the code of the TensorRT that built it.
        runtime.engine_host_code_allowed = True
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise SessionError(
            f"TensorRT could not load {path.name}: {last_error(logger)}",
            fix=rebuild(path, header),
        )
    if header.stripped:
        refit(trt, engine, logger, path, header)
    context = _context(trt, engine, cuda_graph)
    if context is None:
        raise out_of_memory(f"making room for {path.name} ({last_error(logger)})")
    inputs, outputs = _tensors(trt, engine, context, path)
    _check_interface(path, header, inputs, outputs)
    return Engine(context, inputs, outputs, logger, (runtime, engine))


def _context(trt: Any, engine: Any, cuda_graph: bool) -> Any:
    if not (cuda_graph and hasattr(trt, "CudaGraphStrategy")):
        return engine.create_execution_context()
    config = engine.create_runtime_config()
    config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    return engine.create_execution_context(config)


def _tensors(
    trt: Any, engine: Any, context: Any, path: Path
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    is_input = {name: engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names}
    inputs = {}
    for name in (n for n in names if is_input[n]):
        smallest, _, largest = engine.get_tensor_profile_shape(name, PROFILE)
        dtype = dtype_of(engine.get_tensor_dtype(name), name)
        inputs[name] = Tensor(dtype, tuple(smallest), tuple(largest))
        set_shape(context, name, tuple(largest), path.name)
    outputs = {}
    for name in (n for n in names if not is_input[n]):
        largest = tuple(context.get_tensor_shape(name))
        if any(size < 0 for size in largest):
            raise SessionError(
                f"the size of output {name!r} of {path.name} depends on the values of its input",
                received=largest,
                expected="an output whose size follows from the input's",
            )
        outputs[name] = Tensor(dtype_of(engine.get_tensor_dtype(name), name), largest, largest)
    return inputs, outputs


def set_shape(context: Any, name: str, shape: Shape, subject: str) -> None:
    """Tell a context an input's shape.

    Raises:
        SessionError: TensorRT refuses it.
    """
    if not context.set_input_shape(name, shape):
        raise SessionError(f"{subject} does not take input {name!r}", received=shape)


def _check_interface(
    path: Path, header: EngineHeader, inputs: dict[str, Tensor], outputs: dict[str, Tensor]
) -> None:
    found = {name: tensor.dtype.name for name, tensor in (inputs | outputs).items()}
    expected = {item.name: item.dtype for item in (*header.spec.inputs, *header.spec.outputs)}
    if found != expected:
        raise SessionError(
            f"{path.name} is not what its header says",
            received=found,
            expected=expected,
            fix=rebuild(path, header),
        )
