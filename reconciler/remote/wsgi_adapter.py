"""A requests adapter that calls a WSGI application, with the same bytes as over HTTP."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from http.client import responses
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict, HTTPResponse

from reconciler.remote.exchange import current

WSGIApp = Callable[..., Iterable[bytes]]


class _Body(io.RawIOBase):
    """The response iterable as a file: read as it comes, closed when the reader is done."""

    def __init__(self, first: list[bytes], rest: Iterator[bytes], result: Iterable[bytes]) -> None:
        self._chunks = iter(first)
        self._rest = rest
        self._result = result
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                chunk = next(self._rest, None)
            if chunk is None:
                return 0
            self._left = chunk
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size

    def read1(self, size: int = -1) -> bytes:
        """What has arrived, without waiting for more, as urllib3 reads a stream."""
        return self.read(size if size > 0 else io.DEFAULT_BUFFER_SIZE) or b""

    def close(self) -> None:
        if not self.closed:
            end = getattr(self._result, "close", None)
            if end is not None:
                end()
        super().close()


class _Start:
    """The application's `start_response`."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        if exc_info is not None and self.written:
            raise exc_info[1].with_traceback(exc_info[2])
        self.status, self.headers = status, list(headers)
        return self.written.append


class WSGIAdapter(BaseAdapter):
    """Answers requests from `app`, in the calling thread; `app` is called from many at once.

    Adds the `Date` that a server would add. An exception of the application passes through.
    """

    def __init__(self, app: WSGIApp) -> None:
        super().__init__()
        self._app = app

    def send(self, request: PreparedRequest, *_args: Any, **_settings: Any) -> Response:
        """The response, its body still unread. Timeouts, TLS and proxies do not apply here; the
        send window does. TooLateError."""
        exchange, start = current(), _Start()
        exchange.begun = False
        exchange.leave()
        result = self._app(_environ(request), start)
        rest = iter(result)
        first = next(rest, None) if not start.status else None
        body = _Body([*start.written, *([first] if first is not None else [])], rest, result)
        return _response(request, start, body)

    def close(self) -> None:
        """Nothing to close: the application belongs to the caller."""


def _environ(request: PreparedRequest) -> dict[str, Any]:
    parts = urlsplit(request.url or "")
    sent = request.body or b""
    body = sent.encode() if isinstance(sent, str) else bytes(sent)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "localhost",
        "SERVER_PORT": str(parts.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        upper = name.upper().replace("-", "_")
        if upper == "CONTENT_TYPE":
            environ[upper] = text
        elif upper != "CONTENT_LENGTH":
            environ["HTTP_" + upper] = text
    return environ


def _response(request: PreparedRequest, start: _Start, body: _Body) -> Response:
    code, _, reason = start.status.partition(" ")
    headers = HTTPHeaderDict(start.headers)
    headers.setdefault("Date", formatdate(usegmt=True))
    response = Response()
    response.status_code = int(code)
    response.reason = reason or responses.get(int(code), "")
    response.headers = CaseInsensitiveDict(headers)
    response.url = request.url or ""
    response.request = request
    response.raw = HTTPResponse(
        body=body,
        headers=headers,
        status=response.status_code,
        reason=response.reason,
        preload_content=False,
        request_method=request.method,
    )
    return response
