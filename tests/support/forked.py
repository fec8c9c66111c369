"""Processes that are forked from a server that has imported the package: a new interpreter would
take several times as long, most of that for its imports."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pkgutil
import shutil
import signal
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import reconciler
from reconciler.__main__ import main
from tests.support import quick_disk, skipped_time

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    [
        "__main__",
        *(module.name for module in pkgutil.walk_packages(reconciler.__path__, "reconciler.")),
        *("jsonschema_rs", "tests.support.crash_points", "tests.support.state_scenario"),
    ]
)
"""Everything that a process imports: each would do so again."""
_starting_or_ending = threading.Lock()
"""Each start reads the exit codes of all processes, and only one thread can read a code."""
NOT_KNOWN = 255
"""The exit code that multiprocessing makes up if its server has ended before the process. taskctl
has no such exit code."""


class Forked:
    """A process that calls `target`, as the leader of a process group. Its stdin is empty, its
    clocks are set ahead as those of this process, and `env` is its whole environment. Thread-safe.
    """

    def __init__(
        self, target: Callable[..., object], *args: object, cwd: Path, env: Mapping[str, str]
    ) -> None:
        folder = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._streams = (folder / "stdout", folder / "stderr")
        for path in self._streams:
            path.touch()
        self.returncode: int | None = None
        process = _forks.Process(
            target=_run,
            args=(self._streams, cwd, dict(env), skipped_time.seconds(), target, args),
            daemon=True,
        )
        with _starting_or_ending:
            process.start()
        assert process.pid is not None
        self.pid = process.pid
        self._running: BaseProcess | None = process

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()

    @property
    def stdout(self) -> str:
        """The output so far."""
        return self._streams[0].read_text("utf-8", "replace")

    @property
    def stderr(self) -> str:
        return self._streams[1].read_text("utf-8", "replace")

    def poll(self) -> int | None:
        """Its exit code once it has ended; negative: the signal that ended it."""
        with _starting_or_ending:
            if self._running is not None:
                self._running.join(0)
                self.returncode = self._running.exitcode
                assert self.returncode != NOT_KNOWN, "somebody has killed the fork server"
            if self.returncode is not None:
                self._running = None  # closes its pipes, unless another thread waits for them
        return self.returncode

    def wait(self) -> int:
        while (code := self.poll()) is None:
            if (running := self._running) is not None:
                wait([running.sentinel])
        return code

    def until(self, is_so: Callable[[], object]) -> None:
        """Waits for that, which must happen before the process ends."""
        while not is_so():
            assert self.poll() is None or is_so(), self.communicate()
            time.sleep(0.005)

    def until_said(self, text: str) -> None:
        """Waits until its stderr contains that."""
        self.until(lambda: text in self.stderr)

    def communicate(self) -> tuple[str, str]:
        """Its stdout and stderr, once it has ended."""
        self.wait()
        return self.stdout, self.stderr

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(words: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Forked:
    """`taskctl WORDS`."""
    return Forked(taskctl, list(words), cwd=cwd, env=env)


def taskctl(words: Sequence[str]) -> None:
    sys.argv = ["taskctl", *words]
    main()


def _run(
    streams: Sequence[Path],
    cwd: Path,
    env: Mapping[str, str],
    skipped: float,
    target: Callable[..., object],
    args: Sequence[object],
) -> None:
    gc.freeze()
    os.setsid()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    for number, path in enumerate((Path(os.devnull), *streams)):
        with path.open("w" if number else "r") as file:
            os.dup2(file.fileno(), number)
    os.fsync = quick_disk.fsync  # type: ignore[assignment]
    skipped_time.set_ahead(skipped)
    target(*args)
