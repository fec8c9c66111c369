"""The embedded service with an exchange of identity tokens, as Pulumi Cloud has it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from reconciler.embedded.app import App

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ID_TOKEN = "header.payload.signature"
ACCESS_TOKEN = "pul-short-lived"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def token_exchange(db: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The URL of a service that accepts only ACCESS_TOKEN, and the requested exchanges."""
    asked: list[dict[str, Any]] = []

    def respond(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/api/oauth/token":
            return app(environ, start)
        body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        asked.append(body)
        if body["subject_token"] != ID_TOKEN:
            start("401 Unauthorized", [("Content-Type", "application/json")])
            return [b'{"code": 401, "message": "unknown issuer"}']
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"access_token": ACCESS_TOKEN, "expires_in": 3600}).encode()]

    with closing(App(db, token=ACCESS_TOKEN)) as app:
        server = make_server("127.0.0.1", 0, respond, handler_class=_Quiet)
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
