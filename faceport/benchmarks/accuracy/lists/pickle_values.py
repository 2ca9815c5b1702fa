"""What the pickle reader makes of names and calls: data that stands for them, never the things.

A pickle may name any function and have it called. Here a name is a `Name`, a call is looked up by
that name in a small table of those that are rebuilt as data, and any other is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faceport.errors import InputError


@dataclass(frozen=True)
class Name:
    """A module's member that the pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Kind:
    """numpy's type of an array's items: `u1` (bytes) or `b1` (booleans)."""

    code: str


@dataclass
class Array:
    """A numpy array of one-byte items, which is filled: its content comes later in the pickle."""

    data: bytes | None = None
    shape: tuple[int, ...] = ()
    code: str = ""

    def vector_bytes(self) -> bytes | None:
        """Return the items where all but one axis have length 1; None where they do not."""
        if self.data is None or max(self.shape, default=0) != len(self.data):
            return None
        return self.data

    def __str__(self) -> str:
        return f"an array {self.code or 'without content'} {self.shape[:8]}"


@dataclass(frozen=True)
class Scalar:
    """A numpy boolean."""

    value: bool


Call = Callable[[tuple[object, ...]], object]


def encoded(arguments: tuple[object, ...]) -> bytes:
    """`_codecs.encode(text, "latin1")`: how Python 3 writes bytes for Python 2."""
    match arguments:
        case (str() as text, ("latin1" | "latin-1")):
            try:
                return text.encode("latin-1")
            except UnicodeEncodeError:
                raise InputError("its text is not bytes in latin-1") from None
    raise _refused("_codecs.encode")


def empty_bytes(arguments: tuple[object, ...]) -> bytes:
    """`bytes()`: how Python 3 writes empty bytes for Python 2."""
    if arguments:
        raise _refused("bytes")
    return b""


def empty_array(arguments: tuple[object, ...]) -> Array:
    """`numpy._reconstruct(ndarray, (0,), b"b")`: an array to be filled."""
    match arguments:
        case (Name(module="numpy", name="ndarray"), (0,), (b"b" | "b")):
            return Array()
    raise _refused("numpy's _reconstruct")


def item_kind(arguments: tuple[object, ...]) -> Kind:
    """`numpy.dtype("u1", …)`."""
    code = arguments[0] if arguments else None
    code = code.decode("latin-1") if isinstance(code, bytes) else code
    if isinstance(code, str) and code in ("u1", "|u1", "b1", "|b1"):
        return Kind(code[-2:])
    raise InputError("it has an array of another type", expected="uint8 or bool")


def array_from_buffer(arguments: tuple[object, ...]) -> Array:
    """`numpy._frombuffer(data, dtype, shape, order)`: an array in protocol 5."""
    match arguments:
        case (bytes() as data, Kind() as kind, tuple() as shape, str()):
            return filled(Array(), data, kind, shape)
    raise _refused("numpy's _frombuffer")


def scalar(arguments: tuple[object, ...]) -> Scalar:
    """`numpy.scalar(dtype, data)`: one boolean."""
    match arguments:
        case (Kind(code="b1"), (b"\0" | b"\1") as data):
            return Scalar(data == b"\1")
    raise _refused("numpy's scalar")


def filled(array: Array, data: bytes, kind: Kind, shape: tuple[object, ...]) -> Array:
    """Fill an array.

    Raises:
        InputError: the shape is none, or not of as many items.
    """
    sizes = tuple(size for size in shape if isinstance(size, int) and 0 <= size < 1 << 40)
    product = 1
    for size in sizes[:8]:
        product *= size
    if len(sizes) != len(shape) or len(shape) > 8 or product != len(data):
        raise InputError("it has an array whose shape does not fit its data")
    array.data, array.shape, array.code = data, sizes, kind.code
    return array


def build(target: object, state: object) -> None:
    """Give an array or a type its state, as numpy's `__setstate__` does; change nothing else.

    Raises:
        InputError: the target is neither, or the state is none of numpy's.
    """
    match target, state:
        case (Kind(), tuple()):
            return
        case (
            Array(data=None),
            (1, tuple() as shape, Kind() as kind, bool() | int(), bytes() as data),
        ):
            filled(target, data, kind, shape)
            return
    raise InputError("it sets the state of something that is no array of uint8 or bool")


def _refused(what: str) -> InputError:
    return InputError(f"it calls {what} with other arguments than a list of pictures needs")


_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")

CALLS: dict[Name, Call] = {
    Name("_codecs", "encode"): encoded,
    Name("__builtin__", "bytes"): empty_bytes,
    Name("builtins", "bytes"): empty_bytes,
    Name("numpy", "dtype"): item_kind,
    **{Name(module, "_reconstruct"): empty_array for module in _NUMPY},
    **{Name(module, "scalar"): scalar for module in _NUMPY},
    **{Name(module, "_frombuffer"): array_from_buffer for module in _NUMERIC},
}
"""What may be called: each is rebuilt here as data, and nothing is imported."""

NAMES = frozenset({*CALLS, Name("numpy", "ndarray")})
