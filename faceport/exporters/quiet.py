"""Third-party tools kept from writing on the terminal."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow prints, log lines and warnings inside the block.

    Exporters announce their progress on stdout, where a command's JSON goes, log tracebacks of
    things they then work around, and warn about their own internals. What matters of it is found
    by looking at the file they wrote. Exceptions pass through.
    """
    before = logging.root.manager.disable
    sink = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
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
