"""Shows the responses to tasks: a line for each as it is sent, or one document at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.response import Response, response_text, responses_document

if TYPE_CHECKING:
    from reconciler.app.respond import Responses
    from reconciler.cli.console.output import Output
    from reconciler.model.diagnostics import Diagnostic


def show_responses(out: Output, sent: Responses, *, skippable: bool = False) -> int:
    """Shows each response and problem. Returns exit code 1 if there is a problem, or if nothing was
    sent, unless `skippable`."""
    responses: list[Response] = []
    problems: list[Diagnostic] = []
    as_text = out.common.format == "text"
    for outcome in sent:
        if isinstance(outcome, Response):
            responses.append(outcome)
            if as_text and not out.common.quiet:
                out.document(response_text(outcome))
            continue
        problems += outcome.diagnostics
        if as_text:
            out.diagnostics(outcome.diagnostics)
    if not as_text:
        from reconciler.render.json import dump

        out.document(dump(responses_document(responses, problems)))
    return int(bool(problems) or not (responses or skippable))
