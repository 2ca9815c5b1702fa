"""A pickle read as data: no name in it is looked up, no call in it is made.

Lists, tuples, bytes, text, numbers and booleans of protocols 0 to 5 (opcodes: Python's
`pickletools`) are enough for a list of pictures; everything else is refused by name. Each item is
read once, a length that the file does not have is never allocated, calls make no more bytes than
the file has, and the number of opcodes has a limit: memory stays near twice the file's size.
"""

from __future__ import annotations

from pathlib import Path

from faceport.benchmarks.accuracy.lists.pickle_machine import Machine
from faceport.benchmarks.accuracy.lists.pickle_stream import Stream
from faceport.errors import InputError


def read_pickle_data(path: Path) -> object:
    """Return the value of a pickle that holds plain data.

    Returns:
        Nested lists and tuples of bytes, str, int, bool, None; byte strings of Python 2 are bytes;
        numpy's arrays and scalars are `Array` and `Scalar`.

    Raises:
        InputError: the file can't be read, is cut short, goes on behind its end, or holds anything
            else; it says at which byte.
    """
    try:
        with path.open("rb") as file:
            stream = Stream(file, path.stat().st_size)
            try:
                return Machine(stream).run()
            except InputError as error:
                raise InputError(
                    f"{path} is not read: at byte {stream.place}, {error.subject}",
                    received=error.received,
                    expected=error.expected or "a pickle of pictures and booleans",
                ) from error
    except OSError as error:
        raise InputError(f"{path} could not be read", received=error.strerror) from error
