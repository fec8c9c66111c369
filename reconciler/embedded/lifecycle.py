"""The actions of an agent in one turn, as a script of timed events. Pure.

A *turn* starts with a user event and ends when the agent is idle. The complete script is stored
when the turn starts, and every event becomes visible at its own time. The clock alone therefore
advances a task: there is no background thread, a restart changes nothing, and an event that was
visible once never changes. A scenario produces the scripts; it may end a turn with an approval
request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zlib import crc32

from reconciler.embedded.wsgi import JsonObject
from reconciler.model.reference import split_prompt
from reconciler.model.task import rfc3339

TITLE_LIMIT = 60
SIMULATED = "This is a simulated answer of the embedded service: no agent was started."
_MODEL = "embedded"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Turn:
    """A user event that starts the agent: the first (`number` 1) or a later event."""

    number: int
    event: JsonObject
    started_ms: int
    entities: Sequence[JsonObject] = ()
    approval_mode: str = "manual"


@dataclass(frozen=True, slots=True)
class Step:
    """An event, visible from `at_ms` on (Unix time in milliseconds)."""

    at_ms: int
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Script:
    """The events of a turn. `approval` is the id of the approval request that it ends with,
    usually empty."""

    steps: tuple[Step, ...]
    busy_until_ms: int
    tokens: int
    title: str = ""
    approval: str = ""


Scenario = Callable[[Turn], Script]


def finishing(turn: Turn, work_seconds: float) -> Script:
    """The turn succeeds, `work_seconds` after it started."""
    work_ms = round(work_seconds * 1000)
    prompt = prompt_of(turn)
    read = len(prompt) // 4 + 900
    call = f"call-{turn.number}"
    title = title_of(prompt) if turn.number == 1 else ""
    tool: JsonObject = {
        "id": call,
        "name": "look",
        "args": {"at": "the organization"},
        "execution_mode": "cloud",
    }
    response: JsonObject = {
        "type": "tool_response",
        "tool_call_id": call,
        "name": "look",
        "content": "Nothing else needs attention.",
        "is_error": False,
    }
    timed: list[tuple[float, JsonObject]] = [
        (0.3, message("Looking around.", _usage(read, 80), is_final=False, tool_calls=[tool])),
        (0.6, response),
        (1.0, message(_closing(turn), _usage(read + 400, 220))),
    ]
    if title:
        timed.insert(0, (0.1, {"type": "set_task_name", "name": title}))
    steps = tuple(step(turn.started_ms + round(work_ms * part), body) for part, body in timed)
    return Script(
        steps=steps,
        busy_until_ms=turn.started_ms + work_ms,
        tokens=2 * read + 400 + 300,
        title=title,
    )


def step(at_ms: int, body: JsonObject) -> Step:
    """An event with its time as its timestamp."""
    return Step(at_ms, {**body, "timestamp": stamp(at_ms)})


def message(
    content: str,
    usage: JsonObject | None = None,
    *,
    is_final: bool = True,
    tool_calls: Sequence[JsonObject] = (),
) -> JsonObject:
    """The body of an `assistant_message`."""
    body: JsonObject = {
        "type": "assistant_message",
        "content": content,
        "is_final": is_final,
        "token_usage": usage or {},
    }
    return {**body, "tool_calls": list(tool_calls)} if tool_calls else body


def prompt_of(turn: Turn) -> str:
    """The message that the turn answers, without its reference."""
    return split_prompt(str(turn.event.get("content") or ""))[0]


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
    """Unix time in milliseconds as RFC 3339."""
    return rfc3339(_EPOCH + timedelta(milliseconds=at_ms))


def milliseconds(moment: datetime) -> int:
    """An aware datetime as Unix time in milliseconds."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _usage(read: int, written: int) -> JsonObject:
    return {_MODEL: {"input_tokens": read, "output_tokens": written}}


def _closing(turn: Turn) -> str:
    prompt = prompt_of(turn)
    seed = crc32(prompt.encode("utf-8", "replace"))
    checked, odd = 20 + seed % 60, 2 + seed % 4
    if turn.number > 1:
        answer = "Done as you asked."
    else:
        answer = f"Checked {checked} resources; {odd} need attention."
    return f"{answer}\n\n{SIMULATED}"
