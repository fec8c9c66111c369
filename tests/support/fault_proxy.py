"""A proxy between taskctl and the server of a shared state: it counts requests and loses some.

It forwards HTTP/1.1 (S3, Azure, Google, git) or PostgreSQL's protocol, one request and its response
at a time, so a fault affects a whole request: its response is lost, the connection is reset before
the server receives it, it arrives after later requests, or a gateway responds in place of the
server. `python -m tests.support.fault_proxy PROTOCOL PORT --latency S` only adds latency.
"""

from __future__ import annotations

import argparse
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["lost", "cut", "late", "answer"]
Protocol = Literal["http", "postgres"]


@dataclass(frozen=True)
class Trouble:
    """The fault of one request.

    `kind`:
      lost    the server processes it, and the connection is reset instead of a response
      cut     the connection is reset, and the server never receives it
      late    as `cut`, but the server receives it when `FaultProxy.deliver` is called
      answer  `status` instead of the response (HTTP only); `committed`: the server processes it
    """

    kind: Kind
    status: int = 0
    committed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        done = ", done" if self.committed else ""
        return f"{self.kind} {self.status or ''}{done}".strip()


@dataclass(frozen=True)
class Asked:
    """One request. `number` counts all requests from 1, `write` only writes (0: a read)."""

    number: int
    write: int
    what: str
    text: bytes = field(repr=False)


Hook = Callable[[Asked, Literal["before", "after"]], None]


class FaultProxy:
    """Listens on a loopback port for one server. Its attributes may be changed while it runs.

    `on_write` and `on_request` are the faults of requests by their number. `hook` is called in the
    thread of the connection, before the server receives a request and after it has responded.
    """

    def __init__(self, target: int, protocol: Protocol = "http", latency: float = 0.0) -> None:
        self._target, self._protocol, self.latency = target, protocol, latency
        self.on_write: dict[int, Trouble] = {}
        self.on_request: dict[int, Trouble] = {}
        self.always: Callable[[Asked], Trouble | None] = lambda asked: None
        self.hook: Hook = lambda asked, phase: None
        self.asked: list[Asked] = []
        self.met: list[tuple[Asked, Trouble]] = []
        self._late: list[bytes] = []
        self._guard = threading.Lock()
        self._writes = 0
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> FaultProxy:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        """Wakes all threads, which close their own sockets: a descriptor that another thread closes
        may have been reused by the time it is accessed."""
        _shut(self._listener)
        self._threads[0].join()
        self._listener.close()
        for sock in tuple(self._open):
            _shut(sock)
        for thread in self._threads:
            thread.join()

    def _start(self, work: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=work, args=args, daemon=True))
        self._threads[-1].start()

    @property
    def writes(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.write]

    def forget(self) -> None:
        """Resets all counts, and removes all faults."""
        with self._guard:
            self.on_write, self.on_request = {}, {}
            self.always, self.hook = lambda asked: None, lambda asked, phase: None
            self.asked, self.met, self._late, self._writes = [], [], [], 0

    def deliver(self) -> int:
        """Delivers late requests now, in order, and discards the responses. Returns how many."""
        with self._guard:
            late, self._late = self._late, []
        for data in late:
            talk = self._talk(socket.create_connection(("127.0.0.1", self._target)))
            talk.forward_alone(data)
        return len(late)

    def register(self, what: str, text: bytes, *, writes: bool) -> tuple[Asked, Trouble | None]:
        with self._guard:
            self._writes += writes
            number = len(self.asked) + 1
            asked = Asked(number, self._writes if writes else 0, what, text)
            self.asked.append(asked)
            trouble = self.on_request.get(number) or self.on_write.get(asked.write)
            trouble = trouble or self.always(asked)
            if trouble is not None:
                self.met.append((asked, trouble))
            return asked, trouble

    def hold(self, data: bytes) -> None:
        with self._guard:
            self._late.append(data)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.add(client)
                self._start(self._serve, client)

    def _talk(self, server: socket.socket) -> _Talk:
        return (_HttpTalk if self._protocol == "http" else _PostgresTalk)(server)

    def _serve(self, client: socket.socket) -> None:
        server = None
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open.add(server)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            talk = self._talk(server)
            talk.begin(client, self.latency)
            while data := talk.next_request(client):
                if not self._pass_on(client, talk, data):
                    return
        except OSError:
            pass
        finally:
            for sock in (client, server):
                if sock is not None:
                    self._open.discard(sock)
                    sock.close()

    def _pass_on(self, client: socket.socket, talk: _Talk, data: bytes) -> bool:
        """Handles one request. Returns whether the connection stays open."""
        what, writes = talk.describe(data)
        asked, trouble = self.register(what, data, writes=writes)
        time.sleep(self.latency / 2)
        self.hook(asked, "before")
        kind = trouble.kind if trouble is not None else None
        if kind == "late":
            self.hold(talk.with_beginning(data))
        if kind in ("late", "cut"):
            _reset(client)
            return False
        answer = b""
        if trouble is None or kind == "lost" or trouble.committed:
            answer = talk.forward(data)
        self.hook(asked, "after")
        time.sleep(self.latency / 2)
        if kind == "lost":
            _reset(client)
            return False
        if trouble is not None:
            client.sendall(_status_line(trouble))
            return False
        client.sendall(answer)
        return bool(answer)


class _Talk:
    """The requests and responses of a protocol on one connection to the server."""

    def __init__(self, server: socket.socket) -> None:
        self._server = _Reader(server)

    def begin(self, client: socket.socket, latency: float) -> None:
        self._client = _Reader(client)

    def with_beginning(self, data: bytes) -> bytes:
        return data

    def forward(self, data: bytes) -> bytes:
        self._server.sock.sendall(data)
        return self._answer()

    def forward_alone(self, data: bytes) -> None:
        with suppress(OSError):
            self.forward(data)
        self._server.sock.close()

    def next_request(self, client: socket.socket) -> bytes:
        raise NotImplementedError

    def describe(self, data: bytes) -> tuple[str, bool]:
        raise NotImplementedError

    def _answer(self) -> bytes:
        raise NotImplementedError


class _HttpTalk(_Talk):
    def next_request(self, client: socket.socket) -> bytes:
        head = self._client.until(b"\r\n\r\n")
        if b"expect: 100-continue" in head.lower():
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = re.sub(rb"(?i)\r\nexpect: 100-continue", b"", head)
        return head + _body(head, self._client, has_body=True) if head else b""

    def forward(self, data: bytes) -> bytes:
        self._has_body = not data.startswith(b"HEAD ")
        return super().forward(data)

    def describe(self, data: bytes) -> tuple[str, bool]:
        method, target, _ = data.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        writes = method in ("PUT", "DELETE", "PATCH") or (
            method == "POST" and not target.endswith("git-upload-pack")
        )
        return f"{method} {target}", writes

    def _answer(self) -> bytes:
        head = self._server.until(b"\r\n\r\n")
        while re.match(rb"HTTP/1\.1 1\d\d ", head):
            head = self._server.until(b"\r\n\r\n")
        if not self._has_body or re.match(rb"HTTP/1\.\d (204|304) ", head):
            return head
        return head + _body(head, self._server, has_body=False)


def _body(head: bytes, reader: _Reader, *, has_body: bool) -> bytes:
    """The body after a head; without a length, a response ends with the connection."""
    if found := re.search(rb"(?i)\r\ncontent-length: *(\d+)", head):
        return reader.exactly(int(found[1]))
    if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
        return b"".join(_chunks(reader))
    return b"" if has_body else reader.rest()


def _chunks(reader: _Reader) -> Iterator[bytes]:
    while True:
        line = reader.until(b"\r\n")
        yield line
        size = int(line.split(b";")[0], 16)
        yield reader.exactly(size + 2)
        if size == 0:
            return


class _PostgresTalk(_Talk):
    """A request ends with a Sync or a simple Query, its response with ReadyForQuery."""

    def begin(self, client: socket.socket, latency: float) -> None:
        super().begin(client, latency)
        while True:
            first = self._sized(self._client)
            if struct.unpack("!i", first[4:8])[0] == 196608:
                break
            client.sendall(b"N")  # neither TLS nor GSSAPI
        self._first = first
        client.sendall(self.forward(first))

    def with_beginning(self, data: bytes) -> bytes:
        return self._first + data

    def forward_alone(self, data: bytes) -> None:
        length = struct.unpack("!i", data[:4])[0]
        self.forward(data[:length])
        super().forward_alone(data[length:])

    def next_request(self, client: socket.socket) -> bytes:
        pieces = []
        while True:
            piece = self._message(self._client)
            pieces.append(piece)
            if piece[:1] in (b"S", b"Q"):
                return b"".join(pieces)
            if piece[:1] in (b"X", b""):
                return b""

    def describe(self, data: bytes) -> tuple[str, bool]:
        found = re.search(rb"(?i)\b(select|insert|update|delete|create)\b[^\0]*", data)
        text = found[0].decode("latin-1") if found else data[:1].decode("latin-1")
        return text, bool(found) and not text.lower().startswith("select")

    def _answer(self) -> bytes:
        pieces = []
        while piece := self._message(self._server):
            pieces.append(piece)
            if piece[:1] == b"Z":
                break
        return b"".join(pieces)

    def _message(self, reader: _Reader) -> bytes:
        kind = reader.one()
        return kind + self._sized(reader) if kind else b""

    def _sized(self, reader: _Reader) -> bytes:
        length = reader.exactly(4)
        return length + reader.exactly(struct.unpack("!i", length)[0] - 4)


class _Reader:
    """Reads the bytes of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._data = bytearray()

    def until(self, mark: bytes) -> bytes:
        while mark not in self._data:
            if not self._more():
                return b""
        return self._take(self._data.index(mark) + len(mark))

    def exactly(self, count: int) -> bytes:
        """Raises ConnectionResetError if the stream ends before: no part of it is forwarded."""
        while len(self._data) < count:
            if not self._more():
                raise ConnectionResetError
        return self._take(count)

    def one(self) -> bytes:
        """One byte; empty at the end of the stream."""
        return self.exactly(1) if self._data or self._more() else b""

    def rest(self) -> bytes:
        while self._more():
            pass
        return self._take(len(self._data))

    def _more(self) -> bool:
        piece = self.sock.recv(1 << 18)
        self._data += piece
        return bool(piece)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._data[:count])
        del self._data[:count]
        return taken


def _status_line(trouble: Trouble) -> bytes:
    more = "".join(f"{name}: {value}\r\n" for name, value in trouble.headers.items())
    more += "Connection: close\r\nContent-Length: 0\r\n"
    return f"HTTP/1.1 {trouble.status} Injected\r\n{more}\r\n".encode()


def _reset(sock: socket.socket) -> None:
    """Closes with an RST."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol", choices=("http", "postgres"))
    parser.add_argument("port", type=int)
    parser.add_argument("--latency", type=float, default=0.0)
    given = parser.parse_args()
    with FaultProxy(given.port, given.protocol, given.latency) as proxy:
        print(proxy.port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
