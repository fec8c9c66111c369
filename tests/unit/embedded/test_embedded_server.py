"""The service on its socket: addresses, connections, and how it stops."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.embedded.app import App
from reconciler.embedded.server import Server, serve
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from tests.support.embedded_client import message
from tests.support.embedded_server import running_app, running_server, server_process

TASKS = "/api/preview/agents/acme/tasks"
HEADERS = {"Authorization": "token alice"}


def connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port)


def call(url: str, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    with closing(connect(url)) as connection:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, HEADERS)
        answer = connection.getresponse()
        return answer.status, answer.read()


def create(url: str) -> str:
    status, body = call(url, "POST", TASKS, {"message": message()})
    assert status == 201
    return str(json.loads(body)["taskId"])


def test_the_server_prints_one_url_with_its_own_port(db: Path) -> None:
    with running_server(db) as url:
        parts = urlsplit(url)
        assert url == f"http://127.0.0.1:{parts.port}"
        assert call(url, "GET", TASKS)[0] == 200


def test_only_the_given_token_is_accepted(db: Path) -> None:
    with running_server(db, token="bob") as url:
        assert call(url, "GET", TASKS)[0] == 401


@pytest.mark.parametrize("host", ["localhost", "::1", "0.0.0.0"])
def test_other_addresses(db: Path, host: str) -> None:
    if host == "::1" and not _has_ipv6():
        return
    with closing(App(db)) as app, running_app(app, host) as url:
        assert call(url, "GET", TASKS)[0] == 200


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_a_port_in_use_is_an_error(db: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TaskctlError) as caught:
            serve(App(db), "127.0.0.1", port, print)
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.args["port"]) == (Code.LISTEN_ADDRESS, port)


def test_a_host_of_another_machine_is_an_error(db: Path) -> None:
    with closing(App(db)) as app:
        for host, port in (("192.0.2.1", 0), ("127.0.0.1", 99999)):
            with pytest.raises(TaskctlError):
                Server(app, host, port)


def test_a_chunked_body_is_read(db: Path) -> None:
    with running_server(db) as url, closing(connect(url)) as connection:
        data = json.dumps({"message": message("x" * 5000)}).encode()
        chunks = iter([data[:100], data[100:]])
        connection.request("POST", TASKS, chunks, HEADERS, encode_chunked=True)
        assert connection.getresponse().status == 201


def test_a_connection_is_kept_open(db: Path) -> None:
    with running_server(db) as url, closing(connect(url)) as connection:
        ports = set()
        for path in (TASKS, "/nowhere", TASKS):
            connection.request("GET", path, headers=HEADERS)
            connection.getresponse().read()
            assert connection.sock is not None
            ports.add(connection.sock.getsockname()[1])
        assert len(ports) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server(db: Path, number: int) -> None:
    if os.name != "posix":
        return
    with server_process(db) as (url, process), closing(connect(url)) as connection:
        connection.request("GET", TASKS, headers=HEADERS)
        connection.getresponse().read()
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "ended\n", "")
    assert list(db.parent.iterdir()) == [db]


def test_a_restarted_server_has_the_same_tasks(db: Path) -> None:
    with running_server(db) as url:
        task_id = create(url)
    with running_server(db) as url:
        assert call(url, "GET", f"{TASKS}/{task_id}")[0] == 200


def test_two_servers_share_one_file(db: Path) -> None:
    with running_server(db) as one, running_server(db) as two:
        made = create(one)
        assert call(two, "GET", f"{TASKS}/{made}")[0] == 200


def test_an_acknowledged_write_survives_a_kill(db: Path) -> None:
    answered: list[str] = []
    with server_process(db) as (url, process):
        enough = threading.Event()

        def client() -> None:
            try:
                while True:
                    answered.append(create(url))
                    if len(answered) > 40:
                        enough.set()
            except (OSError, http.client.HTTPException):
                return

        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert enough.wait()
        process.kill()
        for thread in threads:
            thread.join()
    with running_server(db) as url:
        _, body = call(url, "GET", f"{TASKS}?pageSize=1000&sortBy=created")
        there = {task["id"] for task in json.loads(body)["tasks"]}
        assert set(answered) <= there
        assert len(there) <= len(answered) + 4
