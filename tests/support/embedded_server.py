"""The embedded service over HTTP: in a thread, or as a process that can be killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.embedded.app import WORK_SECONDS, App
from reconciler.embedded.lifecycle import Scenario
from reconciler.embedded.server import Server

_SERVE = """
import sys
from pathlib import Path
from reconciler.embedded.app import App
from reconciler.embedded.server import serve

serve(App(Path(sys.argv[1])), "127.0.0.1", 0, lambda url: print(url, flush=True))
print("ended", flush=True)
"""
_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def running_server(
    db: Path,
    token: str | None = None,
    *,
    work_seconds: float = WORK_SECONDS,
    scenario: Scenario | None = None,
) -> Iterator[str]:
    """Runs a service on a free port of 127.0.0.1; gives its base URL."""
    app = App(db, token=token, work_seconds=work_seconds, scenario=scenario)
    try:
        with running_app(app) as url:
            yield url
    finally:
        app.close()


@contextmanager
def running_app(app: App, host: str = "127.0.0.1") -> Iterator[str]:
    """Serves an App of the test, which is not closed; gives its base URL."""
    server = Server(app, host, 0)
    thread = threading.Thread(target=server.run, name="embedded service")
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join()
        server.close()
        assert not thread.is_alive()


@contextmanager
def server_process(db: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Runs `serve`; gives its base URL and its process, which is killed at the end if it still
    runs."""
    command = [sys.executable, "-c", _SERVE, str(db)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=_ROOT
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()
