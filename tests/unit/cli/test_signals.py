"""Signals can arrive at any moment, including during a wait."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from io import StringIO
from types import FrameType

import pytest

from reconciler.cli.console.output import Output, OutputOptions
from reconciler.cli.signals import Interrupts
from reconciler.system.clock import Stop
from tests.support.skipped_time import really_wait


def test_a_signal_ends_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal arrives as the wait starts, while it holds its lock."""

    def begun(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code is threading.Condition.wait.__code__:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Stop, "wait", really_wait)
    with Interrupts("") as stop:
        sys.setprofile(begun)
        try:
            assert not stop.wait(60)
        finally:
            sys.setprofile(None)
        assert stop.exit_code == 130
        assert not stop.wait(60)


BUSY = """\
import hashlib, sys
import pytest

from reconciler.cli.signals import Interrupts
from reconciler.system.clock import Stop
from tests.support.skipped_time import really_wait
with Interrupts("stopping\\n", "the result"):
    sys.stderr.write("ready\\n"); sys.stderr.flush()
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", 2**31 - 1)  # no handler runs before it returns
"""


TYPED_AT = """\
import os, pty
from reconciler.cli.signals import read_typed_line
for _ in range(300):
    pid, terminal = pty.fork()
    if not pid:
        try:
            os.write(2, b"go? ")
            read_typed_line()
        except KeyboardInterrupt:
            os._exit(130)
        os._exit(1)
    assert os.read(terminal, 4) == b"go? "
    os.write(terminal, b"\\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    os.close(terminal)
print("all ended")
"""


def test_ctrl_c_at_the_moment_of_a_prompt_ends_it() -> None:
    """Of 100, the read itself loses three."""
    run = subprocess.run([sys.executable, "-c", TYPED_AT], capture_output=True, text=True)
    assert run.stdout == "all ended\n", run.stderr


STOPPED_AT = """\
import os, pty, signal, sys
from reconciler.cli.signals import Interrupts, read_typed_line
number = int(sys.argv[1])
pid, terminal = pty.fork()
if not pid:
    with Interrupts("stopping\\n") as stop:
        os.write(2, b"go? ")
        read_typed_line()
    os._exit(stop.exit_code or 0)
said = b""
while b"go? " not in said:
    said += os.read(terminal, 100)
os.kill(pid, number)
while b"stopping" not in said:
    said += os.read(terminal, 100)
os.write(terminal, b"yes\\n")
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 128 + number
print("stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_a_prompt_during_a_run_stops_it(number: int) -> None:
    words = [sys.executable, "-c", STOPPED_AT, str(int(number))]
    run = subprocess.run(words, capture_output=True, text=True)
    assert run.stdout == "stopped\n", run.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_exits_whatever_the_main_thread_does(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in ("ready\n", "stopping\n"):
            assert process.stderr.readline() == line
            process.send_signal(number)
        out, _ = process.communicate()
    assert (process.returncode, out) == (128 + number, "the result")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_a_document_finish_that_has_begun(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(StringIO):
        def write(self, text: str) -> int:
            super().write(text[:3])
            signal.raise_signal(number)
            return super().write(text[3:])

    stdout = Interrupted()
    monkeypatch.setattr("sys.stdout", stdout)
    out = Output(OutputOptions(format="json"))
    out.result(lambda: {"items": [1, 2]}, lambda _: "")
    with pytest.raises(SystemExit) as ended:
        out.end()
    assert ended.value.code == 128 + number
    assert json.loads(stdout.getvalue()) == {"items": [1, 2]}
