"""TensorRT's messages: kept, so that an error can say what TensorRT said, and never printed."""

from __future__ import annotations

from typing import Any

KEPT = 200
"""Messages kept, the last ones; a build at verbose level writes thousands."""


def make_logger(trt: Any) -> Any:
    """Return a logger for TensorRT; `errors` are its messages of severity error and above.

    The class is made here because its base is in the module that is passed in.
    """

    class Collecting(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors = [*self.errors[1 - KEPT :], message]

    return Collecting()


def last_error(logger: Any) -> str:
    """Return what TensorRT said of its last failure."""
    # The last message is often a generic one; the first of a failure names the cause.
    return logger.errors[0] if logger.errors else "TensorRT gave no reason"
