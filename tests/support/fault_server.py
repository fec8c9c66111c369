"""A real HTTP/1.1 server on loopback that speaks the service's protocol and injects faults.

with FaultServer([Rule("create", Fault("reset", committed=True), nth=(1,))]) as server:
    Client(server.url, "a-token").create_task("acme", body, OPEN)
    assert server.tasks_by_work() == {"Do it.": [ANY]}
"""

from __future__ import annotations

import ssl
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path

from tests.support.fault_http import Handler
from tests.support.fault_script import Call, Chooser, Fault, Rule, Script
from tests.support.fault_world import Habits, World
from tests.support.references import Sent
from tests.support.skipped_time import skipped_epoch

__all__ = ["Call", "Fault", "FaultServer", "Habits", "Rule"]

ROOT = Path(__file__).parents[2]


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: FaultServer

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):
            self.owner.errors.append(traceback.format_exc())


class FaultServer:
    """The server, which runs while it is entered. Its attributes have everything it received.

    `faults` is a list of rules, or a function from a call to its fault (None: no fault). `clock`
    is the clock that `clock_offset` is added to (seconds since the epoch). With `tls`, it uses
    https.
    """

    def __init__(
        self,
        faults: Sequence[Rule] | Chooser = (),
        habits: Habits | None = None,
        *,
        port: int = 0,
        clock: Callable[[], float] = skipped_epoch,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.habits = habits or Habits()
        self.world = World(self.habits, clock)
        self.choose: Chooser = faults if callable(faults) else Script(faults)
        self.calls: list[Call] = []
        self.connections = 0
        self.traps_sprung = 0
        self.errors: list[str] = []
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._released = threading.Event()
        handler = type("BoundHandler", (Handler,), {"owner": self})
        self._listener = _Listener(("127.0.0.1", port), handler)
        self._listener.owner = self
        if tls is not None:
            self._listener.socket = tls.wrap_socket(
                self._listener.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = int(self._listener.server_address[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.02,), daemon=True
        )

    def __enter__(self) -> FaultServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self.errors:
            raise AssertionError("the fault server itself failed:\n" + "\n".join(self.errors))

    def stop(self) -> None:
        """Stops listening; delayed requests continue immediately."""
        self._stopping.set()
        self._released.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()

    @property
    def posts(self) -> list[str]:
        """The bodies of all creates received, whatever their outcome."""
        return [call.body for call in self.of("create")]

    def of(self, endpoint: str) -> list[Call]:
        with self._lock:
            return [call for call in self.calls if call.endpoint == endpoint]

    def references(self) -> dict[str, list[Sent]]:
        return self.world.references()

    def tasks_by_work(self) -> dict[str, list[str]]:
        return self.world.tasks_by_work()

    def wait_for_tasks(self, number: int) -> None:
        """Waits until that many tasks exist, since a commit may follow the death of its client."""
        self.world.wait_for_tasks(number)

    def set_rules(self, *rules: Rule) -> None:
        """Replaces all rules; the new ones count from now on."""
        with self._lock:
            self._counts.clear()
            self.choose = Script(rules)

    def connected(self) -> int:
        with self._lock:
            self.connections += 1
            return self.connections

    def trap_sprung(self) -> None:
        with self._lock:
            self.traps_sprung += 1

    def record(
        self,
        endpoint: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: str,
        connection: int,
        task_id: str | None,
    ) -> Call:
        with self._lock:
            self._counts[endpoint] += 1
            nth = self._counts[endpoint]
            call = Call(endpoint, nth, method, path, headers, body, connection, task_id)
            self.calls.append(call)
            return call

    def pause(self, seconds: float) -> None:
        if seconds > 0:
            self._released.wait(seconds)

    def release_at_list(self, nth: int, tasks: int) -> None:
        """Replaces all rules: the delays end at the `nth` list from now on, which is answered once
        there are that many tasks."""

        def choose(call: Call) -> None:
            if (call.endpoint, call.nth) == ("list", nth):
                self.release()
                self.wait_for_tasks(tasks)

        with self._lock:
            self._counts.clear()
            self.choose = choose

    def release(self) -> None:
        """Ends all current and future delays of faults."""
        self._released.set()
