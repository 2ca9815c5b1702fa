"""Third-party tools kept from writing on the terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow prints, log lines and warnings of the code inside the block.

    Exporters announce their progress on stdout, where a command's JSON goes, print graphs on
    stderr, log tracebacks of things they then work around, and warn about their own internals. What
    matters of it is found by looking at the file they wrote. Exceptions pass through.
    """
    before = logging.root.manager.disable
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(_OtherThreads(sys.stdout)),
        contextlib.redirect_stderr(_OtherThreads(sys.stderr)),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, shortened: torch writes pages."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]}"


class _OtherThreads:
    """A stream that drops what its own thread writes; the others' is a progress display's."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._owner = threading.get_ident()

    def write(self, text: str) -> int:
        if threading.get_ident() == self._owner:
            return len(text)
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
