"""The journal: the events since the state was last saved, each durable before the run acts on it.

A header line and one line per event, `CRC LENGTH JSON`. CRC is the CRC-32 of the rest of the line,
continued from the previous line: it detects lines that were changed, moved or removed. LENGTH
distinguishes a truncated line from two lines that were joined.

One write and one fsync serve all waiting events (group commit). So only the end of the file can be
incomplete: a last line without its newline, or zeros that a file system allocated before a power
failure. It is dropped, since it was never reported as durable. Any other damage affects events that
were durable, and is an error.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, StateError
from reconciler.model.remarks import Arg
from reconciler.model.typed_json import ShapeError, decode_as, encode_json, members
from reconciler.model.value import Stored
from reconciler.state.codec import VERSION, check_version, decode_event
from reconciler.state.commit import Durable, GroupCommit
from reconciler.state.lock import lost
from reconciler.state.model import Event, State
from reconciler.system import disk

_CUT_OFF = re.compile(
    rb"[0-9a-f]{0,8}|[0-9a-f]{8} \d{0,9}|[0-9a-f]{8} (\d{1,9}) (\{.*)?", re.DOTALL
)


class Header(Stored, frozen=True):
    """The state that the journal belongs to: enough to recreate it if the state file is lost.

    `serial` is the state's when the journal was started. `id` is random: a state that names it has
    folded this journal.
    """

    lineage: str
    backend: str
    serial: int
    id: str
    version: int

    @classmethod
    def of(cls, state: State) -> Header:
        """The header of a new journal."""
        return cls(state.lineage, state.backend, state.serial, os.urandom(8).hex(), VERSION)


class Replay(NamedTuple):
    """A journal of `size` bytes as read: its first `end` bytes are complete lines, and `crc` is the
    CRC of the last one.

    `header` is None if there is no journal, or if its first write was incomplete.
    """

    header: Header | None = None
    events: tuple[Event, ...] = ()
    end: int = 0
    crc: int = 0
    size: int = 0

    def folded(self) -> Replay:
        """The journal once the state has its events: the next append starts a new one."""
        return Replay(size=self.size)


def read_journal(data: bytes, *, file: str) -> Replay:
    """Reads a journal, without its incomplete end. Raises StateError for any other damage."""
    body = data.rstrip(b"\0")
    lines = body.split(b"\n")
    rest = lines.pop()
    if not _may_be_cut_off(rest):
        raise _damaged(file, len(lines) + 1, ShapeError("", "start").cause)
    header: Header | None = None
    events: list[Event] = []
    crc = end = 0
    for number, line in enumerate(lines, start=1):
        try:
            crc, text = _unpack(line, crc)
            if header is None:
                header = _read_header(text, file)
            else:
                events.append(decode_event(text))
        except ShapeError as problem:
            raise _damaged(file, number, problem.cause) from None
        end += len(line) + 1
    return Replay(header, tuple(events), end, crc, len(data))


def _damaged(file: str, line: int, reason: Arg) -> StateError:
    at, aside = Place(file=file, line=line), f"{file}.bad"
    code = Code.JOURNAL_DAMAGED
    return StateError.of(code, at=at, file=file, aside=aside, line=line, reason=reason)


def _may_be_cut_off(rest: bytes) -> bool:
    """Whether this may be a truncated line."""
    found = _CUT_OFF.fullmatch(rest)
    if not found:
        return False
    length, text = found.groups()
    return text is None or len(text) <= int(length)


def _pack(text: bytes, crc: int) -> tuple[int, bytes]:
    counted = b"%d %b" % (len(text), text)
    crc = zlib.crc32(counted, crc)
    return crc, b"%08x %b\n" % (crc, counted)


def _unpack(line: bytes, crc: int) -> tuple[int, bytes]:
    crc = zlib.crc32(line[9:], crc)
    if line[:9] != b"%08x " % crc:
        raise ShapeError("", "checksum")
    length, _, text = line[9:].partition(b" ")
    if length != b"%d" % len(text):
        raise ShapeError("", "length")
    return crc, text


def _read_header(text: bytes, file: str) -> Header:
    if (version := members(text).get("version")) is not None:
        check_version(decode_as(int, version), file)
    header = decode_as(Header, text)
    if not (header.lineage and header.backend and header.id):
        raise ShapeError("lineage, backend or id", "empty")
    return header


class _SyncFailedError(OSError):
    """An fsync failed: the content of the disk is unknown, and a second fsync would succeed."""


class Journal(GroupCommit):
    """Appends to a file, which the first event creates. Thread-safe."""

    def __init__(
        self,
        path: Path,
        header: Header,
        replay: Replay,
        durable: Durable,
        *,
        display_name: str,
    ) -> None:
        """`replay` is the content of `path`; without a header in it, a new journal gets `header`.
        `display_name` is its name in messages."""
        super().__init__(self._write_synced, durable, display_name=display_name)
        self._path = path
        self._header = replay.header or header
        self._fd: int | None = None
        self._file: disk.FileId | None = None
        self._size, self._end, self._crc = replay.size, replay.end, replay.crc
        self._lost = ""

    def check_held(self) -> None:
        """Raises StateError if the journal file was removed or replaced since it was opened. Before
        the first event, there is no file."""
        file = self._file
        if file is None:
            is_held = self._path.exists() or not self._end
        else:
            is_held = disk.is_still(self._path, file)
        if not is_held:
            raise lost(self._path.name, self._display_name)

    def check_complete(self) -> None:
        """Raises StateError if another process has written to the journal: the state lacks its
        events. It has those of a journal that was removed. Raises OSError."""
        if not self._lost:
            with suppress(FileNotFoundError):
                self._refuse_other_size(os.lstat(self._path).st_size)

    def _refuse_other_size(self, size: int) -> None:
        if size != self._size:
            raise lost(self._path.name, self._display_name)

    @property
    def id(self) -> str:
        """The ID of the journal on disk; "" if there is none."""
        return self._header.id if self._end else ""

    def remove(self, header: Header) -> None:
        """Removes the journal durably. Call it `paused`, once the state has its events.

        The next event starts a new journal with `header`. A file that replaced ours is kept. Raises
        OSError.
        """
        file, path = self._file, self._path
        if path.exists() and (file is None or disk.is_still(path, file)):
            disk.remove(path)
            disk.sync_folder(path.parent)
        self._close()
        self._size, self._end, self._crc, self._lost = 0, 0, 0, ""
        self._header = header

    def shut(self) -> None:
        """Closes the file for good, since nothing may be appended without the lock. Call it
        `paused`."""
        self._close()
        self._lost = "the state was already released"

    def _close(self) -> None:
        fd, self._fd, self._file = self._fd, None, None
        if fd is not None:
            os.close(fd)

    def _write_synced(self, texts: Sequence[bytes]) -> None:
        if self._lost:
            raise self._not_written(self._lost)
        is_first, crc, lines = self._end == 0, self._crc, []
        for text in [encode_json(self._header), *texts] if is_first else texts:
            crc, line = _pack(text, crc)
            lines.append(line)
        data = b"".join(lines)
        try:
            fd = self._opened()
            self._refuse_other_size(os.fstat(fd).st_size)
            self._lost = "a write to it was interrupted"
            self._drop_incomplete_end(fd)
            disk.write_all(fd, data)
            with _syncing():
                disk.sync(fd)
                if is_first:
                    disk.sync_folder(self._path.parent)
        except OSError as problem:
            why = problem.strerror or str(problem)
            is_lost = isinstance(problem, _SyncFailedError) or not self._cut_back()
            self._lost = f"an earlier write to it failed ({why})" if is_lost else ""
            raise self._not_written(why) from problem
        self._size = self._end = self._end + len(data)
        self._crc, self._lost = crc, ""

    def _not_written(self, why: str) -> StateError:
        return StateError.about(self._display_name, Code.JOURNAL_NOT_WRITTEN, reason=why)

    def _opened(self) -> int:
        if self._fd is None:
            self._fd = disk.open_to_append(self._path)
            self._file = disk.file_id(self._fd)
        return self._fd

    def _drop_incomplete_end(self, fd: int) -> None:
        if self._size > self._end:
            os.ftruncate(fd, self._end)
            with _syncing():
                disk.sync(fd)

    def _cut_back(self) -> bool:
        """Truncates what a failed write left; False if that fails too."""
        if self._fd is None:
            return True
        try:
            os.ftruncate(self._fd, self._end)
            disk.sync(self._fd)
        except OSError:
            return False
        self._size = self._end
        return True


@contextmanager
def _syncing() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise _SyncFailedError(problem.errno, problem.strerror) from problem
