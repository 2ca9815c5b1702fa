from __future__ import annotations

import inspect

from faceport import errors
from faceport.errors import FaceportError, MissingDependencyError


def test_a_message_is_one_line_with_its_parts() -> None:
    error = FaceportError("a\nb", received=3, expected="4", fix="do this")
    assert str(error) == "a b; received 3; expected 4; do this"


def test_a_missing_extra_names_its_command() -> None:
    assert "pip install 'faceport[cpu]'" in str(MissingDependencyError("onnxruntime", "cpu"))


def test_the_docstring_draws_the_whole_tree() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    drawn = errors.__doc__ or ""
    assert all(issubclass(c, FaceportError) for c in classes)
    assert [c.__name__ for c in classes if c.__name__ not in drawn] == []
