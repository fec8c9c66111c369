"""Object stores over HTTP, in this process: one that checks the conditions of writes, as S3 does,
and two that must be rejected: one that ignores conditions, and one that rejects everything."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import ClassVar
from urllib.parse import unquote

from tests.support.loopback import serving_on_loopback


class _Careless(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: ClassVar[dict[str, bytes]] = {}

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.objects[self.path] = body
        self._end(200, tag=hashlib.md5(body).hexdigest())

    def do_GET(self) -> None:
        body = self.objects.get(self.path)
        if body is None:
            self._end(404)
        else:
            self._end(200, tag=hashlib.md5(body).hexdigest(), body=body)

    do_HEAD = do_GET  # noqa: N815

    def do_DELETE(self) -> None:
        self.objects.pop(self.path, None)
        self._end(204)

    def _end(self, status: int, tag: str = "", body: bytes = b"") -> None:
        self.send_response(status)
        if tag:
            self.send_header("ETag", f'"{tag}"')
        self.send_header("Last-Modified", "Tue, 24 Nov 2026 12:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Conditional(_Careless):
    """The conditions of writes, which two writers cannot meet at once, and uploads in parts."""

    writing: ClassVar[threading.Lock] = threading.Lock()
    parts: ClassVar[dict[int, bytes]]
    disable_nagle_algorithm = True

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        if part := re.search(r"[?&]partNumber=(\d+)", self.path):
            self.parts[int(part[1])] = body
            self._end(200, tag=tag.strip('"'))
            return
        with self.writing:
            known = self.objects.get(self.path)
            over = None if known is None else f'"{hashlib.md5(known).hexdigest()}"'
            if self.headers["If-None-Match"] == "*" and known is not None:
                self._end(412)
            elif self.headers["If-Match"] not in (None, over):
                self._end(404 if known is None else 412)
            else:
                self.objects[self.path] = body
                self._end(200, tag=tag.strip('"'))

    def do_POST(self) -> None:
        """Deletes several objects, or begins or completes the only upload in parts."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        path, _, what = self.path.partition("?")
        if what.startswith("uploads"):
            self.parts.clear()
            self._end(200, body=b"<Begun><UploadId>1</UploadId></Begun>")
        elif what.startswith("uploadId"):
            self.objects[unquote(path)] = b"".join(self.parts[n] for n in sorted(self.parts))
            self._end(200, body=b'<Done><ETag>"1"</ETag></Done>')
        else:
            for key in re.findall(r"<Key>(.*?)</Key>", body):
                self.objects.pop(f"{path}/{key}", None)
            self._end(200, body=b"<DeleteResult></DeleteResult>")


@contextmanager
def memory_s3() -> Iterator[str]:
    """Runs a store in memory; yields its endpoint."""
    with _serving(type("_Memory", (_Conditional,), {"objects": {}, "parts": {}})) as endpoint:
        yield endpoint


@contextmanager
def careless_s3() -> Iterator[str]:
    """Runs the careless store; yields its endpoint."""
    _Careless.objects.clear()
    with _serving(_Careless) as endpoint:
        yield endpoint


def stored() -> list[str]:
    """The paths of the objects in the careless store."""
    return sorted(_Careless.objects)


@contextmanager
def refusing(status: int, code: str = "", words: str = "") -> Iterator[str]:
    """Runs a server that rejects every request with this error of S3; yields its endpoint."""
    text = f"<Error>\n  <Code>{code}</Code>\n  <Message>{words}</Message>\n</Error>".encode()

    class Refusing(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if self.raw_requestline and self.parse_request():
                self._refuse()

        def _refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("WWW-Authenticate", 'Basic realm="state"')
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text if self.command != "HEAD" else b"")

        def log_message(self, *_: object) -> None:
            pass

    with _serving(Refusing) as endpoint:
        yield endpoint


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with serving_on_loopback(handler) as port:
        yield f"http://127.0.0.1:{port}"
