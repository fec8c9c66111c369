"""Requests, their callers, and responses of the embedded service, between WSGI and plain values.

Every token stands for a separate user. Only a digest of a token is ever stored or shown.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import parse_qs

from reconciler.model.typed_json import ShapeError, decode_outline

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

JsonObject = dict[str, object]
Headers = tuple[tuple[str, str], ...]

BODY_LIMIT = 8 * 1024 * 1024
"""The maximum size of a request body, in bytes."""

_SCHEMES = ("token", "bearer")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class ApiError(Exception):
    """A rejected request: the status and message of the response."""

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


@dataclass(frozen=True, slots=True)
class ApiUser:
    """A caller: a stable id that does not reveal the token, and a name to display."""

    id: str
    login: str

    def info(self) -> JsonObject:
        """The part of a user that others can see (`UserInfo` of the API document)."""
        return {"name": self.login, "githubLogin": self.login, "avatarUrl": ""}


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request of an authenticated caller. `params` are the path parameters, named as in the
    API document."""

    environ: WSGIEnvironment
    user: ApiUser
    params: Mapping[str, str]

    @property
    def org_name(self) -> str:
        return self.params["orgName"]

    @property
    def task_id(self) -> str:
        return self.params["taskID"]

    def query(self) -> dict[str, list[str]]:
        text = str(self.environ.get("QUERY_STRING", ""))
        return parse_qs(text, keep_blank_values=True, errors="replace")

    def body(self) -> JsonObject:
        """The JSON object in the body. Raises ApiError 400 or 413 (too large)."""
        size = int(self.environ.get("CONTENT_LENGTH") or 0)  # the server checks that it is a number
        data = cast("IO[bytes]", self.environ["wsgi.input"]).read(min(size, BODY_LIMIT + 1))
        if len(data) > BODY_LIMIT:
            limit = BODY_LIMIT // 1024 // 1024
            raise ApiError(413, f"the request body is larger than {limit} MiB")
        try:
            return decode_outline(JsonObject, data)
        except ShapeError:
            raise ApiError(400, "the request body is not a JSON object") from None


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response. The WSGI server calls `chunks.close()` if it exists."""

    status: int
    chunks: Iterable[bytes] = ()
    headers: Headers = field(default=())

    @property
    def status_line(self) -> str:
        return f"{self.status} {HTTPStatus(self.status).phrase}"


def json_response(status: int, value: object, headers: Headers = ()) -> ApiResponse:
    return text_response(status, to_json(value), headers)


def text_response(status: int, document: str, headers: Headers = ()) -> ApiResponse:
    """A response whose JSON document is already text."""
    data = document.encode()
    kind = (("Content-Type", "application/json"), ("Content-Length", str(len(data))))
    return ApiResponse(status, (data,), (*kind, *headers))


def error_response(problem: ApiError) -> ApiResponse:
    """An error in Pulumi's format: the status repeated as `code`, and a message."""
    document = {"code": problem.status, "message": problem.message}
    return json_response(problem.status, document, problem.headers)


def to_json(value: object) -> str:
    return _ENCODER.encode(value)


def path_of(environ: WSGIEnvironment) -> str:
    """The path as text. WSGI passes its bytes as Latin-1."""
    raw = str(environ.get("PATH_INFO", "")).encode("latin-1", "replace")
    return raw.decode("utf-8", "replace")


def user_of(token: str) -> ApiUser:
    digest = hashlib.sha256(b"taskctl identity\0" + _bytes(token)).hexdigest()
    return ApiUser(id=digest[:32], login=f"user-{digest[:6]}")


def authenticate(header: str | None, expected: str | None, identity: str | None = None) -> ApiUser:
    """The caller named by an `Authorization` header (`token X` or `Bearer X`).

    `expected` is the only valid token, or None if every token is valid. Each token is a separate
    user, unless `identity` is given, which makes one user of all tokens. Raises ApiError 401.
    """
    scheme, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() not in _SCHEMES or not token:
        raise ApiError(401, "Unauthorized: an access token is required")
    if expected is not None and not hmac.compare_digest(_bytes(token), _bytes(expected)):
        raise ApiError(401, "Unauthorized: invalid access token")
    return user_of(identity or token)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
