"""One run after another on one stream: copy in, enqueue (or launch a recorded graph), copy out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from faceport.errors import SessionError
from faceport.runtime.sessions.base import Array
from faceport.runtime.tensorrt.buffers import allocate_buffers
from faceport.runtime.tensorrt.cuda import Cuda
from faceport.runtime.tensorrt.engine import Engine, set_shape
from faceport.runtime.tensorrt.logger import last_error

MAX_GRAPHS = 8
"""CUDA graphs kept, one a set of input shapes."""

Shapes = tuple[tuple[int, ...], ...]


class Runner:
    """Runs an engine.

    Args:
        cuda: of the GPU that the engine is on.
        engine: loaded.
        device: the GPU's number.
        name: of the engine, for messages.
        record: whether to record a CUDA graph at the second run of the same shapes.
    """

    def __init__(
        self, cuda: Cuda, engine: Engine, device: int, name: str, *, record: bool = False
    ) -> None:
        self._cuda = cuda
        self._engine = engine
        self._device = device
        self._name = name
        self._record = record
        self._seen: set[Shapes] = set()
        self._graphs: dict[Shapes, Any] = {}
        with ExitStack() as stack:
            self._stream = cuda.stream()
            stack.callback(cuda.destroy_stream, self._stream)
            tensors = (engine.inputs | engine.outputs).items()
            sizes = {tensor: (what.dtype, what.largest) for tensor, what in tensors}
            self._buffers = allocate_buffers(cuda, stack, sizes)
            for tensor, buffer in self._buffers.items():
                engine.context.set_tensor_address(tensor, buffer.device)
            self._stack = stack.pop_all()

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run once; the feeds are within the profile.

        Raises:
            SessionError: CUDA or TensorRT failed.
        """
        cuda, context = self._cuda, self._engine.context
        # The current GPU is a thread's own affair.
        cuda.use(self._device)
        for name, array in feeds.items():
            set_shape(context, name, array.shape, self._name)
            buffer = self._buffers[name]
            cuda.copy_in(buffer.device, buffer.host, buffer.write(array), self._stream)
        self._enqueue(tuple(array.shape for array in feeds.values()))
        shapes = {name: tuple(context.get_tensor_shape(name)) for name in self._engine.outputs}
        for name, shape in shapes.items():
            buffer = self._buffers[name]
            cuda.copy_out(buffer.host, buffer.device, buffer.nbytes(shape), self._stream)
        cuda.wait(self._stream)
        return {name: self._buffers[name].read(shape) for name, shape in shapes.items()}

    def close(self) -> None:
        """Free graphs, memory and stream."""
        self._cuda.use(self._device)
        self._stack.close()

    def _enqueue(self, shapes: Shapes) -> None:
        if shapes in self._graphs:
            self._cuda.launch(self._graphs[shapes], self._stream)
            return
        # TensorRT sets itself up at the first run of a shape; that must not be recorded.
        if self._record and shapes in self._seen and len(self._graphs) < MAX_GRAPHS:
            self._graphs[shapes] = self._recorded()
            self._cuda.launch(self._graphs[shapes], self._stream)
            return
        self._execute()
        self._seen.add(shapes)

    def _recorded(self) -> Any:
        self._cuda.begin_capture(self._stream)
        try:
            self._execute()
        except SessionError:
            # Else the stream stays in recording.
            self._cuda.destroy_graph(self._cuda.end_capture(self._stream))
            raise
        graph = self._cuda.end_capture(self._stream)
        self._stack.callback(self._cuda.destroy_graph, graph)
        return graph

    def _execute(self) -> None:
        if not self._engine.context.execute_async_v3(self._stream):
            raise SessionError(f"{self._name} did not run: {last_error(self._engine.logger)}")
