"""A parser of Server-Sent Events. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LARGEST_FRAME = 16 << 20


class FrameTooLargeError(ValueError):
    """A frame larger than any real one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event; `id` is None if it has none."""

    id: str | None
    data: str


class FrameReader:
    """Takes bytes, split anywhere, and returns complete frames.

    As in the HTML standard, a line ends in CR, LF or both, comments start with a colon, and an
    incomplete frame at the end is dropped.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._size = 0
        self._id: str | None = None
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """The frames that end in this chunk. FrameTooLargeError."""
        self._size += len(chunk)
        if self._size > LARGEST_FRAME:
            raise FrameTooLargeError(f"an event is larger than {LARGEST_FRAME >> 20} MiB")
        text = self._rest + chunk
        held = text.endswith(b"\r")  # its line feed may follow in the next chunk
        lines = (text[:-1] if held else text).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, self._rest = lines.split(b"\n")
        self._rest += b"\r" if held else b""
        for line in whole:
            yield from self._line(line.decode("utf-8", "replace"))

    def _line(self, line: str) -> Iterator[Frame]:
        if not line:
            if self._data:
                yield Frame(self._id, "\n".join(self._data))
            self._data, self._id = [], None
            self._size = len(self._rest)
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
