"""Which passes a target gets, and the proof that they change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from faceport.errors import FaceportError
from faceport.exporters.base import Target
from faceport.exporters.onnx_graph import check_interface
from faceport.exporters.onnx_simplify import check_same_outputs
from faceport.exporters.passes.edit import copied
from faceport.exporters.passes.identity_pool import remove_identity_pools
from faceport.exporters.passes.prelu import Form, rewrite_prelu
from faceport.spec import ModelSpec

if TYPE_CHECKING:
    from onnx import ModelProto

Pass = Callable[["ModelProto"], int]


def passes_for(target: Target, form: Form = "sum") -> Mapping[str, Pass]:
    """Return the passes that pay for a target, by what they do to a place in the graph.

    Args:
        target: TensorRT fuses PReLU itself, so its graphs keep it.
        form: how PReLU is written for onnxruntime: see `prelu`.
    """
    passes: dict[str, Pass] = {"pools of one element removed": remove_identity_pools}
    if target == "onnxruntime":
        passes[f"PReLUs written in {form} form"] = partial(rewrite_prelu, form=form)
    return passes


def with_passes(
    model: ModelProto, spec: ModelSpec, passes: Mapping[str, Pass], folder: Path
) -> tuple[ModelProto, tuple[str, ...]]:
    """Apply passes one after the other, each kept only if the graph still computes the same.

    Args:
        model: left as it is.
        spec: of the model.
        passes: by what they do.
        folder: for temporary files.

    Returns:
        The graph, and notes that say which passes were applied, how often, and which not and why.
    """
    notes = []
    for label, apply in passes.items():
        candidate = copied(model)
        count = apply(candidate)
        if not count:
            continue
        try:
            check_interface(candidate, spec, full=True)
            check_same_outputs(model, candidate, spec, folder)
        except FaceportError as error:
            notes.append(f"not done: {label}: {error}")
            continue
        model = candidate
        notes.append(f"{count} {label}")
    return model, tuple(notes)
