"""What the two torch backends share: a callable module behind the session protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from faceport.errors import MissingDependencyError, ProviderUnavailableError, SessionError
from faceport.runtime.sessions.base import Array, SessionOptions, check_feeds
from faceport.spec import ModelSpec


def import_torch() -> Any:
    """Return torch.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError("torch", "export") from error
    return torch


def pick_device(options: SessionOptions) -> str:
    """Return the first provider listed that torch has (`cpu`, `cuda`), and set the threads.

    Raises:
        ProviderUnavailableError: it has none of them.
    """
    torch = import_torch()
    if options.threads is not None:
        # Torch has one setting for the whole process.
        torch.set_num_threads(options.threads)
    for name in options.providers:
        if name == "cpu" or (name == "cuda" and torch.cuda.is_available()):
            return name
    raise ProviderUnavailableError(
        "torch does not have the provider here",
        received=", ".join(options.providers) or "an empty list",
        expected="cpu, or cuda where torch.cuda.is_available()",
        fix="install a CUDA build of torch, or list a fallback: --providers cuda,cpu",
    )


class TorchSession:
    """A loaded torch program. Its names, dtypes and shapes are those of the spec it carries."""

    def __init__(
        self, module: Callable[..., Any], backend: str, provider: str, spec: ModelSpec, name: str
    ) -> None:
        self.backend = backend
        self.provider = provider
        self.spec = spec
        self.inputs = spec.inputs
        self.outputs = spec.outputs
        self._module: Callable[..., Any] | None = module
        self._name = name

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the module once; see `Session.run`."""
        check_feeds(self.inputs, feeds)
        if self._module is None:
            raise SessionError(f"{self._name} is closed")
        torch = import_torch()
        try:
            with torch.inference_mode():
                arrays = [np.ascontiguousarray(feeds[item.name]) for item in self.inputs]
                values = self._module(*(torch.from_numpy(a).to(self.provider) for a in arrays))
                values = values if isinstance(values, tuple) else (values,)
                results = [value.cpu().numpy() for value in values]
        # Torch raises RuntimeError for nearly everything, and others besides.
        except Exception as error:
            raise SessionError(f"{self._name} did not run: {error}") from error
        if len(results) != len(self.outputs):
            raise SessionError(
                f"{self._name} does not give what its spec says",
                received=f"{len(results)} outputs",
                expected=len(self.outputs),
            )
        return {item.name: value for item, value in zip(self.outputs, results, strict=True)}

    def close(self) -> None:
        """Free the module."""
        self._module = None


def carried_spec(text: str | bytes, name: str) -> ModelSpec:
    """Read the spec that a torch artefact carries.

    Raises:
        SessionError: it carries none.
    """
    if not text:
        raise SessionError(
            f"{name} carries no spec",
            expected="a file written by `faceport export`",
            fix="export the checkpoint again",
        )
    return ModelSpec.from_json(text)
