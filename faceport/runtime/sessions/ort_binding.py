"""onnxruntime's I/O binding: inputs and outputs stay in device memory, at the same addresses.

Without it onnxruntime allocates both at each run. A CUDA graph needs the addresses to stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from faceport.runtime.sessions.base import Array

MAX_BINDINGS = 8
"""Bindings kept, one a set of input shapes; a detector may be fed pictures of any size."""

Shapes = tuple[tuple[int, ...], ...]


class DeviceBinding:
    """Runs one session with its tensors on a device.

    Args:
        session: an onnxruntime `InferenceSession`.
        output_names: in the graph's order.
        device: onnxruntime's name of the memory: `cuda`, `cpu`.
        device_id: which one.
    """

    def __init__(
        self, session: Any, output_names: Sequence[str], device: str, device_id: int = 0
    ) -> None:
        self._session = session
        self._output_names = list(output_names)
        self._place = (device, device_id)
        self._bound: dict[Shapes, tuple[Any, dict[str, Any]]] = {}

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """Copy the inputs in, run, copy the outputs out: one array an output."""
        shapes = tuple(array.shape for array in feeds.values())
        if shapes in self._bound:
            binding, inputs = self._bound[shapes]
            for name, array in feeds.items():
                inputs[name].update_inplace(np.ascontiguousarray(array))
            self._session.run_with_iobinding(binding)
        else:
            binding = self._first_run(feeds, shapes)
        return list(binding.copy_outputs_to_cpu())

    def _first_run(self, feeds: Mapping[str, Array], shapes: Shapes) -> Any:
        from onnxruntime import OrtValue

        binding = self._session.io_binding()
        inputs = {
            name: OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), *self._place)
            for name, array in feeds.items()
        }
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name in self._output_names:
            binding.bind_output(name, *self._place)
        self._session.run_with_iobinding(binding)
        # Bound as they are, so that the next run of these shapes writes to the same memory.
        for name, value in zip(self._output_names, binding.get_outputs(), strict=True):
            binding.bind_ortvalue_output(name, value)
        if len(self._bound) == MAX_BINDINGS:
            del self._bound[next(iter(self._bound))]
        self._bound[shapes] = binding, inputs
        return binding
