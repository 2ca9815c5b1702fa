"""From an ONNX file to a plan: TensorRT's bytes, with what was found out on the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceport.errors import ExportError
from faceport.exporters.tensorrt.configuration import (
    check_options,
    configure,
    load_timing_cache,
    save_timing_cache,
)
from faceport.exporters.tensorrt.inspection import inspect_plan
from faceport.exporters.tensorrt.network import check_network, parse_network
from faceport.exporters.tensorrt.options import BuildOptions
from faceport.runtime.tensorrt.logger import last_error, make_logger
from faceport.spec import ModelSpec


@dataclass(frozen=True)
class Plan:
    """What TensorRT built.

    Attributes:
        data: its bytes.
        network_types: how many heavy layers of the network compute in which type.
        engine_types: how many layers of the engine give which type; empty where there is no GPU to
            ask the engine on.
    """

    data: bytes
    network_types: dict[str, int]
    engine_types: dict[str, int]


def build_plan(
    trt: Any,
    backend: str,
    onnx_file: Path,
    spec: ModelSpec,
    precision: str,
    options: BuildOptions,
    *,
    on_gpu: bool,
) -> Plan:
    """Build an engine on the current GPU; TensorRT-RTX needs none.

    Args:
        trt: `tensorrt` or `tensorrt_rtx`.
        backend: which of them it is.
        onnx_file: typed; external data lies beside it.
        spec: of the model; its dynamic axes make the profile.
        precision: that the file is of, to compare with what comes out.
        options: see `BuildOptions`.
        on_gpu: whether there is a GPU to inspect the engine on.

    Raises:
        InputError: an option that the backend does not have.
        ExportError: TensorRT can't read the file or can't build it, or what it built is not what
            was asked for.
    """
    check_options(options, backend, on_gpu=on_gpu)
    logger = make_logger(trt)
    builder = trt.Builder(logger)
    network = parse_network(trt, builder, onnx_file, logger)
    network_types = check_network(network, spec, precision, onnx_file.name)
    config = configure(trt, builder, spec, options)
    if options.timing_cache is not None:
        load_timing_cache(config, options.timing_cache)
    memory = builder.build_serialized_network(network, config)
    if memory is None:
        raise ExportError(
            f"TensorRT could not build {onnx_file.name}: {last_error(logger)}",
            fix="give it more memory (a smaller --max-batch, a larger --workspace), or keep the "
            "model on onnxruntime",
        )
    if options.timing_cache is not None:
        save_timing_cache(config, options.timing_cache)
    data = bytes(memory)
    engine_types = {}
    # Without its weights an engine can be asked for nothing.
    if on_gpu and not options.strip_weights:
        name = f"the engine of {onnx_file.name}"
        engine_types = inspect_plan(trt, data, logger, spec, precision, name)
    return Plan(data, network_types, engine_types)
