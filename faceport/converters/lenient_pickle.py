"""A pickle reader for trusted files that does without classes which are not installed.

Published checkpoints often carry objects of the training framework beside the weights. What can't
be imported becomes an inert placeholder, so that the weights can still be read.
"""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any


class Placeholder:
    """Stands for an object whose class is not installed; keeps nothing, does nothing."""

    def __init__(self, *_args: object, **_options: object) -> None: ...

    def __setstate__(self, _state: object) -> None: ...

    def __setitem__(self, _key: object, _value: object) -> None: ...

    def append(self, _item: object) -> None:
        """Swallow an item of a list that is not there."""

    def extend(self, _items: object) -> None:
        """Swallow the items of a list that is not there."""


class LenientUnpickler(pickle.Unpickler):
    """Finds classes as pickle does, and makes a placeholder class of those it can't import."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return the global, or a placeholder class that carries its name."""
        try:
            return super().find_class(module_name, global_name)
        except (ImportError, AttributeError):
            name = f"{module_name}.{global_name}, which is not installed"
            return type(name, (Placeholder,), {})


def lenient_pickle() -> SimpleNamespace:
    """Return what `torch.load` takes as its `pickle_module`."""
    return SimpleNamespace(
        __name__="faceport.converters.lenient_pickle", Unpickler=LenientUnpickler, load=pickle.load
    )
