"""Operations that are done again where the gallery's server was lost in the middle of them.

A store says `GalleryInterruptedError` only where it knows that nothing was written, so what is done
again is not done twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from faceport.errors import GalleryInterruptedError

ATTEMPTS = 5
"""A server that is lost as often as this in one operation has another trouble than a restart."""

C = TypeVar("C")


def retrying(cls: type[C]) -> type[C]:
    """Do the public methods and properties of a class again where they are interrupted."""
    for name, member in list(vars(cls).items()):
        if name.startswith("_"):
            continue
        if isinstance(member, property) and member.fget is not None:
            setattr(cls, name, property(_again(member.fget), doc=member.__doc__))
        elif callable(member):
            setattr(cls, name, _again(member))
    return cls


def _again(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(*arguments: Any, **options: Any) -> Any:
        for _ in range(ATTEMPTS - 1):
            try:
                return method(*arguments, **options)
            except GalleryInterruptedError:
                continue
        return method(*arguments, **options)

    return call
