"""Read from a graph's input what it says: dtype, layout, batch and size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from faceport.errors import ExportError, InputError
from faceport.spec import Layout, TensorSpec

CHANNELS = 3
LARGEST = 8192
"""Pixels a side: no published face model takes as many, and one picture more would fill memory."""


@dataclass(frozen=True)
class GraphInput:
    """The one input of a graph. None is an open axis.

    Attributes:
        name: of the input.
        dtype: float32 or uint8.
        layout: where the channels are.
        batch_is_open: whether the batch axis takes any number; else it is 1.
        height: in pixels.
        width: in pixels.
    """

    name: str
    dtype: Literal["float32", "uint8"]
    layout: Layout
    batch_is_open: bool
    height: int | None
    width: int | None

    def tensor_spec(self) -> TensorSpec:
        """Describe the input, open axes by faceport's names."""
        batch: int | str = "batch" if self.batch_is_open else 1
        height, width = self.height or "height", self.width or "width"
        pixels = (CHANNELS, height, width) if self.layout == "nchw" else (height, width, CHANNELS)
        return TensorSpec(self.name, self.dtype, (batch, *pixels))


def read_input(inputs: Sequence[TensorSpec], layout: Layout | None = None) -> GraphInput:
    """Read the input of a picture model.

    Args:
        inputs: of the session.
        layout: the caller's word, for a graph whose channel axis is open.

    Raises:
        ExportError: the input is no batch of three-channel pictures that the runtime can make.
        InputError: the layout is not in the graph and was not given, or contradicts it.
    """
    if len(inputs) != 1:
        names = ", ".join(f"{entry.name} {entry.shape}" for entry in inputs)
        raise ExportError("the model has another number of inputs", received=names, expected=1)
    entry = inputs[0]
    if entry.dtype not in ("float32", "uint8"):
        raise ExportError(
            f"input {entry.name!r} has a dtype that pictures are not made in",
            received=entry.dtype,
            expected="float32, or uint8 for raw pixels",
            fix="convert the model with float32 inputs and outputs (keep_io_types for fp16)",
        )
    if len(entry.shape) != 4:
        raise _no_pictures(entry)
    found = _layout(entry, layout)
    batch = entry.shape[0]
    if isinstance(batch, int) and batch != 1:
        raise ExportError(
            f"input {entry.name!r} takes {batch} pictures at a time, no fewer",
            received=f"batch axis fixed at {batch}",
            expected="a batch axis that is open, or 1",
            fix="export the model again with a dynamic batch axis",
        )
    height, width = entry.shape[2:] if found == "nchw" else entry.shape[1:3]
    if any(isinstance(side, int) and side > LARGEST for side in (height, width)):
        raise ExportError(
            f"input {entry.name!r} takes pictures that are too large",
            received=f"height {height}, width {width}",
            expected=f"at most {LARGEST} pixels a side",
        )
    return GraphInput(
        entry.name,
        "float32" if entry.dtype == "float32" else "uint8",
        found,
        isinstance(batch, str),
        height if isinstance(height, int) else None,
        width if isinstance(width, int) else None,
    )


def _layout(entry: TensorSpec, given: Layout | None) -> Layout:
    channels: dict[Layout, int | str] = {"nchw": entry.shape[1], "nhwc": entry.shape[3]}
    fitting: list[Layout] = [name for name, size in channels.items() if size == CHANNELS]
    if not fitting:
        # An open axis may be the channels; a fixed one of another size is not.
        fitting = [name for name, size in channels.items() if isinstance(size, str)]
        if fitting and given is None:
            raise InputError(
                f"the shape of input {entry.name!r} does not tell where the channels are",
                received=entry.shape,
                fix="give the layout: --layout nchw or --layout nhwc",
            )
    if not fitting:
        raise _no_pictures(entry)
    if given is not None and given not in fitting:
        raise InputError(
            f"the layout contradicts input {entry.name!r}",
            received=f"{given} for shape {entry.shape}",
            expected=" or ".join(fitting),
        )
    return given or fitting[0]


def _no_pictures(entry: TensorSpec) -> ExportError:
    return ExportError(
        f"input {entry.name!r} takes no colour pictures",
        received=f"shape {entry.shape}",
        expected="(batch, 3, height, width) or (batch, height, width, 3)",
    )
