"""Network conditions between a client and the service: certificates, a proxy, a port that hangs."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_REQUEST = """\
[req]
distinguished_name = name
x509_extensions = ext
prompt = no
[name]
CN = taskctl.test
[ext]
subjectAltName = DNS:taskctl.test,IP:127.0.0.1
basicConstraints = critical,CA:TRUE
"""


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Creates a self-signed certificate for taskctl.test and 127.0.0.1 with the openssl command.

    Gives its PEM file, which a client may trust, and the files that a server needs.
    """
    config, pem, key = folder / "openssl.cnf", folder / "ca.pem", folder / "key.pem"
    config.write_text(_REQUEST)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-config", str(config), "-keyout", str(key), "-out", str(pem)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    return pem, context


class Proxy:
    """A CONNECT proxy on loopback that connects every host to `port`; with `tls`, clients must use
    TLS to reach it, too.

    If `answer` (a status line) is not empty, it responds with that and closes. `heard` has the head
    of each request.
    """

    def __init__(self, port: int, answer: str = "", tls: ssl.SSLContext | None = None) -> None:
        self._target, self._answer, self._tls = port, answer, tls
        self.heard: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = [self._listener]
        self.port = int(self._listener.getsockname()[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Proxy:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _start(self, work: object, *args: object) -> None:
        assert callable(work)
        threading.Thread(target=work, args=args, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        head = b""
        with suppress(OSError):
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
                self._open.append(client)
            while b"\r\n\r\n" not in head:
                piece = client.recv(4096)
                if not piece:
                    return
                head += piece
            self.heard.append(head.decode("latin-1"))
            if self._answer or not head.startswith(b"CONNECT "):
                answer = self._answer or "HTTP/1.1 501 Not Implemented"
                client.sendall(f"{answer}\r\nContent-Length: 0\r\n\r\n".encode())
                client.close()
                return
            target = socket.create_connection(("127.0.0.1", self._target))
            self._open.append(target)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._start(_copy, client, target)
            _copy(target, client)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


def closed_port() -> int:
    """A port on loopback where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never sends anything."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield int(sock.getsockname()[1])


@contextmanager
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that connecting hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as sock:
        port = int(sock.getsockname()[1])
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(("127.0.0.1", port))
        try:
            yield port
        finally:
            for one in waiting:
                one.close()
