"""Which handler answers a method and a path; the paths are those of the API document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from reconciler.embedded.context import Context
from reconciler.embedded.wsgi import ApiError, Request, Response

Handler = Callable[[Context, Request], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """`segments` are a path's, parameters in braces."""

    segments: tuple[str, ...]
    handlers: Mapping[str, Handler]


def route(path: str, **handlers: Handler) -> Route:
    """`handlers` by method."""
    return Route(tuple(path.split("/")), handlers)


def find(routes: Iterable[Route], method: str, path: str) -> tuple[Handler, dict[str, str]]:
    """The handler and the path's parameters: ApiError 404 without a path, 405 without a method."""
    segments = tuple(path.split("/"))
    for candidate in routes:
        params = _match(candidate.segments, segments)
        if params is None:
            continue
        handler = candidate.handlers.get(method)
        if handler is None:
            allowed = ", ".join(sorted(candidate.handlers))
            raise ApiError(405, f"{method} is not allowed here", (("Allow", allowed),))
        return handler, params
    raise ApiError(404, "Not Found: no such path")


def _match(pattern: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    params: dict[str, str] = {}
    for wanted, given in zip(pattern, segments, strict=True):
        if wanted.startswith("{") and given:
            params[wanted[1:-1]] = given
        elif wanted != given:
            return None
    return params
