"""The handler for a method and a path. Paths are written as in the API document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from reconciler.embedded.context import ServiceContext
from reconciler.embedded.wsgi import ApiError, ApiRequest, ApiResponse

Handler = Callable[[ServiceContext, ApiRequest], ApiResponse]


@dataclass(frozen=True, slots=True)
class Route:
    """The handlers of a path by method. Parameters in `segments` are in braces. A public route
    needs no token."""

    segments: tuple[str, ...]
    handlers: Mapping[str, Handler]
    is_public: bool = False

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The path parameters, or None for another path."""
        if len(self.segments) != len(segments):
            return None
        params: dict[str, str] = {}
        for expected, given in zip(self.segments, segments, strict=True):
            if expected.startswith("{") and given:
                params[expected[1:-1]] = given
            elif expected != given:
                return None
        return params


def route(path: str, **handlers: Handler) -> Route:
    """A route such as `route("/api/items/{id}", GET=get_item)`."""
    return Route(tuple(path.split("/")), handlers)


def public(path: str, **handlers: Handler) -> Route:
    """A route that needs no token."""
    return Route(tuple(path.split("/")), handlers, is_public=True)


def resolve(
    routes: Iterable[Route], method: str, path: str
) -> tuple[Handler, dict[str, str], Route]:
    """The handler, path parameters and route. Raises ApiError 404 (path) or 405 (method)."""
    segments = tuple(path.split("/"))
    for candidate in routes:
        params = candidate.match(segments)
        if params is None:
            continue
        handler = candidate.handlers.get(method)
        if handler is None:
            allowed = ", ".join(sorted(candidate.handlers))
            raise ApiError(405, f"{method} is not allowed here", (("Allow", allowed),))
        return handler, params, candidate
    raise ApiError(404, "Not Found: no such path")
