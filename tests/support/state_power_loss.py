"""Simulates power loss: the possible contents of a folder after a power failure at any moment.

    with Recording(folder) as disk:
        ...            # writes below `folder`, through `os` or `pathlib`
        disk.confirm("a task was recorded")
    for crash in disk.crashes():
        crash.write_to(somewhere)

Only synced changes are durable: the bytes of a file after an fsync of the file, its name after an
fsync of the folder. Any subset of the later changes may be lost, in any order: a write may be
complete, partial, zeros or missing, and a name may have been created, changed or removed, or not.
`confirm` records what was reported to the program before that moment, so it must have survived.

Only writes through `os` are recorded (`open`, `write`, `ftruncate`, `fsync`, `replace`, `rename`,
`unlink`, `close`). As in a file system, a file is separate from its name.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_MIXTURES = 12


@dataclass(frozen=True)
class _Write:
    """Bytes of a file from `offset` on; None: the file ends at `offset`."""

    offset: int
    data: bytes | None


@dataclass(frozen=True)
class _Name:
    """`path` is now file number `file`, or removed (None); a rename also removes `old`."""

    path: str
    file: int | None
    old: str = ""


@dataclass(frozen=True)
class Crash:
    """The folder after a power failure: contents by relative path, and what was confirmed."""

    files: dict[str, bytes]
    confirmed: tuple[str, ...]
    moment: str

    def write_to(self, folder: Path) -> None:
        for name, data in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)


@dataclass
class _Disk:
    """`files` and `names` are durable; `late` and `renames` are later changes, in order."""

    files: dict[int, bytes] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    late: dict[int, list[_Write]] = field(default_factory=dict)
    renames: dict[str, list[_Name]] = field(default_factory=dict)


class Recording:
    """The operations below `folder` within the `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log: list[tuple[str, Callable[[_Disk], None] | str]] = []
        self._begin = _Disk()
        self._open: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._real: dict[str, Any] = {}
        self._names: dict[str, int] = {}
        for number, path in enumerate(p for p in folder.rglob("*") if p.is_file()):
            self._begin.files[number] = path.read_bytes()
            self._begin.names[self._relative(path)] = number
        self._names.update(self._begin.names)
        self._ends.update({n: len(data) for n, data in self._begin.files.items()})
        self._next = len(self._begin.files)

    def confirm(self, word: str) -> None:
        self._log.append(("confirm", word))

    @property
    def moments(self) -> int:
        return len(self._log)

    def crashes(self, seed: int = 0) -> Iterator[Crash]:
        """After each operation, a sample of the possible folders, without repetition."""
        chance, disk, confirmed = random.Random(seed), _copy(self._begin), []
        seen: set[tuple[tuple[str, ...], frozenset[tuple[str, bytes]]]] = set()
        for number, (what, step) in enumerate([("begin", ""), *self._log]):
            if callable(step):
                step(disk)
            elif step:
                confirmed.append(step)
            for files in _remains(disk, chance):
                key = (tuple(confirmed), frozenset(files.items()))
                if key not in seen:
                    seen.add(key)
                    yield Crash(files, tuple(confirmed), f"{number}: after {what}")

    def __enter__(self) -> Self:
        wrappers = {
            "open": self._opened,
            "write": self._wrote,
            "ftruncate": self._cut,
            "fsync": self._synced,
            "replace": self._renamed,
            "rename": self._renamed,
            "unlink": self._removed,
            "close": self._closed,
        }
        for name, wrapper in wrappers.items():
            self._real[name] = getattr(os, name)
            setattr(os, name, wrapper)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name, real in self._real.items():
            setattr(os, name, real)

    def _note(self, what: str, step: Callable[[_Disk], None]) -> None:
        self._log.append((what, step))

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._folder))

    def _inside(self, path: Any) -> str | None:
        try:
            return self._relative(Path(path))
        except (TypeError, ValueError):
            return None

    def _opened(self, path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        fd: int = self._real["open"](path, flags, *args, **kwargs)
        name = self._inside(path)
        if name is None or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            if name is not None:
                self._open[fd] = -1
            return fd
        if name not in self._names:
            number, self._next = self._next, self._next + 1
            self._names[name], self._ends[number] = number, 0
            self._note(f"create {name}", lambda disk: _make(disk, name, number))
        self._open[fd] = self._names[name]
        return fd

    def _wrote(self, fd: int, data: Any) -> int:
        written: int = self._real["write"](fd, data)
        number = self._open.get(fd, -1)
        if number >= 0:
            change = _Write(self._ends[number], bytes(data[:written]))
            self._ends[number] += written
            self._note(f"write {number}", lambda disk: disk.late[number].append(change))
        return written

    def _cut(self, fd: int, length: int) -> None:
        self._real["ftruncate"](fd, length)
        number = self._open.get(fd, -1)
        if number >= 0:
            self._ends[number] = length
            change = _Write(length, None)
            self._note(f"truncate {number}", lambda disk: disk.late[number].append(change))

    def _synced(self, fd: int) -> None:
        self._real["fsync"](fd)
        number = self._open.get(fd)
        if number is None:
            return
        if number >= 0:
            self._note(f"fsync {number}", lambda disk: _sync_file(disk, number))
        else:
            folder = self._relative(Path(f"/proc/self/fd/{fd}").readlink())
            self._note(f"fsync folder {folder}", lambda disk: _sync_folder(disk, folder))

    def _renamed(self, source: Any, target: Any, **kwargs: Any) -> None:
        self._real["replace"](source, target, **kwargs)
        old, new = self._inside(source), self._inside(target)
        if old is not None and new is not None:
            number = self._names.pop(old)
            self._names[new] = number
            change = _Name(new, number, old)
            self._note(f"rename {old} {new}", lambda disk: _change(disk, change))

    def _removed(self, path: Any, **kwargs: Any) -> None:
        self._real["unlink"](path, **kwargs)
        name = self._inside(path)
        if name is not None:
            self._names.pop(name, None)
            self._note(f"unlink {name}", lambda disk: _change(disk, _Name(name, None)))

    def _closed(self, fd: int) -> None:
        self._open.pop(fd, None)
        self._real["close"](fd)


def _copy(disk: _Disk) -> _Disk:
    late: dict[int, list[_Write]] = {number: [] for number in disk.files}
    return _Disk(dict(disk.files), dict(disk.names), late, {})


def _make(disk: _Disk, name: str, number: int) -> None:
    disk.files[number], disk.late[number] = b"", []
    _change(disk, _Name(name, number))


def _change(disk: _Disk, change: _Name) -> None:
    disk.renames.setdefault(str(Path(change.path).parent), []).append(change)


def _sync_file(disk: _Disk, number: int) -> None:
    disk.files[number] = _bytes(disk.files[number], disk.late[number])
    disk.late[number] = []


def _sync_folder(disk: _Disk, folder: str) -> None:
    _rename(disk.names, disk.renames.pop(folder, []))


def _rename(names: dict[str, int], changes: list[_Name]) -> None:
    for change in changes:
        names.pop(change.old, None)
        if change.file is None:
            names.pop(change.path, None)
        else:
            names[change.path] = change.file


def _bytes(data: bytes, writes: list[_Write]) -> bytes:
    for write in writes:
        if write.data is None:
            data = data[: write.offset].ljust(write.offset, b"\0")
        else:
            head = data[: write.offset].ljust(write.offset, b"\0")
            data = head + write.data + data[write.offset + len(write.data) :]
    return data


def _torn(write: _Write, chance: random.Random) -> _Write | None:
    """The possible remains of a write: nothing, all, a part, zeros, or a part followed by zeros."""
    if write.data is None:
        return chance.choice([write, None])
    length = len(write.data)
    part = write.data[: chance.randrange(length + 1)]
    left = chance.choice([None, write.data, part, part.ljust(length, b"\0"), b"\0" * length])
    return None if left is None else _Write(write.offset, left)


def _remains(disk: _Disk, chance: random.Random) -> Iterator[dict[str, bytes]]:
    """No later change, all of them, just one or all but one of the names, and random subsets."""
    names = [change for changes in disk.renames.values() for change in changes]
    writes = [(number, write) for number, late in disk.late.items() for write in late]
    yield _folder(disk, [], [])
    yield _folder(disk, names, writes)
    yield _folder(disk, names, [])
    yield _folder(disk, [], writes)
    for at in range(len(names)):
        yield _folder(disk, [names[at]], writes)
        yield _folder(disk, names[:at] + names[at + 1 :], writes)
    for _ in range(_MIXTURES if names or writes else 0):
        some = [change for change in names if chance.random() < 0.6]
        torn = [(number, _torn(write, chance)) for number, write in writes]
        yield _folder(disk, some, [(number, write) for number, write in torn if write])
        yield _folder(disk, names, [(number, write) for number, write in torn if write])


def _folder(
    disk: _Disk, changes: list[_Name], writes: list[tuple[int, _Write]]
) -> dict[str, bytes]:
    names = dict(disk.names)
    _rename(names, changes)
    return {
        name: _bytes(disk.files[number], [w for n, w in writes if n == number])
        for name, number in names.items()
    }
