"""A service that uses almost no CPU time, so that benchmarks measure the client.

`python -m bench.fast_server [--latency SECONDS] [--tasks FILE]` prints its URL. FILE holds one
task of the list per line, newest first. Creates are kept in memory, and listed even before their
response. `GET /_add?N` adds N tasks of another user.
`GET /_counts` returns how many requests of each kind arrived since the previous call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs

USER = {"id": "u-bench", "githubLogin": "bench", "name": "bench", "organizations": []}
EVENTS = (
    b'{"events":[{"id":"e-1","type":"userInput","eventBody":{"type":"user_message","content":'
    b'"another job","timestamp":"2026-01-01T00:00:00.000Z"}},{"id":"e-2","type":"agentResponse",'
    b'"eventBody":{"type":"assistant_message","content":"Done.","is_final":true,'
    b'"timestamp":"2026-01-01T00:01:00.000Z"}}]}'
)
"""Of each task of the list: it has finished."""


class World:
    def __init__(self, tasks: list[bytes], latency: float) -> None:
        self.old = tasks
        self.new: list[bytes] = []
        self.messages: dict[str, bytes] = {}
        self.latency = latency
        self.counts: Counter[str] = Counter()
        self.pages: dict[tuple[int, int], bytes] = {}

    def answer(self, method: str, target: str, body: bytes) -> tuple[float, int, bytes]:
        """The delay in seconds, the status and the body."""
        path, _, query = target.partition("?")
        parts = path.strip("/").split("/")
        if path == "/_counts":
            counts, self.counts = self.counts, Counter()
            return 0, 200, json.dumps(counts).encode()
        if path == "/_add":
            for _ in range(int(query)):
                self._add(b"{}", by="someone else")
            return 0, 200, b"{}"
        if path == "/_forget":
            self.new.clear()
            return 0, 200, b"{}"
        kind = self._kind(method, parts)
        self.counts[kind] += 1
        if kind == "create":
            return self.latency, 201, b'{"taskId":"%s"}' % self._add(body).encode()
        if kind == "list":
            return 0, 200, self._page(parse_qs(query))
        if kind == "events":
            return 0, 200, self.messages.get(parts[5], EVENTS)
        if kind == "user":
            return 0, 200, json.dumps(USER).encode()
        if kind in ("get", "patch"):
            return 0, 200, self._task(parts[5])
        return 0, 404, b'{"code":404,"message":"Not Found"}'

    def _kind(self, method: str, parts: list[str]) -> str:
        if parts[:2] == ["api", "user"]:
            return "user"
        if parts[:3] != ["api", "preview", "agents"]:
            return "other"
        if len(parts) == 5:
            return "create" if method == "POST" else "list"
        if len(parts) == 7:
            return "events"
        return "patch" if method == "PATCH" else "get"

    def _add(self, body: bytes, by: str = "bench") -> str:
        task_id = f"new-{len(self.new):06d}"
        self.new.append(shown(task_id, "new", 0, by, now=time.time()))
        if message := json.loads(body).get("message"):
            event = {"id": "e-1", "type": "userInput", "eventBody": message}
            self.messages[task_id] = json.dumps({"events": [event]}).encode()
        return task_id

    def _page(self, query: dict[str, list[str]]) -> bytes:
        size = int(query.get("pageSize", ["100"])[0])
        start = int(query.get("continuationToken", ["0"])[0])
        if not self.new and (kept := self.pages.get((start, size))):
            return kept
        tasks = [*reversed(self.new), *self.old] if self.new else self.old
        more = b',"continuationToken":"%d"' % (start + size) if start + size < len(tasks) else b""
        page = b'{"tasks":[' + b",".join(tasks[start : start + size]) + b"]" + more + b"}"
        if not self.new:
            self.pages[start, size] = page
        return page

    def _task(self, task_id: str) -> bytes:
        mark = b'"id":"%s"' % task_id.encode()
        for task in (*self.new, *self.old):
            if mark in task:
                return task
        return b"{}"


def shown(
    task_id: str, name: str, age: int, by: str = "bench", *, now: float = 1_790_000_000
) -> bytes:
    """A task as the list shows it, created `age` seconds before `now`, by default a fixed time."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - age))
    task = {
        "id": task_id,
        "name": name,
        "status": "idle",
        "createdAt": f"{moment}.000Z",
        "createdBy": {"name": by, "githubLogin": by, "avatarUrl": ""},
        "entities": [],
        "isShared": False,
        "approvalMode": "auto",
        "permissionMode": "read-only",
        "planMode": True,
        "source": "api",
        "toolExecutionMode": "cloud",
        "taskType": "sync",
        "tokensUsed": 4711,
        "runtimePhase": "ready",
        "lastHeartbeat": f"{moment}.000Z",
    }
    return json.dumps(task, separators=(",", ":")).encode()


class Connection(asyncio.Protocol):
    def __init__(self, world: World) -> None:
        self._world = world
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end]
            length = _content_length(head)
            if len(self._data) < end + 4 + length:
                return
            body = self._data[end + 4 : end + 4 + length]
            self._data = self._data[end + 4 + length :]
            method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            wait, status, answer = self._world.answer(method, target, body)
            if wait:
                asyncio.get_running_loop().call_later(wait, self._send, status, answer)
            else:
                self._send(status, answer)

    def _send(self, status: int, body: bytes) -> None:
        date = formatdate(usegmt=True)
        head = (
            f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nDate: {date}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


def _content_length(head: bytes) -> int:
    place = head.lower().find(b"content-length:")
    if place < 0:
        return 0
    return int(head[place + 15 :].split(b"\r\n", 1)[0])


async def serve(world: World) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(world), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--tasks", type=Path)
    given = parser.parse_args()
    tasks = given.tasks.read_bytes().splitlines() if given.tasks else []
    asyncio.run(serve(World(tasks, given.latency)))


if __name__ == "__main__":
    main()
