from __future__ import annotations

import io
import pickle
import sys
from types import ModuleType

import pytest

from faceport.converters.lenient_pickle import Placeholder, lenient_pickle


class Callback:
    """Like the objects that training frameworks leave in a checkpoint."""


class Settings(dict[str, int]):
    """A dictionary of a framework's own class."""


class History(list[int]):
    """A list of a framework's own class."""


@pytest.fixture
def framework(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that the classes above seem to be from; it is gone when the pickle is read."""
    module = ModuleType("framework_that_is_not_there")
    for cls in (Callback, Settings, History):
        monkeypatch.setattr(cls, "__module__", module.__name__)
        setattr(module, cls.__name__, cls)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_what_is_not_installed_becomes_a_placeholder(
    framework: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = Callback()
    callback.state = {"best": 1}  # type: ignore[attr-defined]
    content = {
        "weights": [1, 2],
        "callback": callback,
        Callback: "a class as a key",
        "settings": Settings(a=1),
        "history": History([1, 2]),
    }
    data = io.BytesIO(pickle.dumps(content, protocol=2))
    monkeypatch.delitem(sys.modules, framework.__name__)
    raw = lenient_pickle().Unpickler(data).load()
    assert raw["weights"] == [1, 2]
    for key in ("callback", "settings", "history"):
        assert isinstance(raw[key], Placeholder)
    name = type(raw["callback"]).__name__
    assert name == "framework_that_is_not_there.Callback, which is not installed"


def test_what_is_installed_is_read_as_it_is() -> None:
    data = io.BytesIO(pickle.dumps({"a": {1.5, 2.5}}))
    assert lenient_pickle().Unpickler(data).load() == {"a": {1.5, 2.5}}
