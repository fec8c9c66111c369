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
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, StateError
from reconciler.model.remarks import Arg
from reconciler.model.typed_json import ShapeError, decode_as, encode_json, members
from reconciler.model.value import Stored
from reconciler.state.attempt import Provenance
from reconciler.state.checks import check_provenance
from reconciler.state.codec import (
    VERSION,
    check_version,
    decode_event,
    encode_event,
)
from reconciler.state.commit import Durable, GroupCommit
from reconciler.state.lock import lost
from reconciler.state.model import Event, State
from reconciler.system import disk

_CUT_OFF = re.compile(
    rb"[0-9a-f]{0,8}|[0-9a-f]{8} \d{0,9}|[0-9a-f]{8} (\d{1,9}) (\{.*)?", re.DOTALL
)


class Header(Stored, frozen=True):
    """The state that the journal belongs to: enough to recreate it if the state file is lost.

    `state` identifies the bytes of the state file when the journal was started. `id` is random. A
    state that contains this ID already has the events of this journal.
    """

    lineage: str
    backend: str
    provenance: Provenance
    state: str
    id: str
    version: int

    @classmethod
    def of(cls, state: State, content: str) -> Header:
        """The header of a new journal."""
        known = (state.lineage, state.backend, state.provenance)
        return cls(*known, content, os.urandom(8).hex(), VERSION)


class Replay(NamedTuple):
    """A journal of `size` bytes as read: its first `end` bytes are complete lines, and `crc` is the
    CRC of the last line.

    `header` is None if there is no journal, or if its first write was incomplete. Without a header,
    the next journal begins with these `events`.
    """

    header: Header | None = None
    events: tuple[Event, ...] = ()
    end: int = 0
    crc: int = 0
    size: int = 0

    def carrying(self, events: tuple[Event, ...]) -> Replay:
        """A replay after which the next append starts a new journal that begins with these events.
        All other events are in the state, or are not needed."""
        return Replay(None, events, size=self.size)


def read_journal(data: bytes, *, file: str, state: str = "") -> Replay:
    """Reads a journal, and ignores its incomplete end. Raises StateError for any other damage.
    `state` is the file that it belongs to, if that exists."""
    body = data.rstrip(b"\0")
    lines = body.split(b"\n")
    rest = lines.pop()
    if not _may_be_cut_off(rest):
        raise _damaged(file, state, len(lines) + 1, ShapeError("", "start").cause)
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
            raise _damaged(file, state, number, problem.cause) from None
        end += len(line) + 1
    return Replay(header, tuple(events), end, crc, len(data))


def _damaged(file: str, state: str, line: int, reason: Arg) -> StateError:
    at, case = Place(file=file, line=line), "" if state else "alone"
    facts: dict[str, Arg] = {"file": file, "aside": f"{file}.bad", "saved": state}
    return StateError.of(Code.JOURNAL_DAMAGED, case, at=at, line=line, reason=reason, **facts)


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
    check_provenance(header.provenance)
    return header


def full(file: str, size: int) -> StateError:
    """The error for a file that would be too large to be read again, and was not written."""
    reason = f"it would have {size} bytes; at most {limits.STATE_FILE_BYTES} are possible"
    return StateError.about(file, Code.STATE_FULL, reason=reason)


_INTERRUPTED = "a write to it was interrupted"


class _Expected(NamedTuple):
    """The expected file. Its size is one of `sizes`, with 0 also for a missing file; `file` is None
    until it is open."""

    file: disk.FileId | None
    sizes: Collection[int]

    def matches(self, path: Path) -> bool:
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return self.file is None and 0 in self.sizes
        except OSError:
            return False
        is_same = self.file in (None, (found.st_dev, found.st_ino))
        return is_same and found.st_size in self.sizes


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
        check_lock: Callable[[], None] = lambda: None,
    ) -> None:
        """`replay` is the content of `path`; without a header in it, a new journal gets `header`.
        `display_name` is its name in messages. `check_lock` is called before each write, and raises
        StateError if nothing may be written."""
        super().__init__(self._write_synced, durable, display_name=display_name)
        self._path, self._check_lock = path, check_lock
        self._header = replay.header or header
        self._carried = [] if replay.header else list(map(encode_event, replay.events))
        self._fd: int | None = None
        self._end, self._crc = replay.end, replay.crc
        is_optional = not (replay.end or self._carried)
        self._expected = _Expected(None, (replay.size, *([0] if is_optional else ())))
        self._lost = ""

    def check_lock(self) -> None:
        """Raises StateError if another process removed, replaced or wrote to the journal file, even
        during a write of this process."""
        expected = None
        while expected is not self._expected:
            expected = self._expected
            if expected.matches(self._path):
                return
        raise lost(self._path.name, self._display_name)

    @property
    def id(self) -> str:
        """The ID of the journal on disk; "" if there is none."""
        return self._header.id if self._end else ""

    def remove(self, header: Header) -> None:
        """Removes the journal durably. Call it within `paused`, once the state has its events.

        The next event starts a new journal with `header`. A file that replaced ours is kept. Raises
        OSError.
        """
        file, path = self._expected.file, self._path
        if path.exists() and (file is None or disk.is_still(path, file)):
            disk.remove(path)
            disk.sync_folder(path.parent)
        self._close()
        self._expected, self._end, self._crc, self._lost = _Expected(None, (0,)), 0, 0, ""
        self._header, self._carried = header, []

    def shut(self) -> None:
        """Closes the file permanently, because nothing may be appended without the lock. Call it
        `paused`."""
        self._close()
        self._lost = "the state was already released"

    def _close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _write_synced(self, texts: Sequence[bytes]) -> None:
        if self._lost:
            raise self._not_written(self._lost)
        self._check_lock()
        is_first, crc, lines = self._end == 0, self._crc, []
        for text in [encode_json(self._header), *self._carried, *texts] if is_first else texts:
            crc, line = _pack(text, crc)
            lines.append(line)
        data, is_replaced = b"".join(lines), is_first and any(self._expected.sizes)
        if (size := self._end + len(data)) > limits.STATE_FILE_BYTES:
            raise full(self._display_name, size)
        try:
            if is_replaced:
                self._replace(data)
            else:
                self._extend(data)
        except OSError as problem:
            why = problem.strerror or str(problem)
            is_lost = isinstance(problem, _SyncFailedError) or is_replaced or not self._cut_back()
            self._lost = f"an earlier write to it failed ({why})" if is_lost else ""
            raise self._not_written(why) from problem
        self._end += len(data)
        self._expected = _Expected(self._expected.file, (self._end,))
        self._crc, self._lost, self._carried = crc, "", []

    def _not_written(self, why: str) -> StateError:
        return StateError.about(self._display_name, Code.JOURNAL_NOT_WRITTEN, reason=why)

    def _replace(self, data: bytes) -> None:
        """Replaces the file of an earlier run. The events that are carried over are in the file at
        every moment."""
        self._expected = _Expected(None, range(max(*self._expected.sizes, len(data)) + 1))
        self._lost = _INTERRUPTED
        # This is also the state's temporary file. Both have the same writer.
        temporary = self._path.with_suffix(".tmp")
        disk.replace_file(self._path, data, mode=disk.PRIVATE, temporary=temporary)
        self._fd = disk.open_to_append(self._path)
        self._expected = _Expected(disk.file_id(self._fd), self._expected.sizes)

    def _extend(self, data: bytes) -> None:
        if self._fd is None:
            self._fd = disk.open_to_append(self._path)
        fd, sizes = self._fd, self._expected.sizes
        found = os.fstat(fd)
        if (size := found.st_size) not in sizes:
            raise lost(self._path.name, self._display_name)
        most = max(size, self._end + len(data))
        self._expected = _Expected((found.st_dev, found.st_ino), range(self._end, most + 1))
        self._lost = _INTERRUPTED
        if size > self._end:  # an incomplete line
            os.ftruncate(fd, self._end)
            self._sync(fd)
        disk.write_all(fd, data)
        self._sync(fd)

    def _sync(self, fd: int) -> None:
        """Makes the written bytes durable and, the first time, the existence of the journal."""
        try:
            disk.sync(fd)
            if self._end == 0:
                disk.sync_folder(self._path.parent)
        except OSError as problem:
            raise _SyncFailedError(problem.errno, problem.strerror) from problem

    def _cut_back(self) -> bool:
        """Truncates the file, to remove what a failed write left. Returns False if that fails,
        too."""
        if self._fd is None:
            return True
        try:
            os.ftruncate(self._fd, self._end)
            disk.sync(self._fd)
        except OSError:
            return False
        self._expected = _Expected(self._expected.file, (self._end,))
        return True
