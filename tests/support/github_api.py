"""GitHub's API for comments on pull requests, as far as the action uses it, on loopback."""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.loopback import LoopbackServer

TOKEN = "ghs_0123456789"
BOT = {"login": "github-actions[bot]", "type": "Bot"}
MAX_BODY = 65_536


@dataclass
class Fault:
    """A fault of the next such request; `after`: the request takes effect first."""

    method: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    after: bool = False


@dataclass
class GitHub:
    """`comments` are by pull request; `login` is the user of a personal token, if it is one;
    `changed` are the files that each pull request changes, and `of_commit` the pull requests of
    each commit."""

    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    login: str | None = None
    changed: list[str] = field(default_factory=list)
    of_commit: list[int] = field(default_factory=list)

    def __enter__(self) -> GitHub:
        owner = self

        class Handler(_Handler):
            github = owner

        self._server = LoopbackServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, number: int, body: str, user: Mapping[str, str] = BOT) -> dict[str, Any]:
        listed = self.comments.setdefault(number, [])
        made = {"id": 1000 * number + len(listed), "body": body, "user": dict(user)}
        listed.append(made)
        return made

    def bodies(self, number: int) -> list[str]:
        return [comment["body"] for comment in self.comments.get(number, [])]


class _Handler(BaseHTTPRequestHandler):
    github: GitHub

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(self._body())

    def do_PATCH(self) -> None:
        self._serve(self._body())

    def log_message(self, *_: object) -> None:
        """Logs nothing."""

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _serve(self, body: Any) -> None:
        github = self.github
        github.calls.append(f"{self.command} {self.path}")
        fault = next((f for f in github.faults if f.method == self.command), None)
        if fault is not None:
            github.faults.remove(fault)
            if fault.after:
                self._right(body)
            self._answer(fault.status, {"message": "as the test says"}, fault.headers)
            return
        self._answer(*self._right(body))

    def _right(self, body: Any) -> tuple[int, Any, dict[str, str]]:
        github, parts = self.github, urlsplit(self.path)
        if self.headers["Authorization"] != f"token {TOKEN}":
            return 401, {"message": "Bad credentials"}, {}
        if body is not None and len(body["body"]) > MAX_BODY:
            return 422, {"message": "Body is too long"}, {}
        if parts.path == "/user":
            if github.login is None:
                return 403, {"message": "Resource not accessible by integration"}, {}
            return 200, {"login": github.login}, {}
        if re.fullmatch(r"/repos/acme/infra/pulls/\d+/files", parts.path):
            return 200, [{"filename": name} for name in github.changed], {}
        if re.fullmatch(r"/repos/acme/infra/commits/[0-9a-f]{40}/pulls", parts.path):
            return 200, [{"number": number} for number in github.of_commit], {}
        if found := re.fullmatch(r"/repos/acme/infra/issues/(\d+)/comments", parts.path):
            number = int(found[1])
            if body is not None:
                user = {"login": github.login, "type": "User"} if github.login else BOT
                return 201, github.add(number, body["body"], user), {}
            return self._page(number, parse_qs(parts.query))
        if found := re.fullmatch(r"/repos/acme/infra/issues/comments/(\d+)", parts.path):
            for comment in itertools.chain(*github.comments.values()):
                if comment["id"] == int(found[1]):
                    comment["body"] = body["body"]
                    return 200, comment, {}
        return 404, {"message": "Not Found"}, {}

    def _page(self, number: int, query: Mapping[str, list[str]]) -> tuple[int, Any, dict[str, str]]:
        size, page = int(query["per_page"][0]), int(query.get("page", ["1"])[0])
        listed = self.github.comments.get(number, [])
        shown = listed[size * (page - 1) : size * page]
        return 200, shown, {}

    def _answer(self, status: int, value: Any, headers: Mapping[str, str]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
