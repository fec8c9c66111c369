"""What an agent does with what it is told: a script of events, each at its time. Pure.

A *turn* begins with an event of the user's and ends idle. Its whole script is written down when it
begins, each event with the time from which it is to be seen, so the clock alone moves a task: no
thread runs, a restart changes nothing, and an event once shown stays as it is. Another `Life` may
script other turns: one whose script `awaits` an approval stays open until the user confirms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler.embedded.wsgi import JsonObject
from reconciler.model.task import rfc3339

CONTEXT_WINDOW = 200_000
COMPACTION_PERCENT = 80
TITLE_LIMIT = 60
_MODEL = "embedded"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Turn:
    """A user's event that sets the agent to work, as the first (`number` 1) or a later one."""

    number: int
    event: JsonObject
    started_ms: int
    entities: Sequence[JsonObject] = ()
    approval_mode: str = "manual"
    plan_mode: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """An event of the agent's, to be seen from `at_ms` on (Unix time in milliseconds)."""

    at_ms: int
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Script:
    """A turn's course. `awaits` is the id of the approval request that it ends with, if any."""

    steps: tuple[Step, ...]
    busy_until_ms: int
    tokens: int
    context_tokens: int
    title: str = ""
    named_ms: int = 0
    awaits: str = ""


Life = Callable[[Turn], Script]


def finishing(work_seconds: float) -> Life:
    """A life in which every turn ends by itself, `work_seconds` after it began."""

    def script(turn: Turn) -> Script:
        return _finishing_script(turn, round(work_seconds * 1000))

    return script


def _finishing_script(turn: Turn, work_ms: int) -> Script:
    prompt = str(turn.event.get("content") or "")
    read = len(prompt) // 4 + 900
    call = f"call-{turn.number}"
    found = ", ".join(_label(entity) for entity in turn.entities) or "the organization"
    title = title_of(prompt) if turn.number == 1 else ""
    course: list[tuple[float, JsonObject]] = [
        (0.3, _calling(call, f"Looking at {found}.", found, read)),
        (0.6, _response(call, f"Looked at {found}: nothing else needs attention.")),
        (1.0, _message(_closing(turn, title), _usage(read + 400, 220), is_final=True)),
    ]
    if title:
        course.insert(0, (0.1, {"type": "set_task_name", "name": title}))
    steps = tuple(_step(turn.started_ms + round(work_ms * part), body) for part, body in course)
    return Script(
        steps=steps,
        busy_until_ms=turn.started_ms + work_ms,
        tokens=2 * read + 400 + 300,
        context_tokens=read + 620,
        title=title,
        named_ms=steps[0].at_ms,
    )


def cancelled(at_ms: int, *, was_running: bool) -> Step:
    return _step(at_ms, {"type": "cancelled", "operation_was_running": was_running})


def title_of(prompt: str) -> str:
    """A display name from a prompt's first line: at most TITLE_LIMIT characters, whole words."""
    words = next((line.split() for line in prompt.splitlines() if line.strip()), [])
    title = ""
    for word in words:
        longer = f"{title} {word}".strip()
        if len(longer) > TITLE_LIMIT:
            return title + "…" if title else word[:TITLE_LIMIT]
        title = longer
    return title.rstrip(" .:;,")


def stamp(at_ms: int) -> str:
    """Unix time in milliseconds as the service writes a moment."""
    return rfc3339(_EPOCH + timedelta(milliseconds=at_ms))


def milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _step(at_ms: int, body: JsonObject) -> Step:
    return Step(at_ms, {**body, "timestamp": stamp(at_ms)})


def _calling(call: str, words: str, found: str, read: int) -> JsonObject:
    tool = {"id": call, "name": "look", "args": {"at": found}, "execution_mode": "cloud"}
    return {**_message(words, _usage(read, 80), is_final=False), "tool_calls": [tool]}


def _response(call: str, words: str) -> JsonObject:
    return {
        "type": "tool_response",
        "tool_call_id": call,
        "name": "look",
        "content": words,
        "is_error": False,
    }


def _message(words: str, usage: JsonObject, *, is_final: bool) -> JsonObject:
    return {
        "type": "assistant_message",
        "content": words,
        "is_final": is_final,
        "token_usage": usage,
    }


def _usage(read: int, written: int) -> JsonObject:
    return {_MODEL: {"input_tokens": read, "output_tokens": written}}


def _closing(turn: Turn, title: str) -> str:
    if turn.number > 1:
        return "Done with that as well. No agent works here: this is the embedded service."
    proposal = "Here is a plan for it" if turn.plan_mode else "This is done"
    return (
        f"**{title}**\n\n{proposal}, as far as the embedded service goes: it plays the part of"
        " Pulumi Cloud, and no agent works here."
    )


def _label(entity: JsonObject) -> str:
    match entity.get("type"):
        case "stack":
            return f"stack {entity['project']}/{entity['name']}"
        case "pull_request":
            return f"pull request #{entity['number']}"
        case "repository":
            return f"repository {entity['org']}/{entity['name']}"
    return f"policy issue {entity.get('name') or entity.get('id')}"
