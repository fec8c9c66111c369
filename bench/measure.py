"""Measures commands: peers run alternately, and medians are compared."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PYTHON = sys.executable
BIN = Path(sys.executable).parent
PEERS = BIN.parent / "peers"
"""Peers as their installers leave them; the Makefile creates it."""

ROOT = Path(__file__).resolve().parents[1]
_MOST = 1 << 20
TOKEN = "pul-0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Command:
    """A command line and its directory; `prepare` is called before each run and not measured."""

    words: Sequence[str]
    folder: Path = ROOT
    env: Mapping[str, str] | None = None
    prepare: Callable[[], None] = lambda: None
    codes: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Ran:
    """One run: wall and CPU time in seconds, peak memory in MiB, and the end of its output.

    The peak of a process is at least what this one has when it starts it, so it keeps no more."""

    seconds: float
    cpu: float
    peak: float
    stdout: str


def taskctl(*words: str, folder: Path = ROOT, **more: object) -> Command:
    """This project's command, with its own token, home and cache."""
    env = {
        "PULUMI_ACCESS_TOKEN": TOKEN,
        "PULUMI_HOME": str(folder / ".pulumi-home"),
        "TASKCTL_CACHE_DIR": f"{folder}-cache",
    }
    return Command((str(BIN / "taskctl"), *words), folder, env, **more)  # type: ignore[arg-type]


def run(command: Command) -> Ran:
    """Runs the command once. RuntimeError with its output for another exit code than expected."""
    command.prepare()
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command.words,
            cwd=command.folder,
            env=environment() | dict(command.env or {}),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = code = os.waitstatus_to_exitcode(status)
        stdout.seek(max(0, stdout.seek(0, os.SEEK_END) - _MOST))
        stderr.seek(0)
        said = stdout.read().decode("utf-8", "replace")
        if code not in command.codes:
            words = " ".join(command.words)
            raise RuntimeError(f"{words}: exit {code}\n{said[-2000:]}{stderr.read()[-4000:]!r}")
    scale = 1024 if sys.platform != "darwin" else 1024 * 1024
    return Ran(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale, said)


def environment() -> dict[str, str]:
    """The environment of this process, with bytecode enabled: installed packages are compiled, and
    a run that compiles every module would measure the compiler."""
    return {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}


def take_turns(commands: Sequence[Command], rounds: int) -> list[list[Ran]]:
    """Runs each command once per round, in alternating order; a first round is not measured."""
    runs: list[list[Ran]] = [[] for _ in commands]
    for number in range(rounds + 1):
        order = range(len(commands)) if number % 2 else reversed(range(len(commands)))
        for index in order:
            ran = run(commands[index])
            if number:
                runs[index].append(ran)
    return runs


def seconds(runs: Sequence[Ran]) -> float:
    return statistics.median(ran.seconds for ran in runs)


def spread(above: Sequence[Ran], below: Sequence[Ran], scale: float = 1) -> str:
    """The lowest and highest ratio of a single round, as the spread of the ratio of the medians."""
    ratios = [scale * a.seconds / b.seconds for a, b in zip(above, below, strict=True)]
    return between(ratios)


def between(ratios: Sequence[float]) -> str:
    return f"rounds {min(ratios):.3g} to {max(ratios):.3g}"
