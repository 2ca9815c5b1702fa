"""From a checkpoint to a torch module and its spec."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from faceport.converters.conversion import Conversion, ConvertOptions, Plan, Progress
from faceport.converters.locate import CheckpointFile, locate
from faceport.converters.readers import READERS
from faceport.converters.recognise import check_options, recognise
from faceport.converters.torchvision_style import plan_if_torchvision
from faceport.errors import MissingDependencyError, UnknownArchitectureError
from faceport.spec import ModelSpec, PreprocessSpec, Source, TensorSpec, Triple

if TYPE_CHECKING:
    import torch

    from faceport.converters.state import NetworkState

INPUT = "input"
EMBEDDING = "embedding"
NORM = "norm"
LANDMARKS = "landmarks"


def convert(
    checkpoint: str | Path,
    options: ConvertOptions | None = None,
    *,
    progress: Progress | None = None,
) -> Conversion:
    """Find a checkpoint's architecture and return it with its weights and spec.

    Args:
        checkpoint: a path, an http(s) URL, or `hf://owner/repo[@revision]/file`.
        options: what overrules detection and defaults.
        progress: called while a URL is fetched.

    Raises:
        InputError: an option is not known or does not fit the network.
        DownloadError: the URL could not be fetched, or has another hash.
        CheckpointReadError: the file is truncated, empty, not a checkpoint, or has another hash.
        UntrustedCheckpointError: it is a pickle that has to run code.
        UnknownArchitectureError: no known family has its keys.
        KeyMismatchError: the family is known, but keys or shapes differ.
        MissingDependencyError: torch, safetensors or huggingface_hub is not installed.
    """
    options = options or ConvertOptions()
    check_options(options)
    _require_torch()
    from faceport.converters.fill import fill

    file = locate(checkpoint, sha256=options.sha256, progress=progress)
    plan, state = _planned(file, options)
    weights_sha256, dropped = fill(plan, state)
    spec = replace(
        _spec(plan, options, file),
        weights_sha256=weights_sha256,
        dropped_keys=dropped,
        warnings=(*state.warnings, *plan.warnings),
    )
    return Conversion(_with_outputs(plan, normalize=options.normalize), spec)


def _planned(file: CheckpointFile, options: ConvertOptions) -> tuple[Plan, NetworkState]:
    """Read a file and find its layout, by the family's own reader where it has one."""
    from faceport.converters.checkpoint import read_checkpoint
    from faceport.converters.state import network_state

    read = READERS.get(options.family or "")
    if read is not None:
        return read(file, options)
    raw = read_checkpoint(file.path, trust=options.trust_checkpoint)
    state = network_state(raw, file.name)
    try:
        return recognise(state, options), state
    except UnknownArchitectureError:
        planned = plan_if_torchvision(raw, state, options)
        if planned is None:
            raise
        return planned


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingDependencyError("torch", "export") from error


def _with_outputs(plan: Plan, *, normalize: bool) -> torch.nn.Module:
    from faceport.models.outputs import DetectorOutputs, EmbedderOutputs, LandmarkOutputs

    if plan.task == "landmarks":
        size = plan.preprocess
        module: torch.nn.Module = LandmarkOutputs(
            plan.network, height=size.height, width=size.width
        )
    elif plan.task == "detector":
        module = DetectorOutputs(plan.network)
    else:
        module = EmbedderOutputs(plan.network, normalize=normalize)
    return module.eval()


def _spec(plan: Plan, options: ConvertOptions, file: CheckpointFile) -> ModelSpec:
    preprocess = _overruled(plan.preprocess, options)
    embedder = plan.task == "embedder"
    normalized = embedder and options.normalize
    return ModelSpec(
        task=plan.task,
        family=plan.family,
        arch=plan.arch,
        preprocess=preprocess,
        inputs=(_floats(INPUT, 3, preprocess.height, preprocess.width),),
        outputs=_outputs(plan, normalized=normalized),
        source=Source(file.name, file.sha256, plan.origin, plan.license),
        weights_sha256="",
        embedding_dim=plan.features if embedder else None,
        normalized=normalized,
        norm_output=NORM if normalized else None,
        pool=plan.pool,
        detector=plan.detector,
    )


def _outputs(plan: Plan, *, normalized: bool) -> tuple[TensorSpec, ...]:
    if plan.task == "landmarks":
        return (_floats(LANDMARKS, plan.features // 2, 2),)
    if plan.task == "detector":
        return plan.further
    norm = (_floats(NORM, 1),) if normalized else ()
    return (_floats(EMBEDDING, plan.features), *norm, *plan.further)


def _floats(name: str, *sizes: int) -> TensorSpec:
    return TensorSpec(name, "float32", ("batch", *sizes))


def _overruled(default: PreprocessSpec, options: ConvertOptions) -> PreprocessSpec:
    """Put the caller's values in; a default mean or deviation follows the colour order."""
    order = options.color_order or default.color_order
    turned = order != default.color_order
    return replace(
        default,
        color_order=order,
        mean=options.mean or _turned(default.mean, turned),
        std=options.std or _turned(default.std, turned),
    )


def _turned(values: Triple, turned: bool) -> Triple:
    return (values[2], values[1], values[0]) if turned else values
