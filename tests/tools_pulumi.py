"""Pulumi's own command line against `taskctl serve`. Run from the root:
`python -m tests.tools_pulumi PULUMI`, where PULUMI is the path of the program.

`make test-tools` runs this. The interactive checks use a pseudo-terminal.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from reconciler.embedded.app import App
from reconciler.embedded.scenarios import scenario_of
from tests.support.embedded_client import Api
from tests.support.embedded_server import running_app

TOKEN = "any-token"
PATIENCE = 120.0  # timeout of a check in seconds


class Pulumi:
    """The program in its own directory, logged in to a service."""

    def __init__(self, program: str, folder: Path, url: str) -> None:
        self._program = program
        self._folder = folder
        (folder / "main.tf").touch()
        self._env = {
            **os.environ,
            "PULUMI_HOME": str(folder / ".pulumi-home"),
            "PULUMI_BACKEND_URL": url,
            "PULUMI_ACCESS_TOKEN": TOKEN,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "TERM": "xterm-256color",
        }

    def print(self, prompt: str) -> str:
        """What `pulumi neo --print` prints."""
        command = [self._program, "neo", "--print", "--org", "acme", prompt]
        ended = subprocess.run(
            command,
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @contextmanager
    def session(self, prompt: str) -> Iterator[Terminal]:
        """The terminal of an interactive session."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [self._program, "neo", "--org", "acme", prompt],
            cwd=self._folder,
            env=self._env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            yield Terminal(ours)
        finally:
            process.kill()
            process.wait()
            os.close(ours)


class Terminal:
    """A pseudo-terminal with what a program has `shown` so far."""

    def __init__(self, fd: int) -> None:
        self._fd, self.shown = fd, b""
        threading.Thread(target=self._drain, daemon=True).start()

    def enter(self, line: str) -> None:
        """Types a line and presses Enter."""
        os.write(self._fd, line.encode())
        os.write(self._fd, b"\r")

    def _drain(self) -> None:
        """Reads the program's output, and answers its query for the terminal's colors."""
        with suppress(OSError):
            while shown := os.read(self._fd, 65536):
                self.shown += shown
                if b"\x1b]11;?" in shown:
                    os.write(self._fd, b"\x1b]11;rgb:0000/0000/0000\x1b\\")
                if b"\x1b[c" in shown:
                    os.write(self._fd, b"\x1b[?62;c")


class Checks:
    def __init__(self, program: str) -> None:
        self._program = program

    @contextmanager
    def _service(self, scenario: str) -> Iterator[tuple[Pulumi, Api]]:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder) / "work"
            work.mkdir()
            db = Path(folder) / "service.db"
            app = App(db, scenario=scenario_of(scenario, 0.3))
            with closing(app), running_app(app) as url:
                yield Pulumi(self._program, work, url), Api(app, token=TOKEN)

    def prints_the_final_message(self) -> None:
        with self._service("finishing") as (pulumi, api):
            assert "no agent was started" in pulumi.print("Rotate keys")
            assert _only(api)["source"] == "cli"

    def needs_no_approval_in_auto_mode(self) -> None:
        with self._service("approving") as (pulumi, api):
            assert "no agent was started" in pulumi.print("Upgrade the network")
            kinds = [body["type"] for body in _bodies(api)]
            assert "user_approval_request" not in kinds

    def runs_a_tool_on_this_machine(self) -> None:
        with self._service("delegating") as (pulumi, api):
            assert "Thanks for the list" in pulumi.print("List the files")
            (result,) = _last(api, "tool_result")["tool_results"]
            assert result["is_error"] is False
            assert "main.tf" in [entry["name"] for entry in result["content"]["entries"]]

    def is_approved_by_a_person(self) -> None:
        with self._service("approving") as (pulumi, api), pulumi.session("Upgrade it") as terminal:
            request = _answer(api, terminal, "y")
            assert _last(api, "user_confirmation")["approval_request_id"] == request["id"]
            assert _last(api, "user_confirmation")["ok"] is True
            _await(lambda: _last(api, "assistant_message").get("is_final"))

    def is_rejected_by_a_person(self) -> None:
        with self._service("approving") as (pulumi, api), pulumi.session("Upgrade it") as terminal:
            _answer(api, terminal, "Use a preview.")
            answer = _last(api, "user_confirmation")
            assert (answer["ok"], answer["instructions"]) == (False, "Use a preview.")

    def a_question_is_answered(self) -> None:
        with self._service("asking") as (pulumi, api), pulumi.session("Where?") as terminal:
            _answer(api, terminal, "eu-west-1")
            answer = _last(api, "user_confirmation")
            assert (answer["ok"], answer["instructions"]) == (False, "eu-west-1")
            _await(lambda: "eu-west-1" in _last(api, "assistant_message")["content"])


def _answer(api: Api, terminal: Terminal, line: str) -> Any:
    """Answers the request once the program shows it, since it drops what is typed before. Returns
    the request."""
    request = _await(lambda: _last(api, "user_approval_request"))
    end_of_text = " ".join(request["message"].split()[-2:]).encode()
    _await(lambda: end_of_text in terminal.shown)
    terminal.enter(line)
    _await(lambda: _last(api, "user_confirmation"))
    return request


def _only(api: Api) -> Any:
    (task,) = api.list().json["tasks"]
    return task


def _bodies(api: Api) -> list[Any]:
    tasks = api.list().json["tasks"]
    return [event["eventBody"] for event in api.events(tasks[0]["id"])] if tasks else []


def _last(api: Api, kind: str) -> Any:
    """The last event of a type, or an empty object."""
    return next((body for body in reversed(_bodies(api)) if body["type"] == kind), {})


def _await(found: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (value := found()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.1)
    return value


def main(program: str) -> int:
    failed = 0
    checks = Checks(program)
    for name in [name for name in vars(Checks) if not name.startswith("_")]:
        check: Callable[[], None] = getattr(checks, name)
        begun = time.monotonic()
        try:
            check()
        except AssertionError as problem:
            failed += 1
            print(f"FAILED {name}: {problem!r}")
        else:
            print(f"passed {name} {time.monotonic() - begun:.1f} s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
