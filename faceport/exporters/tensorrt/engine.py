"""An engine as an artefact: built, wrapped with its header, named by what it belongs to."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from faceport.bundle import Detail, sha256_of
from faceport.errors import MissingDependencyError, ProviderUnavailableError
from faceport.exporters.base import Exported, ExportOptions
from faceport.exporters.tensorrt.builder import Plan, build_plan
from faceport.exporters.tensorrt.naming import engine_name
from faceport.exporters.tensorrt.options import BuildOptions
from faceport.exporters.tensorrt.profile import batches_of
from faceport.runtime.tensorrt.cuda import Cuda, import_cuda
from faceport.runtime.tensorrt.device import Gpu, find_gpu
from faceport.runtime.tensorrt.engine_file import (
    Compatibility,
    EngineHeader,
    write_engine,
)
from faceport.runtime.tensorrt.modules import (
    MODULES,
    TENSORRT,
    TENSORRT_RTX,
    import_tensorrt,
    version_of,
)
from faceport.spec import ModelSpec

Backend = Literal["tensorrt", "tensorrt-rtx"]


def build(
    onnx_file: Path, spec: ModelSpec, precision: str, folder: Path, options: ExportOptions
) -> Exported:
    """Build an engine of TensorRT for the GPU that is here; see `EngineBuilder`."""
    chosen = BuildOptions(max_batch=options.max_batch)
    return build_engine(onnx_file, spec, precision, folder, "tensorrt", chosen)


def build_engine(
    onnx_file: Path,
    spec: ModelSpec,
    precision: str,
    folder: Path,
    backend: Backend,
    options: BuildOptions,
) -> Exported:
    """Build an engine and write its file.

    Args:
        onnx_file: of that precision.
        spec: of the model.
        precision: `fp32`, `fp16` or `int8`.
        folder: to write into.
        backend: `tensorrt`, which needs the GPU that it builds for, or `tensorrt-rtx`.
        options: see `BuildOptions`.

    Raises:
        MissingDependencyError: the backend's module, or cuda-bindings, is not installed.
        ProviderUnavailableError: `tensorrt` without a GPU.
        InputError: an option that the backend does not have.
        ExportError: the engine can't be built, or is not what was asked for.
    """
    gpu = _gpu(backend)
    trt = import_tensorrt(backend)
    version = version_of(trt)
    plan = build_plan(trt, backend, onnx_file, spec, precision, options, on_gpu=gpu is not None)
    owner = None if backend == TENSORRT_RTX else gpu
    header = _header(onnx_file, spec, precision, backend, options, version, owner, plan)
    name = engine_name(precision, backend, version, owner)
    write_engine(folder / name, header, plan.data)
    return Exported(
        file=name,
        tools={MODULES[backend]: version},
        notes=() if plan.engine_types else (_not_inspected(gpu),),
        details=_details(header, plan),
    )


def _gpu(backend: Backend) -> Gpu | None:
    """Return the GPU; TensorRT can't be given a builder without one, TensorRT-RTX can."""
    try:
        cuda = Cuda(import_cuda())
        gpu = find_gpu(cuda)
        cuda.use(gpu.index)
    except (MissingDependencyError, ProviderUnavailableError):
        if backend == TENSORRT:
            raise
        return None
    return gpu


def _header(
    onnx_file: Path,
    spec: ModelSpec,
    precision: str,
    backend: Backend,
    options: BuildOptions,
    version: str,
    gpu: Gpu | None,
    plan: Plan,
) -> EngineHeader:
    compatibility: Compatibility = "any" if gpu is None else options.hardware_compatible
    least, best, most = batches_of(spec, options)
    return EngineHeader(
        backend=backend,
        precision=precision,
        tensorrt=version,
        gpu=None if gpu is None else gpu.name,
        compute_capability=None if gpu is None else gpu.compute_capability,
        compatibility=compatibility,
        version_compatible=options.version_compatible,
        stripped=options.strip_weights,
        onnx_file=onnx_file.name,
        onnx_sha256=sha256_of(onnx_file),
        min_batch=least,
        opt_batch=best,
        max_batch=most,
        plan_bytes=len(plan.data),
        plan_sha256=hashlib.sha256(plan.data).hexdigest(),
        spec=spec,
    )


def _details(header: EngineHeader, plan: Plan) -> dict[str, Detail]:
    details: dict[str, Detail] = {
        "gpu": header.gpu or "any",
        "compute_capability": header.compute_capability or "any",
        "tensorrt": header.tensorrt,
        "onnx_sha256": header.onnx_sha256,
        "compatibility": header.compatibility,
        "min_batch": header.min_batch,
        "opt_batch": header.opt_batch,
        "max_batch": header.max_batch,
        "network_types": {name: float(count) for name, count in plan.network_types.items()},
    }
    if plan.engine_types:
        details["engine_types"] = {n: float(count) for n, count in plan.engine_types.items()}
    return details


def _not_inspected(gpu: Gpu | None) -> str:
    why = "there was no GPU" if gpu is None else "it was built without weights"
    return f"the types of the engine's own layers were not read: {why}; those of its network were"
