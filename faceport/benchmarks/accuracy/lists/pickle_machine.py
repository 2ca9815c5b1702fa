"""The stack machine of a pickle, for plain data only."""

from __future__ import annotations

import codecs
import pickle
import re
from collections.abc import Callable

from faceport.benchmarks.accuracy.lists.pickle_stream import Stream
from faceport.benchmarks.accuracy.lists.pickle_values import CALLS, NAMES, Name, build
from faceport.errors import InputError

LONGEST_NUMBER = 20
MOST_MARKS = 64
"""Lists and tuples that may be open at a time; a list of pictures has three."""

MOST_STEPS = 5_000_000
"""Opcodes of a file: 300,000 pictures and more; each may cost 100 bytes beyond its own."""

STRING = re.compile(rb"""(?:[^\\]|\\[\\'"nrt]|\\x[0-9a-f]{2})*""", re.DOTALL)
"""What Python 2 puts between the quotes of a byte string."""

Step = Callable[["Machine"], None]


class Machine:
    """Reads one pickle."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}
        self._allowance = stream.size

    def run(self) -> object:
        """Return the value of the pickle, which must be all of the stream.

        Raises:
            InputError: it is no pickle of plain data.
        """
        for _ in range(MOST_STEPS):
            code = self.stream.take(1)
            if code == pickle.STOP:
                return self._result()
            step = STEPS.get(code)
            if step is None:
                raise InputError(f"it has the opcode {code!r}, which plain data has no use for")
            step(self)
        raise InputError("it has too many values", expected=f"{MOST_STEPS} opcodes at most")

    def _result(self) -> object:
        value = self.pop()
        if self.stack or self.marks:
            raise InputError("it ends with values left over")
        if self.stream.place != self.stream.size:
            raise InputError("the file goes on behind its end")
        return value

    def push(self, value: object) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop(self) -> object:
        """Take a value from the stack, not from below the last mark."""
        self._check(1)
        return self.stack.pop()

    def top(self) -> object:
        """Return the value on the stack's top."""
        self._check(1)
        return self.stack[-1]

    def pop_many(self, count: int) -> tuple[object, ...]:
        """Take the last `count` values."""
        self._check(count)
        values = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return values

    def mark(self) -> None:
        """Open a list or tuple."""
        if len(self.marks) >= MOST_MARKS:
            raise InputError("its lists are nested too deep", expected=f"{MOST_MARKS} at most")
        self.marks.append(len(self.stack))

    def pop_mark(self) -> tuple[object, ...]:
        """Take the values since the last mark, and the mark."""
        if not self.marks:
            raise InputError("it ends a list that it did not begin")
        start = self.marks.pop()
        values = tuple(self.stack[start:])
        del self.stack[start:]
        return values

    def extend(self, items: tuple[object, ...]) -> None:
        """Add items to the list on the stack's top."""
        target = self.top()
        if not isinstance(target, list):
            raise InputError("it adds to something that is no list")
        target.extend(items)

    def recall(self, key: int) -> None:
        """Push what the memo has under `key`."""
        if key not in self.memo:
            raise InputError("it recalls what it did not keep")
        self.push(self.memo[key])

    def name(self, module: object, name: object) -> None:
        """Push a name, if it is one of those that are known."""
        found = Name(module, name) if isinstance(module, str) and isinstance(name, str) else None
        if found not in NAMES:
            what = str(found)[:120].encode("ascii", "backslashreplace").decode()
            raise InputError(f"it names {what}, which a list of pictures has no use for")
        self.push(found)

    def call(self) -> None:
        """Replace a name and its arguments by the data that the call stands for."""
        name, arguments = self.pop_many(2)
        made = CALLS.get(name) if isinstance(name, Name) else None
        if made is None or not isinstance(arguments, tuple):
            raise InputError("it calls something that is no function")
        value = made(arguments)
        # A text that is encoded again and again would fill the memory: no honest file makes more
        # bytes than it has.
        self._allowance -= len(value) if isinstance(value, bytes) else 0
        if self._allowance < 0:
            raise InputError("its data repeats itself beyond its own size")
        self.push(value)

    def build(self) -> None:
        """Give the array on the stack its content."""
        state = self.pop()
        build(self.top(), state)

    def _check(self, count: int) -> None:
        if len(self.stack) - (self.marks[-1] if self.marks else 0) < count:
            raise InputError("it takes a value where there is none")


def _text(data: bytes, encoding: str = "utf-8") -> str:
    try:
        return data.decode(encoding, "strict" if encoding != "utf-8" else "surrogatepass")
    except UnicodeDecodeError as error:
        raise InputError("it has text that is none") from error


def _number(line: bytes) -> int:
    digits = line.removesuffix(b"L")
    if len(digits) > LONGEST_NUMBER or not digits.removeprefix(b"-").isdigit():
        raise InputError("it has a number that is none", received=repr(line[:40]))
    return int(digits)


def _int_line(machine: Machine) -> None:
    line = machine.stream.line()
    # The booleans of protocols 0 and 1.
    booleans = {b"00": False, b"01": True}
    machine.push(booleans[line] if line in booleans else _number(line))


def _string_line(machine: Machine) -> None:
    line = machine.stream.line().strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise InputError("it has a string without quotes")
    if STRING.fullmatch(line, 1, len(line) - 1) is None:
        raise InputError("it has a string with an escape that Python 2 does not write")
    machine.push(codecs.escape_decode(line[1:-1])[0])


def _global_line(machine: Machine) -> None:
    module = _text(machine.stream.line())
    machine.name(module, _text(machine.stream.line()))


def _protocol(machine: Machine) -> None:
    protocol = machine.stream.number(1)
    if protocol > pickle.HIGHEST_PROTOCOL:
        raise InputError("it is of a later protocol", received=protocol, expected="0 to 5")


def _frame(machine: Machine) -> None:
    size = machine.stream.number(8)
    if size > machine.stream.size - machine.stream.place:
        raise InputError("the file is cut short")


def _signed(machine: Machine, width: int) -> None:
    machine.push(int.from_bytes(machine.stream.take(width), "little", signed=True))


def _long(machine: Machine) -> None:
    machine.push(int.from_bytes(machine.stream.sized(1), "little", signed=True))


def _append(machine: Machine) -> None:
    machine.extend(machine.pop_many(1))


def _appends(machine: Machine) -> None:
    machine.extend(machine.pop_mark())


def _keep(machine: Machine, key: int) -> None:
    machine.memo[key] = machine.top()


def _two_names(machine: Machine) -> None:
    machine.name(*machine.pop_many(2))


def _void(_value: object) -> None:
    """Let a value go."""


STEPS: dict[bytes, Step] = {
    pickle.PROTO: _protocol,
    pickle.FRAME: _frame,
    pickle.MARK: lambda m: m.mark(),
    pickle.POP: lambda m: _void(m.pop()),
    pickle.POP_MARK: lambda m: _void(m.pop_mark()),
    pickle.NONE: lambda m: m.push(None),
    pickle.NEWTRUE: lambda m: m.push(True),
    pickle.NEWFALSE: lambda m: m.push(False),
    pickle.INT: _int_line,
    pickle.LONG: lambda m: m.push(_number(m.stream.line())),
    pickle.BININT: lambda m: _signed(m, 4),
    pickle.BININT1: lambda m: m.push(m.stream.number(1)),
    pickle.BININT2: lambda m: m.push(m.stream.number(2)),
    pickle.LONG1: _long,
    pickle.STRING: _string_line,
    pickle.BINSTRING: lambda m: m.push(m.stream.sized(4)),
    pickle.SHORT_BINSTRING: lambda m: m.push(m.stream.sized(1)),
    pickle.UNICODE: lambda m: m.push(_text(m.stream.line(), "raw-unicode-escape")),
    pickle.BINUNICODE: lambda m: m.push(_text(m.stream.sized(4))),
    pickle.SHORT_BINUNICODE: lambda m: m.push(_text(m.stream.sized(1))),
    pickle.BINUNICODE8: lambda m: m.push(_text(m.stream.sized(8))),
    pickle.BINBYTES: lambda m: m.push(m.stream.sized(4)),
    pickle.SHORT_BINBYTES: lambda m: m.push(m.stream.sized(1)),
    pickle.BINBYTES8: lambda m: m.push(m.stream.sized(8)),
    pickle.BYTEARRAY8: lambda m: m.push(m.stream.sized(8)),
    pickle.EMPTY_LIST: lambda m: m.push([]),
    pickle.LIST: lambda m: m.push(list(m.pop_mark())),
    pickle.APPEND: _append,
    pickle.APPENDS: _appends,
    pickle.EMPTY_TUPLE: lambda m: m.push(()),
    pickle.TUPLE: lambda m: m.push(m.pop_mark()),
    pickle.TUPLE1: lambda m: m.push(m.pop_many(1)),
    pickle.TUPLE2: lambda m: m.push(m.pop_many(2)),
    pickle.TUPLE3: lambda m: m.push(m.pop_many(3)),
    pickle.PUT: lambda m: _keep(m, _number(m.stream.line())),
    pickle.BINPUT: lambda m: _keep(m, m.stream.number(1)),
    pickle.LONG_BINPUT: lambda m: _keep(m, m.stream.number(4)),
    pickle.MEMOIZE: lambda m: _keep(m, len(m.memo)),
    pickle.GET: lambda m: m.recall(_number(m.stream.line())),
    pickle.BINGET: lambda m: m.recall(m.stream.number(1)),
    pickle.LONG_BINGET: lambda m: m.recall(m.stream.number(4)),
    pickle.GLOBAL: _global_line,
    pickle.STACK_GLOBAL: _two_names,
    pickle.REDUCE: lambda m: m.call(),
    pickle.BUILD: lambda m: m.build(),
}
"""What each opcode does; those that are not here are refused."""
