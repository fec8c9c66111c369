"""Kills a real process before, during and after each operation with a lasting effect.

    python -m tests.support.crash_points [--kill-at N] [--trace FILE] [--files-only]
        [--call MODULE:FUNCTION] -- ARGUMENTS

runs `taskctl ARGUMENTS` (or `FUNCTION(*ARGUMENTS)`) in this process. What it does to files and the
requests it sends are counted, and at point N, from 0, it sends itself SIGKILL: no handler, no
`finally` and no buffer survives that. Without `--kill-at` it runs to its end and `--trace` says
which points there are, one JSON line each.

Each operation has a point before it and one after it; a write has one within it too, at which the
first half of its bytes is written. Counted are: a file or folder made, written to (through `os` or
any Python file object), truncated, synced, renamed, linked, removed; and, unless `--files-only`,
requests sent by requests' own adapter or by the project's WSGI one. Not counted: anything that is
no regular file (pipes, sockets, the terminal), and SQLite's own writes, which are in C: the point
after a request is the one at which an embedded service has committed and its answer was not seen.

From a test: `run([...])` counts, `run([...], kill_at=n)` kills.
"""

from __future__ import annotations

import argparse
import builtins
import importlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

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
    """How it ended, and the points that it came to (the last is the one it died at, if it did)."""

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
    timeout: float = 60,
) -> Run:
    """One process, killed at point `kill_at` (None: not at all). `env` adds to the environment."""
    with TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        command = [sys.executable, "-m", "tests.support.crash_points", "--trace", str(trace)]
        command += [] if kill_at is None else ["--kill-at", str(kill_at)]
        command += ["--call", call] if call else []
        command += ["--files-only"] if files_only else []
        ended = subprocess.run(
            [*command, "--", *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
        lines = trace.read_text().splitlines() if trace.exists() else []
    points = tuple(Point(**json.loads(line)) for line in lines)
    return Run(ended.returncode, ended.stdout, ended.stderr, points)


class _Counter:
    """Numbers the points as they are reached, over all threads, and dies at one of them."""

    def __init__(self, kill_at: int | None, trace: Path | None) -> None:
        self._kill_at, self._next = kill_at, 0
        self._lock = threading.Lock()
        self._write = os.write
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
        self._trace = None if trace is None else os.open(trace, flags)

    def reach(
        self, operation: str, phase: str, what: str, half: Callable[[], object] | None = None
    ) -> None:
        with self._lock:
            number, self._next = self._next, self._next + 1
            if self._trace is not None:
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


def install(kill_at: int | None = None, trace: Path | None = None, *, files_only: bool) -> None:
    """Counts from now on, in this process. There is no way back."""
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
    """`os.open` where it makes or empties a file, and every file object that writes."""
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
    """An adapter that hands on to another counts once."""
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="crash_points")
    parser.add_argument("--kill-at", type=int)
    parser.add_argument("--trace", type=Path)
    parser.add_argument("--files-only", action="store_true")
    parser.add_argument("--call")
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    module, _, name = (options.call or "reconciler.cli.main:main").partition(":")
    target = getattr(importlib.import_module(module), name)
    install(options.kill_at, options.trace, files_only=options.files_only)
    if options.call:
        target(*options.arguments)
    else:
        sys.argv = ["taskctl", *options.arguments]
        target()


if __name__ == "__main__":
    main()
