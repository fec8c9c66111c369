"""The live page of `taskctl serve`: one HTML document for every address, without a build step.

Its policy allows its own style and script, by their digests, and requests to its own origin. The
page has no content of its own: its script asks for a token and reads the API with it.
"""

from __future__ import annotations

from functools import cache

from reconciler.embedded.context import ServiceContext
from reconciler.embedded.overview import overview
from reconciler.embedded.wsgi import ApiRequest, ApiResponse, json_response
from reconciler.resources import inline_digests


def get_page(_ctx: ServiceContext, _request: ApiRequest) -> ApiResponse:
    document = _document()
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(document))),
        ("Content-Security-Policy", _policy()),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )
    return ApiResponse(200, (document,), headers)


def get_overview(ctx: ServiceContext, request: ApiRequest) -> ApiResponse:
    with ctx.storage.reading() as connection:
        return json_response(200, overview(connection, request.user, ctx.now_ms()))


@cache
def _document() -> bytes:
    from importlib.resources import files

    return files(__package__).joinpath("page.html").read_bytes()


def _policy() -> str:
    digests = inline_digests(_document().decode())
    return (
        f"default-src 'none'; connect-src 'self'; style-src 'sha256-{digests['style']}'; "
        f"script-src 'sha256-{digests['script']}'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
