"""Kills a real process before, during and after each operation with a lasting effect.

`run([...])` runs `taskctl ARGUMENTS` (or a function) in a separate process and counts what it does
to files and the requests it sends. `run([...], kill_at=n)` sends that process SIGKILL at point n,
from 0: no handler, no `finally` and no buffer survives that.

Each operation has a point before it and one after it; a write also has one within it, at which the
first half of its bytes is written. Counted are: creating a file or directory, writing to one
(through `os` or any Python file object), truncating, fsync, rename, link, unlink; and, unless
`files_only`, requests sent by requests' own adapter or by the project's WSGI adapter. Not counted:
anything but regular files (pipes, sockets, the terminal), and SQLite's own writes, which are in C:
the point after a request is where an embedded service has committed and the client has not seen the
response.
"""

from __future__ import annotations

import builtins
import importlib
import io
import json
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from tests.support.forked import Forked, taskctl
from tests.support.skipped_time import skipped_time

ROOT = Path(__file__).resolve().parents[2]

_PATH_OPERATIONS = ("replace", "rename", "link", "symlink", "unlink", "remove", "mkdir", "rmdir")
_FILE_OPERATIONS = ("fsync", "fdatasync", "ftruncate", "truncate")


@dataclass(frozen=True)
class Point:
    """`number` counts from 0; `phase` is before, within or after; `what` a path or a request."""

    number: int
    operation: str
    phase: str
    what: str

    def __str__(self) -> str:
        return f"{self.number}: {self.phase} {self.operation} {self.what}"


@dataclass(frozen=True)
class Run:
    """How a process ended, and the points that it reached; the last one is where it was killed."""

    returncode: int
    stdout: str
    stderr: str
    points: tuple[Point, ...]

    @property
    def killed(self) -> bool:
        return self.returncode == -signal.SIGKILL


def run(
    arguments: Sequence[str],
    *,
    kill_at: int | None = None,
    call: str | None = None,
    files_only: bool = False,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Run:
    """Runs `taskctl ARGUMENTS`, or `call` (MODULE:FUNCTION) with the arguments.

    `kill_at`: the point at which the process is killed (None: not at all). `env` adds to the
    environment.
    """
    with TemporaryDirectory() as name:
        trace = Path(name) / "trace"
        trace.touch()
        process = Forked(
            _count,
            *(list(arguments), call, kill_at, trace),
            files_only,
            cwd=cwd or Path.cwd(),
            env={**os.environ, **(env or {})},
        )
        stdout, stderr = process.communicate()
        points = tuple(Point(**json.loads(line)) for line in trace.read_text().splitlines())
    return Run(process.wait(), stdout, stderr, points)


def _count(
    arguments: Sequence[str], call: str | None, kill_at: int | None, trace: Path, files_only: bool
) -> None:
    module, _, name = (call or "").partition(":")
    target = getattr(importlib.import_module(module), name) if call else taskctl
    install(kill_at, trace, files_only=files_only)
    with skipped_time():
        target(*arguments) if call else target(arguments)


class _Counter:
    """Numbers the points as they are reached, over all threads, and is killed at one of them."""

    def __init__(self, kill_at: int | None, trace: Path) -> None:
        self._kill_at, self._next = kill_at, 0
        self._lock = threading.Lock()
        self._write = os.write
        self._trace = os.open(trace, os.O_WRONLY | os.O_APPEND)

    def reach(
        self, operation: str, phase: str, what: str, half: Callable[[], object] | None = None
    ) -> None:
        with self._lock:
            number, self._next = self._next, self._next + 1
            point = {"number": number, "operation": operation, "phase": phase, "what": what}
            self._write(self._trace, json.dumps(point).encode() + b"\n")
            if number == self._kill_at:
                if half is not None:
                    half()
                die()


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    while True:
        time.sleep(1)


def install(kill_at: int | None, trace: Path, *, files_only: bool) -> None:
    """Counts operations from now on, in this process; this cannot be undone."""
    counter = _Counter(kill_at, trace)
    _wrap_writes(counter)
    _wrap_creations(counter)
    for name in (*_PATH_OPERATIONS, *_FILE_OPERATIONS):
        if hasattr(os, name):
            _wrap_operation(counter, name)
    if not files_only:
        _wrap_requests(counter)


def _wrap_operation(counter: _Counter, name: str) -> None:
    original = getattr(os, name)

    def wrapped(target: Any, *args: Any, **kwargs: Any) -> Any:
        what = _name(target) if isinstance(target, int) else os.fspath(target)
        counter.reach(name, "before", str(what))
        result = original(target, *args, **kwargs)
        counter.reach(name, "after", str(what))
        return result

    setattr(os, name, wrapped)


def _wrap_writes(counter: _Counter) -> None:
    original = os.write

    def write(fd: int, data: Any) -> int:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return original(fd, data)
        return _counted_write(counter, _name(fd), data, lambda part: original(fd, part))

    os.write = write


def _counted_write(counter: _Counter, what: str, data: Any, write: Callable[[Any], int]) -> int:
    whole = memoryview(data).cast("B")
    counter.reach("write", "before", what)
    if len(whole) > 1:
        counter.reach("write", "within", what, lambda: write(whole[: len(whole) // 2]))
    written = write(whole)
    counter.reach("write", "after", what)
    return written


def _wrap_creations(counter: _Counter) -> None:
    """Wraps `os.open` where it creates or truncates a file, and every file object that writes."""
    original, original_open = os.open, io.open

    def opened(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        makes = flags & os.O_CREAT and not os.path.lexists(path)
        if not makes and not flags & os.O_TRUNC:
            return original(path, flags, *args, **kwargs)
        counter.reach("create", "before", str(path))
        fd = original(path, flags, *args, **kwargs)
        counter.reach("create", "after", str(path))
        return fd

    class CountedFile(io.FileIO):
        def write(self, data: Any) -> int:
            return _counted_write(counter, str(self.name), data, super().write)

    def opened_as_object(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        if isinstance(file, int) or not set(mode) & set("wax+"):
            return original_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        made = "w" in mode or not os.path.lexists(file)
        if made:
            counter.reach("create", "before", str(file))
        raw = CountedFile(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        if made:
            counter.reach("create", "after", str(file))
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding, errors, newline, buffering == 1)

    os.open = opened
    io.open = builtins.open = opened_as_object


def _wrap_requests(counter: _Counter) -> None:
    import requests.adapters

    inside = threading.local()
    classes: list[type] = [requests.adapters.HTTPAdapter]
    try:
        transport = importlib.import_module("reconciler.remote.transport")
        classes.append(transport.WSGIAdapter)
    except (ImportError, AttributeError):
        pass
    for adapter in classes:
        if "send" in vars(adapter):
            _wrap_send(counter, adapter, inside)


def _wrap_send(counter: _Counter, adapter: Any, inside: threading.local) -> None:
    """An adapter that delegates to another one counts once."""
    original = adapter.send

    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(inside, "now", False):
            return original(self, request, *args, **kwargs)
        what = f"{request.method} {request.url}"
        counter.reach("send", "before", what)
        inside.now = True
        try:
            answer = original(self, request, *args, **kwargs)
        finally:
            inside.now = False
        counter.reach("send", "after", what)
        return answer

    adapter.send = send


def _name(fd: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{fd}").readlink())
    except OSError:
        return f"descriptor {fd}"
