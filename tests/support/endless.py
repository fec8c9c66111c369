"""A server on loopback that redirects every request, with a body that never ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_HEAD = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Type: text/html\r\n\r\n"
_PART = b"x" * (1 << 20)


class EndlessRedirect:
    """`sent` counts the bytes of the bodies, up to what the client has left unread in buffers."""

    def __init__(self, target: str) -> None:
        self.sent = 0
        self._head = _HEAD % target.encode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Waits until the clients have closed their connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._respond, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _respond(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(1 << 16)
            client.sendall(self._head)
            while True:
                self.sent += client.send(_PART)


@contextmanager
def endless_redirect(target: str) -> Iterator[EndlessRedirect]:
    server = EndlessRedirect(target)
    try:
        yield server
    finally:
        server.close()
