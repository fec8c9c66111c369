"""The handler for a method and a path. Paths are written as in the API document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from reconciler.embedded.context import ServiceContext
from reconciler.embedded.wsgi import ApiError, ApiRequest, ApiResponse

Handler = Callable[[ServiceContext, ApiRequest], ApiResponse]


class Route(NamedTuple):
    """The handlers of a path by method. A public route needs no token."""

    pattern: re.Pattern[str]
    handlers: Mapping[str, Handler]
    is_public: bool


def route(path: str, *, public: bool = False, **handlers: Handler) -> Route:
    """A route such as `route("/api/items/{id}", GET=get_item)`."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path), re.DOTALL)
    return Route(pattern, handlers, public)


def resolve(
    routes: Iterable[Route], method: str, path: str
) -> tuple[Handler, dict[str, str], Route]:
    """The handler, path parameters and route. Raises ApiError 404 (path) or 405 (method)."""
    for found in routes:
        if (match := found.pattern.fullmatch(path)) is None:
            continue
        if (handler := found.handlers.get(method)) is None:
            allowed = ", ".join(sorted(found.handlers))
            raise ApiError(405, f"{method} is not allowed here", (("Allow", allowed),))
        return handler, match.groupdict(), found
    raise ApiError(404, "Not Found: no such path")
