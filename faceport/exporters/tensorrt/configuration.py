"""From options to TensorRT's builder configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faceport.atomic import atomic_file
from faceport.errors import ExportError, InputError
from faceport.exporters.tensorrt.options import BuildOptions
from faceport.exporters.tensorrt.profile import profile_of
from faceport.runtime.tensorrt.modules import TENSORRT_RTX
from faceport.spec import ModelSpec

MIB = 1 << 20
LEVELS = {"same-compute-capability": "SAME_COMPUTE_CAPABILITY", "ampere-plus": "AMPERE_PLUS"}


def check_options(options: BuildOptions, backend: str, *, on_gpu: bool) -> None:
    """Refuse what a backend does not have.

    Raises:
        InputError: TensorRT-RTX was asked for something of TensorRT's, or for something that it
            builds on a GPU only.
    """
    if backend != TENSORRT_RTX:
        return
    if (options.refit or options.strip_weights) and not on_gpu:
        raise InputError(
            "TensorRT-RTX builds engines whose weights can be replaced on a GPU only",
            fix="build on a machine with one, or leave --refit and --strip-weights out",
        )
    if options.timing_cache is not None or options.hardware_compatible != "none":
        raise InputError(
            "TensorRT-RTX has no timing cache and no hardware compatibility to choose: it compiles "
            "for the GPU when it loads an engine",
            fix="leave the options out, or build with --backend tensorrt",
        )
    if options.version_compatible:
        raise InputError(
            "an engine of TensorRT-RTX belongs to one version of it",
            fix="leave --version-compatible out",
        )


def configure(trt: Any, builder: Any, spec: ModelSpec, options: BuildOptions) -> Any:
    """Return the builder's configuration.

    Raises:
        ExportError: this TensorRT lacks something that was asked for, or refuses the profile.
    """
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if options.workspace_mib is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * MIB)
    wanted = {
        "VERSION_COMPATIBLE": options.version_compatible,
        "REFIT": options.refit,
        # For weights that are the same as at the build: no slower, and none are dropped.
        "REFIT_IDENTICAL": options.strip_weights and not options.refit,
        "STRIP_PLAN": options.strip_weights,
    }
    for name in (name for name, asked in wanted.items() if asked):
        config.set_flag(_member(trt, "BuilderFlag", name))
    # On by default, and no part of what the ONNX file says.
    if not options.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if options.hardware_compatible != "none":
        level = _member(trt, "HardwareCompatibilityLevel", LEVELS[options.hardware_compatible])
        config.hardware_compatibility_level = level
    _add_profile(builder, config, spec, options)
    return config


def load_timing_cache(config: Any, path: Path) -> None:
    """Give a build what earlier ones measured.

    Raises:
        ExportError: the file can't be read, or is of another device or version.
    """
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise ExportError(f"{path} could not be read: {error.strerror or error}") from error
    cache = config.create_timing_cache(content)
    if cache is None or not config.set_timing_cache(cache, False):
        raise ExportError(
            f"{path} is no timing cache of this GPU and this TensorRT",
            fix="remove it, or give another file with --timing-cache",
        )


def save_timing_cache(config: Any, path: Path) -> None:
    """Keep what a build measured."""
    with atomic_file(path, ExportError) as partial:
        partial.write_bytes(bytes(config.get_timing_cache().serialize()))


def _add_profile(builder: Any, config: Any, spec: ModelSpec, options: BuildOptions) -> None:
    shapes = profile_of(spec, options)
    profile = builder.create_optimization_profile()
    try:
        profile.set_shape(spec.inputs[0].name, *shapes)
    except ValueError as error:
        raise ExportError(f"TensorRT refuses the shapes {shapes}: {error}") from error
    if config.add_optimization_profile(profile) < 0:
        raise ExportError("TensorRT refuses the shapes", received=shapes)


def _member(trt: Any, enum: str, name: str) -> Any:
    member = getattr(getattr(trt, enum), name, None)
    if member is None:
        raise ExportError(
            "this TensorRT lacks an option", received=f"{enum}.{name} with {trt.__version__}"
        )
    return member
