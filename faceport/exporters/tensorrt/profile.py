"""The optimisation profile: the shapes that an engine is built for, by the spec's dynamic axes."""

from __future__ import annotations

from faceport.errors import ExportError
from faceport.exporters.tensorrt.options import BuildOptions
from faceport.runtime.detectors.detector import BATCH as DETECTOR_BATCH
from faceport.runtime.embedder import BATCH as EMBEDDER_BATCH
from faceport.spec import ModelSpec, PreprocessSpec

Shape = tuple[int, ...]
AXES = {"nchw": {"height": 2, "width": 3}, "nhwc": {"height": 1, "width": 2}}


def profile_of(spec: ModelSpec, options: BuildOptions) -> tuple[Shape, Shape, Shape]:
    """Return the smallest, the best and the largest shape of the input.

    The batch axis goes from 1 to `max_batch`, or what the model allows. Height and width, where
    they are dynamic, are the spec's; a detector that takes pictures of any size goes from one
    multiple of its stride to the longer of the spec's sides.

    Raises:
        ExportError: an axis is dynamic and the spec does not say what it is.
    """
    shapes = [_range(axis, size, spec, options) for axis, size in enumerate(spec.inputs[0].shape)]
    smallest, best, largest = zip(*shapes, strict=True)
    return smallest, best, largest


def batches_of(spec: ModelSpec, options: BuildOptions) -> tuple[int, int, int]:
    """Return the least, the best and the largest batch that the model allows."""
    first = spec.inputs[0].shape[0]
    if isinstance(first, int):
        return first, first, first
    wanted = options.max_batch or _fed_at_most(spec)
    most = min(wanted, spec.max_batch or wanted)
    return 1, min(options.opt_batch, most), most


def _fed_at_most(spec: ModelSpec) -> int:
    """Return how many rows the runtime feeds at most: more would take memory for nothing."""
    if spec.task != "detector":
        return EMBEDDER_BATCH
    return 1 if spec.preprocess.dynamic_size else DETECTOR_BATCH


def _range(
    axis: int, size: int | str, spec: ModelSpec, options: BuildOptions
) -> tuple[int, int, int]:
    if isinstance(size, int):
        return size, size, size
    if axis == 0:
        return batches_of(spec, options)
    preprocess = spec.preprocess
    for side, place in AXES[preprocess.layout].items():
        if place == axis:
            return _side(preprocess, side)
    raise ExportError(
        f"axis {axis} of input {spec.inputs[0].name!r} has no fixed size",
        received=size,
        expected="a dynamic batch, height or width, and no other",
    )


def _side(preprocess: PreprocessSpec, side: str) -> tuple[int, int, int]:
    best: int = getattr(preprocess, side)
    if not preprocess.dynamic_size:
        return best, best, best
    multiple = preprocess.size_multiple
    longest = max(max(preprocess.height, preprocess.width) // multiple, 1) * multiple
    return multiple, min(best, longest), longest
