"""Shows responses to tasks, for the commands that send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli import exit_codes
from reconciler.cli.options import option
from reconciler.cli.usage import UsageError
from reconciler.model.diagnostics import Diagnostic

if TYPE_CHECKING:
    from reconciler.app.respond import Responses
    from reconciler.cli.console.output import Output

REQUEST = option("--request", metavar="ID", help="The request to answer; required with --yes.")


def check_request(request: str | None, *, yes: bool) -> None:
    """Raises UsageError if nobody has seen the request that would be answered."""
    if yes and request is None:
        raise UsageError("requires", option="--yes", needed="--request ID")


def message_text(text: str, name: str) -> str:
    """The text of a message. Raises UsageError if it is empty, not valid UTF-8, or the placeholder
    of a command that taskctl has printed."""
    if not text.strip():
        raise UsageError("empty", name=name)
    if text == "TEXT":
        raise UsageError("placeholder")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as problem:
        raise UsageError("utf8", name=name) from problem
    return text


def show_responses(out: Output, sent: Responses) -> int:
    """Shows each response and problem as it arrives, or one document at the end. Returns exit code
    1 if there is a problem, or if nothing was sent."""
    from reconciler.app.respond import Response
    from reconciler.render.respond import response_text, responses_document

    responses: list[Response] = []
    problems: list[Diagnostic] = []
    as_text = out.options.format == "text"
    for outcome in sent:
        if isinstance(outcome, Response):
            responses.append(outcome)
            if as_text and not out.options.quiet:
                out.document(response_text(outcome))
            continue
        problems += outcome.diagnostics
        if as_text:
            out.diagnostics(outcome.diagnostics)
    if not as_text:
        document = responses_document(responses, problems, out.commands)
        out.result(lambda: document, lambda _style: "")
    return exit_codes.of_responses(responses, problems)
