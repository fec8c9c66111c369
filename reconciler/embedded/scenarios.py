"""Scenarios other than success, for tests of the steps after creation. Pure.

`serve --scenario NAME` selects one for all tasks. With `by-prompt`, the first word of a task's
prompt selects it, so that tasks of one manifest can behave differently.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from zlib import crc32

from reconciler.embedded.lifecycle import (
    SIMULATED,
    Scenario,
    Script,
    Step,
    Turn,
    finishing,
    message,
    prompt_of,
    step,
    title_of,
)
from reconciler.embedded.wsgi import JsonObject

_JSON_BLOCK = re.compile(r"```json\s(.*?)```", re.DOTALL)
_PULL_REQUEST = r"(?i)\bopen (?:a|one)\s+pull\s+request\b"
_REPOSITORY = r"\b(?:in|of) ([a-z][\w-]*)/([a-z][\w-]*)"
_CENTURY_MS = 36_525 * 24 * 3600 * 1000


def _approving(turn: Turn, seconds: float) -> Script:
    """The first turn ends with an approval request; the answer determines the next turn.

    Under approvalMode auto, the agent needs no approval.
    """
    if turn.number > 1 or turn.event.get("type") == "user_confirmation":
        return _after_answer(turn, seconds)
    if turn.approval_mode == "auto":
        return finishing(turn, seconds)
    asked: JsonObject = {
        "type": "user_approval_request",
        "id": f"approval-{turn.started_ms}",
        "approval_type": "tool_permission",
        "message": "May I run `pulumi up` on the stack?",
        "sensitivity": "sensitive",
        "source": "agent",
        "context": {
            "tool_name": "pulumi_up",
            "git_diff": {"Pulumi.yaml": "- runtime: python\n+ runtime: nodejs\n"},
        },
    }
    return _request(turn, seconds, "I need permission for this.", asked)


def _asking(turn: Turn, seconds: float) -> Script:
    """The first turn ends with a question (the tool `ask_user`), which needs a text as its answer.

    The answer is a confirmation with `ok` false, and the text is in `instructions`.
    """
    if turn.number > 1:
        return _after_answer(turn, seconds)
    asked: JsonObject = {
        "type": "user_approval_request",
        "id": f"question-{turn.started_ms}",
        "approval_type": "general",
        "message": "Which region should the stack be in?",
        "source": "agent",
        "context": {"tool_name": "user__ask_user", "tool_call_id": f"call-{turn.number}"},
    }
    return _request(turn, seconds, "I have a question.", asked)


def _failing(turn: Turn, seconds: float) -> Script:
    """Every turn ends with an error."""
    reason = "This is a simulated failure: the stack could not be read."
    return _ending(turn, seconds, {"type": "error", "message": reason})


def _answering(turn: Turn, seconds: float) -> Script:
    """Every turn ends with the last JSON block of the message that it answers, and the first turn
    opens a pull request: a message with another block corrects the result."""
    text = prompt_of(turn)
    data = "".join(f"\n\n```json\n{block.strip()}\n```" for block in _JSON_BLOCK.findall(text)[-1:])
    if turn.number > 1:
        answer = f"Here is the corrected result.{data}" if data else "Done as you asked."
        return _ending(turn, seconds, message(answer))
    known = [entity for entity in turn.entities if entity.get("type") == "repository"]
    org, name = (re.findall(_REPOSITORY, text) or [("acme", "network")])[-1]
    repository = known[0] if known else {"type": "repository", "org": org, "name": name}
    added: JsonObject = {
        "type": "pull_request",
        "number": crc32(text.encode("utf-8", "replace")) % 900 + 1,
        "merged": False,
        "repo": {"forge": "github", **repository},
    }
    opened = step(turn.started_ms, {"type": "change_entities", "changes": {"add": [added]}})
    return _ending(turn, seconds, message(f"All checks pass.{data}\n\n{SIMULATED}"), opened)


def _slow(turn: Turn, seconds: float) -> Script:
    """Every turn succeeds, and takes ten times as long."""
    return finishing(turn, 10 * seconds)


def _endless(turn: Turn, seconds: float) -> Script:
    """The turn takes a hundred years: it only ends when it is cancelled."""
    return replace(_slow(turn, seconds), busy_until_ms=turn.started_ms + _CENTURY_MS)


def _finishing(turn: Turn, seconds: float) -> Script:
    """The turn succeeds, with the pull request and the JSON block that the message asks for."""
    text = prompt_of(turn)
    is_asked = _JSON_BLOCK.search(text) or re.search(_PULL_REQUEST, text)
    return (_answering if is_asked else finishing)(turn, seconds)


def _by_prompt(turn: Turn, seconds: float) -> Script:
    """The first word of a message selects the scenario of its turn; otherwise, the turn
    succeeds."""
    if turn.event.get("type") == "user_confirmation":
        return _approving(turn, seconds)
    word = next(iter(prompt_of(turn).split()), "")
    return SCENARIOS.get(word.strip("[]:").lower(), _finishing)(turn, seconds)


SCENARIOS: dict[str, Callable[[Turn, float], Script]] = {
    "finishing": _finishing,
    "approving": _approving,
    "asking": _asking,
    "answering": _answering,
    "failing": _failing,
    "slow": _slow,
    "endless": _endless,
}


def scenario_of(name: str, work_seconds: float) -> Scenario:
    """The scenario that `serve --scenario` names; a turn takes `work_seconds`."""
    make = _by_prompt if name == "by-prompt" else SCENARIOS[name]
    return lambda turn: make(turn, work_seconds)


def _request(turn: Turn, seconds: float, text: str, request: JsonObject) -> Script:
    first = step(turn.started_ms, message(text, is_final=False))
    return _ending(turn, seconds, request, first, approval=str(request["id"]))


def _after_answer(turn: Turn, seconds: float) -> Script:
    instructions = turn.event.get("instructions")
    if turn.event.get("type") != "user_confirmation" or turn.event.get("ok") is True:
        return finishing(turn, seconds)
    text = f"Understood: {instructions or 'not approved.'}"
    return _ending(turn, seconds, message(text))


def _ending(
    turn: Turn,
    seconds: float,
    body: JsonObject,
    *before: Step,
    approval: str = "",
) -> Script:
    """A script that ends with one event, after those that come `before`."""
    ends = turn.started_ms + round(seconds * 1000)
    title = title_of(prompt_of(turn)) if turn.number == 1 else ""
    return Script(
        steps=(*before, step(ends, body)),
        busy_until_ms=ends,
        tokens=300,
        title=title,
        approval=approval,
    )
