"""The bytes of a pickle, read in order, never more than are there."""

from __future__ import annotations

from typing import BinaryIO

from faceport.errors import InputError

LONGEST_LINE = 1 << 26
"""64 MiB: a line of protocol 0 is at most one picture, written with escapes."""


class Stream:
    """A file of known size.

    Attributes:
        size: in bytes.
        place: bytes read so far.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size
        self.place = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            InputError: there are fewer.
        """
        if size > self.size - self.place:
            raise InputError("the file is cut short", received=f"{self.size - self.place} bytes")
        data = self._file.read(size)
        if len(data) != size:
            raise InputError("the file is cut short", received=f"{len(data)} bytes")
        self.place += size
        return data

    def number(self, width: int) -> int:
        """Return the next `width` bytes as a number, the lowest byte first."""
        return int.from_bytes(self.take(width), "little")

    def sized(self, width: int) -> bytes:
        """Return as many bytes as the number of `width` bytes before them says."""
        return self.take(self.number(width))

    def line(self) -> bytes:
        """Return the bytes up to the next line feed, without it.

        Raises:
            InputError: there is none, or none near.
        """
        line = self._file.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise InputError("the file is cut short, or a line in it is too long")
        self.place += len(line)
        return line[:-1]
