"""Host and Origin checks, against web pages that talk to a server on the user's machine.

A page on the internet can make its own host name resolve to 127.0.0.1 (DNS rebinding) and then read
what the server sends, as its own origin. It cannot do so with an IP address as the host name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reconciler.embedded.wsgi import ApiError, error_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LOCAL_NAMES = ("localhost",)


class Guard:
    """A WSGI app that passes on only requests whose Host is an IP address, `localhost` or one of
    `hosts` (names without a port), and whose Origin, if any, is that host itself."""

    def __init__(self, app: WSGIApplication, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().rstrip(".") for host in (*_LOCAL_NAMES, *hosts))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host, origin = str(environ.get("HTTP_HOST", "")), environ.get("HTTP_ORIGIN")
        if not self._is_allowed(host):
            problem = ApiError(403, "Forbidden: unknown Host; see `taskctl serve --allow-host`")
        elif origin is not None and not _is_same(str(origin), host):
            problem = ApiError(403, "Forbidden: requests from other origins are not accepted")
        else:
            return self._app(environ, start_response)
        response = error_response(problem)
        start_response(response.status_line, list(response.headers))
        return response.chunks

    def _is_allowed(self, host: str) -> bool:
        name = _name(f"//{host}")
        return name is not None and (name.rstrip(".") in self._hosts or _is_address(name))


def _is_same(origin: str, host: str) -> bool:
    scheme, separator, rest = origin.partition("://")
    return bool(separator) and scheme in ("http", "https") and rest.lower() == host.lower()


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
