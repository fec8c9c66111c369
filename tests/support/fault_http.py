"""The HTTP/1.1 side of the fault server: one handler, its responses and its failures."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
from collections.abc import Mapping
from email.utils import formatdate
from http.client import responses
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.fault_script import Call, Fault
from tests.support.fault_world import ProblemError

if TYPE_CHECKING:
    from tests.support.fault_server import FaultServer

HTML = "<!DOCTYPE html><html><title>Proxy</title><h1>Something in between</h1></html>"
Result = tuple[int, dict[str, Any]]


class Handler(BaseHTTPRequestHandler):
    """One connection. `owner` is the server it belongs to."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: FaultServer
    trapped = False
    trickle = 0.0

    def setup(self) -> None:
        super().setup()
        self.number = self.owner.connected()

    def handle_one_request(self) -> None:
        if self.trapped:
            waiting = select.poll()  # select() knows no descriptor over 1023
            waiting.register(self.connection, select.POLLIN)
            waiting.poll(60_000)
            self.owner.trap_sprung()
            self._reset()
            return
        super().handle_one_request()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        """Silent: the server records what matters."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode() if length else ""
        parts = urlsplit(self.path)
        if parts.path == "/_counts":  # for another process
            made = sum(map(len, self.owner.tasks_by_work().values()))
            self._answer(200, {"sent": len(self.owner.posts), "made": made})
            return
        endpoint, org, task_id = route(self.command, parts.path)
        call = self.owner.record(
            endpoint, self.command, self.path, dict(self.headers), body, self.number, task_id
        )
        fault = self.owner.choose(call) or Fault()
        self.owner.pause(self.owner.habits.latency + fault.before)
        result = None
        if fault.takes_effect:
            result = self._perform(call, org, dict(parse_qsl(parts.query)))
        self.owner.pause(fault.after)
        self.trickle = fault.trickle
        self._fail_or_answer(fault, result)

    def _perform(self, call: Call, org: str, query: Mapping[str, str]) -> Result:
        world = self.owner.world
        try:
            user = world.user_of(self.headers.get("Authorization", ""))
            body = json.loads(call.body) if call.body else {}
            if org:
                world.check_org(org)
            match call.endpoint:
                case "create":
                    return 201, world.create(user, org, body)
                case "list":
                    return 200, world.list_tasks(user, org, query)
                case "get":
                    return 200, world.get(user, org, call.task_id or "")
                case "patch":
                    return 200, world.patch(user, org, call.task_id or "", body)
                case "events":
                    return 200, world.events(user, org, call.task_id or "", query)
                case "user":
                    return 200, world.user(user)
                case "budget":
                    return world.budget()
                case "default-org":
                    return 200, {"GitHubLogin": world.habits.default_org, "Messages": []}
                case _:
                    raise ProblemError(404, "Not Found")
        except ProblemError as problem:
            return problem.status, {"code": problem.status, "message": problem.message}

    def _fail_or_answer(self, fault: Fault, result: Result | None) -> None:
        status, data = result or (200, {})
        match fault.kind:
            case "reset":
                self._reset()
            case "close":
                self.close_connection = True
            case "cut":
                body = json.dumps(data).encode()
                self._write(self._head(status, len(body)) + body[: len(body) // 2])
                self.close_connection = True
            case "status":
                self._answer(
                    fault.status, {"code": fault.status, "message": fault.text}, fault.headers
                )
            case "raw":
                self._send(fault.status, fault.text.encode(), fault.headers)
            case "wire":
                self._write(fault.text.encode())
                self.close_connection = True
            case "interim":
                self._write(fault.text.encode())
                self._answer(status, data)
            case "endless":
                while not self.close_connection:
                    self._write(fault.text.encode())
            case "html":
                head = {"Content-Type": "text/html; charset=utf-8", **fault.headers}
                self._send(fault.status or 200, HTML.encode(), head)
            case "redirect":
                self._send(fault.status, b"", fault.headers)
            case "garbage":
                self._send(status, b'{"taskId": "a-task-that-is', {})
            case "empty":
                self._send(status, b"{}", {})
            case "trap":
                self.trapped = True
                self._answer(status, data)
            case None:
                self._answer(status, data)

    def _answer(self, status: int, data: object, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, json.dumps(data).encode(), headers or {})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._write(self._head(status, len(body), headers) + body)

    def _head(self, status: int, length: int, headers: Mapping[str, str] | None = None) -> bytes:
        all_headers = {
            "Date": formatdate(self.owner.world.now(), usegmt=True),
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(length),
            "X-Pulumi-Request-ID": f"req-{self.number}",
            **(headers or {}),
        }
        lines = [f"HTTP/1.1 {status} {responses.get(status, 'Unusual')}"]
        lines += [f"{name}: {value}" for name, value in all_headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _write(self, data: bytes) -> None:
        pieces = (data[n : n + 1] for n in range(len(data))) if self.trickle else (data,)
        try:
            for piece in pieces:
                self.wfile.write(piece)
                self.owner.pause(self.trickle)
        except OSError:
            self.close_connection = True

    def _reset(self) -> None:
        """Closes with an RST: what was sent and not yet read is lost to the peer."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


def route(method: str, path: str) -> tuple[str, str, str | None]:
    """The endpoint's name, the organization and the task id of a request."""
    match [unquote(part) for part in path.strip("/").split("/")]:
        case ["api", "user"]:
            return "user", "", None
        case ["api", "user", "organizations", "default"]:
            return "default-org", "", None
        case ["api", "orgs", org, "neo", "token-budget"]:
            return "budget", org, None
        case ["api", "preview", "agents", org, "tasks"]:
            return ("create" if method == "POST" else "list"), org, None
        case ["api", "preview", "agents", org, "tasks", task_id]:
            return {"GET": "get", "PATCH": "patch"}.get(method, "other"), org, task_id
        case ["api", "preview", "agents", org, "tasks", task_id, "events"]:
            return "events", org, task_id
        case _:
            return "other", "", None
