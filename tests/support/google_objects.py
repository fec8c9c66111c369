"""Google Cloud Storage on loopback: fake-gcs-server, and what it lacks of the XML interface.

obstore writes and deletes with the XML interface; fake-gcs-server only reads with it. The
translator passes these requests on as those of the JSON interface, whose conditions are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import quote, unquote, urlencode

from tests.support.loopback import serving_on_loopback

MISSING, REFUSED = 404, 412


class _Translator(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_port: int

    def do_GET(self) -> None:
        bucket, name = self._names()
        self._pass_on("GET", f"/{bucket}/{quote(name)}", {"Host": "storage.googleapis.com"})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        bucket, name = self._names()
        asked = {"uploadType": "media", "name": name, **self._condition()}
        target = f"/upload/storage/v1/b/{bucket}/o?{urlencode(asked)}"
        self._pass_on("POST", target, {"Content-Type": "application/octet-stream"}, body)

    def do_DELETE(self) -> None:
        bucket, name = self._names()
        self._pass_on("DELETE", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}", {})

    def _names(self) -> tuple[str, str]:
        bucket, _, name = self.path.lstrip("/").partition("?")[0].partition("/")
        return bucket, unquote(name)

    def _condition(self) -> dict[str, str]:
        expected = self.headers.get("x-goog-if-generation-match")
        return {} if expected is None else {"ifGenerationMatch": expected}

    def _pass_on(
        self, method: str, target: str, headers: dict[str, str], body: bytes = b""
    ) -> None:
        upstream = HTTPConnection("127.0.0.1", self.server_port)
        upstream.request(method, target, body, headers)
        answer = upstream.getresponse()
        data = answer.read()
        more = {n: v for n, v in answer.getheaders() if n.lower() in _KEPT}
        if method == "POST" and answer.status == 200:
            made = json.loads(data)
            more |= {"ETag": f'"{made["etag"]}"', "x-goog-generation": str(made["generation"])}
            data = b""
        upstream.close()
        self.send_response(answer.status)
        for name, value in {**more, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


_KEPT = {"etag", "x-goog-generation", "last-modified", "content-type"}


@contextmanager
def translator(port: int) -> Iterator[int]:
    """Runs the translator for a fake-gcs-server on `port`; yields its own port."""
    handler = type("Translator", (_Translator,), {"server_port": port})
    with serving_on_loopback(handler) as own:
        yield own
