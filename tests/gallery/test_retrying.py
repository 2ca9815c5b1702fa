from __future__ import annotations

import pytest

from faceport.errors import GalleryError, GalleryInterruptedError, GalleryUnreachableError
from faceport.gallery.retrying import ATTEMPTS, retrying


@retrying
class Counter:
    """Fails so often, then answers how often it was asked."""

    def __init__(self, failures: int, error: type[GalleryError] = GalleryInterruptedError) -> None:
        self.failures = failures
        self.error = error
        self.asked = 0

    def ask(self, more: int = 0, *, extra: int = 0) -> int:
        """Say how often."""
        self.asked += 1
        if self.asked <= self.failures:
            raise self.error("lost")
        return self.asked + more + extra

    @property
    def asking(self) -> int:
        return self.ask()

    @classmethod
    def made(cls) -> Counter:
        return cls(1)


@pytest.mark.parametrize("failures", range(ATTEMPTS))
def test_what_was_interrupted_is_done_again(failures: int) -> None:
    assert Counter(failures).ask(10, extra=100) == failures + 111
    assert Counter(failures).asking == failures + 1
    assert Counter.made().ask() == 2


def test_not_for_ever() -> None:
    counter = Counter(ATTEMPTS)
    with pytest.raises(GalleryInterruptedError):
        counter.ask()
    assert counter.asked == ATTEMPTS


@pytest.mark.parametrize("error", [GalleryError, GalleryUnreachableError])
def test_other_errors_are_told_at_once(error: type[GalleryError]) -> None:
    counter = Counter(1, error)
    with pytest.raises(error):
        counter.ask()
    assert counter.asked == 1


def test_names_and_docstrings_stay() -> None:
    assert Counter.ask.__name__ == "ask"
    assert Counter.ask.__doc__ == "Say how often."
