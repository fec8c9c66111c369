"""A requests adapter that calls a WSGI application with the same bytes as over HTTP."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from reconciler.remote.connections import build_response
from reconciler.remote.exchange import current

WSGIApp = Callable[..., Iterable[bytes]]


class WSGIAdapter(BaseAdapter):
    """Calls `app` in the calling thread, concurrently.

    The app must not use WSGI's `write`, and its response must end: it is read as a whole. Adds the
    `Date` header that a server would add. Does not catch exceptions of the app.
    """

    def __init__(self, app: WSGIApp) -> None:
        super().__init__()
        self._app = app

    def send(self, request: PreparedRequest, *_args: Any, **_settings: Any) -> Response:
        """The response with an unread body. The send window applies (TooLateError); timeouts, TLS
        and proxies do not."""
        exchange = current()
        exchange.begun = False
        exchange.begin_sending()
        started: list[tuple[str, list[tuple[str, str]]]] = []
        result = self._app(_environ(request), lambda status, h: started.append((status, h)))
        try:
            body = b"".join(result)
        finally:
            getattr(result, "close", lambda: None)()
        status, headers = started[0]
        code, _, reason = status.partition(" ")
        fields = HTTPHeaderDict(headers)
        fields.setdefault("Date", formatdate(usegmt=True))
        raw = HTTPResponse(
            body=io.BytesIO(body),
            headers=fields,
            status=int(code),
            reason=reason,
            preload_content=False,
            request_method=request.method,
        )
        return build_response(request, raw)

    def close(self) -> None:
        """Nothing to close: the app belongs to the caller."""


def _environ(request: PreparedRequest) -> dict[str, Any]:
    """What the app reads of a request."""
    parts = urlsplit(request.url or "")
    body: Any = request.body or b""
    headers = {name.upper().replace("-", "_"): value for name, value in request.headers.items()}
    return {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **{f"HTTP_{name}": value for name, value in headers.items()},
    }
