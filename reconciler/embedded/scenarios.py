"""Lives that a task of the embedded service can have beside the one that just ends: for trying
what comes after the create. Pure.

`serve --life NAME` chooses one for all tasks; under `story` the prompt's first word does, so that
tasks of one manifest live differently. Without either every task finishes by itself.
"""

from __future__ import annotations

from reconciler.embedded.lifecycle import Life, Script, Step, Turn, finishing, stamp
from reconciler.embedded.wsgi import JsonObject

SLOW_STEPS = 20
_TOKENS_PER_STEP = 150


def approving(work_seconds: float) -> Life:
    """A first turn ends in a request for approval; the answer decides what the next one does."""
    finish = finishing(work_seconds)

    def script(turn: Turn) -> Script:
        if turn.event.get("type") == "user_confirmation":
            if turn.event.get("ok") is True:
                return finish(turn)
            told = str(turn.event.get("instructions") or "no reason")
            return _ended(turn, work_seconds, _message(f"Not done, as you say: {told}"))
        if turn.number > 1:
            return finish(turn)
        return _asking(turn, work_seconds)

    return script


def failing(work_seconds: float) -> Life:
    """Every turn ends with an error."""

    def script(turn: Turn) -> Script:
        words = "The embedded service plays a failure: the stack could not be read."
        return _ended(turn, work_seconds, {"type": "error", "message": words})

    return script


def stopping(work_seconds: float) -> Life:
    """Every turn ends without a final message."""

    def script(turn: Turn) -> Script:
        return _ended(turn, work_seconds, _message("I look at it.", is_final=False))

    return script


def slow(work_seconds: float) -> Life:
    """Every turn takes ten times as long and says something at each of many steps."""

    def script(turn: Turn) -> Script:
        span = round(work_seconds * 10_000)
        ends = turn.started_ms + span
        steps: list[Step] = []
        for number in range(SLOW_STEPS):
            at = turn.started_ms + span * (number + 1) // (SLOW_STEPS + 1)
            call = f"call-{turn.number}-{number}"
            tool = {"id": call, "name": "look", "args": {"step": number + 1}}
            said = _message(f"Step {number + 1} of {SLOW_STEPS}.", is_final=False)
            steps.append(_step(at, {**said, "tool_calls": [tool]}))
            steps.append(_step(at + span // (2 * SLOW_STEPS + 2), _response(call)))
        steps.append(_step(ends, _message("**Done**, step by step.")))
        return Script(tuple(steps), ends, SLOW_STEPS * _TOKENS_PER_STEP, SLOW_STEPS * 40)

    return script


def story(work_seconds: float) -> Life:
    """The first word of the first message says how a task lives: its further turns just end."""
    lives = {name: make(work_seconds) for name, make in _MAKERS.items()}
    finish = finishing(work_seconds)
    answering = approving(work_seconds)

    def script(turn: Turn) -> Script:
        if turn.event.get("type") == "user_confirmation":
            return answering(turn)
        words = str(turn.event.get("content") or "").split()
        name = words[0].strip("[]:").lower() if words else ""
        return lives.get(name, finish)(turn)

    return script


_MAKERS = {
    "finishing": finishing,
    "approving": approving,
    "failing": failing,
    "stopping": stopping,
    "slow": slow,
}
LIVES = {**_MAKERS, "story": story}
"""By the names that `serve --life` takes; each is made for how long a turn takes, in seconds."""


def _asking(turn: Turn, work_seconds: float) -> Script:
    ends = turn.started_ms + round(work_seconds * 1000)
    request: JsonObject = {
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
    steps = (
        _step(turn.started_ms, _message("I need a permission for this.", is_final=False)),
        _step(ends, request),
    )
    return Script(steps, ends, 400, 600, awaits=str(request["id"]))


def _ended(turn: Turn, work_seconds: float, body: JsonObject) -> Script:
    ends = turn.started_ms + round(work_seconds * 1000)
    return Script((_step(ends, body),), ends, 300, 500)


def _message(words: str, *, is_final: bool = True) -> JsonObject:
    return {"type": "assistant_message", "content": words, "is_final": is_final, "token_usage": {}}


def _response(call: str) -> JsonObject:
    return {
        "type": "tool_response",
        "tool_call_id": call,
        "name": "look",
        "content": "nothing new",
        "is_error": False,
    }


def _step(at_ms: int, body: JsonObject) -> Step:
    return Step(at_ms, {**body, "timestamp": stamp(at_ms)})
