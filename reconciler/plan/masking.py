"""Removes the prompts of sensitive tasks from plans, states and messages, before they are shown.

Values that are prompts become a digest (the beginning of the SHA-256 of the UTF-8 text), which
shows whether a prompt changed. The service's own words in an error may repeat a prompt in any form:
they are withheld as a whole, unless they are about another task. Entities, and names that the
manifest sets, are not part of the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler.model.canonical import map_texts
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.fields import HIDDEN, NAMES, STAND_IN
from reconciler.model.generated import Generated
from reconciler.model.remarks import SAID, Arg, Remark, map_fact, said
from reconciler.model.task import DesiredTask, Inputs, TaskRef
from reconciler.model.value import replace
from reconciler.model.wire import first_user_message
from reconciler.state.attempt import OUTPUTS

if TYPE_CHECKING:
    from reconciler.model.remote_task import RemoteTask
    from reconciler.plan.plan import Change, Plan, PlannedTask
    from reconciler.state.attempt import Attempt
    from reconciler.state.model import Record, State

R = TypeVar("R", bound="DesiredTask | Record | Attempt")
Keys = frozenset[str]
"""The keys of sensitive tasks."""

_WITHHELD = said(STAND_IN)
_OWN_REQUESTS = frozenset(
    {
        "adopt.named",
        "apply.cancel_refused",
        "apply.not_cancelled",
        "apply.not_sent",
        "apply.refused",
        "apply.unknown",
        "patch.failed",
        "patch.unfinished",
        Code.DELIVERY_REJECTED,
        Code.DELIVERY_UNKNOWN,
        Code.NOT_THE_CREATOR,
        Code.STILL_BUSY,
        Code.TASK_BUSY,
        Code.TASK_GONE,
    }
)
"""The remarks and codes whose cause can only be the task that they are about. All others may be
about a list, or about the task of another key."""

_HIDDEN = re.compile(r"\(sensitive\) sha256:[0-9a-f]{32}")
_DIGITS = 32  # half a digest fits into a row beside its label, and identifies a text
_SHOWN_OF_MESSAGE = frozenset({"entity_diff", "timestamp", "type"})
_SHOWN_OUTPUTS = frozenset({"id", *OUTPUTS, *NAMES}) - {"name", *HIDDEN}


def masked_plan(plan: Plan, keys: Keys = frozenset()) -> Plan:
    """The plan to save: apply takes prompts from the manifests, never from a plan. `keys` are those
    of further sensitive tasks."""
    keys |= {task.ref.key for task in plan.tasks if task.sensitive}
    return _plan(plan, keys) if keys else plan


def masked_state(state: State) -> State:
    """The state without the prompts of sensitive tasks."""
    records = {
        ref: _record(record) if record.sensitive else record
        for ref, record in state.records.items()
    }
    attempts = {
        mark: redact(attempt) if attempt.sensitive else attempt
        for mark, attempt in state.attempts.items()
    }
    return replace(state, records=records, attempts=attempts)


# The service's words


def masked_diagnostics(diagnostics: Iterable[Diagnostic], keys: Keys) -> tuple[Diagnostic, ...]:
    """The diagnostics without the service's words, except about tasks that are not sensitive."""
    return tuple(_diagnostic(diagnostic, keys) for diagnostic in diagnostics)


def masked_facts(facts: Mapping[str, Arg], keys: Keys) -> dict[str, Arg]:
    """The facts of a note, which may be about the task `ref`, in the same way."""
    ref = facts.get("ref")
    return _facts(facts, _own(TaskRef.parse(ref).key if isinstance(ref, str) else None, keys))


def _facts(facts: Mapping[str, Arg], own: Collection[str]) -> dict[str, Arg]:
    return {
        name: map_fact(lambda remark: _remark(remark, own), Remark, fact)
        for name, fact in facts.items()
    }


def _diagnostic(diagnostic: Diagnostic, keys: Keys) -> Diagnostic:
    own = _own(diagnostic.key, keys)
    if diagnostic.code in own:
        return diagnostic
    return replace(diagnostic, args=_facts(diagnostic.args, own))


def masked_remarks(remarks: Iterable[Remark], key: str, keys: Keys) -> tuple[Remark, ...]:
    return tuple(_remark(remark, _own(key, keys)) for remark in remarks)


def _remark(remark: Remark, own: Collection[str]) -> Remark:
    if remark.case in own or remark.code in own:
        return remark
    return _WITHHELD if remark.case == SAID else replace(remark, facts=_facts(remark.facts, own))


def _own(key: str | None, keys: Keys) -> Collection[str]:
    """The kinds of remarks about a task whose causes may be shown."""
    return () if key is None or key in keys else _OWN_REQUESTS


# Plans and records


def _plan(plan: Plan, keys: Keys) -> Plan:
    from reconciler.plan.digest import confirmed_content

    redacted = Redacted()
    return replace(
        plan,
        tasks=tuple(_task(task, keys, redacted) for task in plan.tasks),
        diagnostics=masked_diagnostics(plan.diagnostics, keys),
        content=confirmed_content(plan),
    )


class Redacted(dict[int, tuple[Inputs, Inputs]]):
    """The inputs of entries, which their tasks share, with those without prompts."""

    def of(self, inputs: Inputs) -> Inputs:
        if id(inputs) not in self:
            self[id(inputs)] = inputs, _redact_inputs(inputs)
        return self[id(inputs)][1]


def _task(task: PlannedTask, keys: Keys, redacted: Redacted) -> PlannedTask:
    task = replace(task, remarks=masked_remarks(task.remarks, task.ref.key, keys))
    if not task.sensitive:
        return task
    names = (_name(task.desired), _name(task.record))
    return replace(
        task,
        diff=tuple(_change(change, names) for change in task.diff),
        desired=redact(task.desired, redacted) if task.desired is not None else None,
        record=_record(task.record, names) if task.record is not None else None,
        attempt=redact(task.attempt) if task.attempt is not None else None,
        remote=_remote(task.remote, names),
        candidate=_remote(task.candidate, names),
    )


def _remote(remote: RemoteTask | None, names: Collection[object]) -> RemoteTask | None:
    return replace(remote, raw=masked_outputs(remote.raw, names)) if remote is not None else None


def _change(change: Change, names: Collection[object]) -> Change:
    """Prompts as digests, also in a message that was added or removed as a whole."""
    sides = (change.before, change.after)
    if change.path == "message":
        before, after = (_redact_message(s) if isinstance(s, Mapping) else s for s in sides)
    elif re.match(r"message\b(?!\.entity_diff)", change.path):
        before, after = map(_digests, sides)
    elif change.path == "name":
        before, after = (side if side in names else _without_texts(side) for side in sides)
    else:
        return change
    return replace(change, before=before, after=after)


def _record(record: Record, names: Collection[object] = ()) -> Record:
    outputs = masked_outputs(record.outputs, (*names, _name(record)))
    return replace(redact(record), outputs=outputs)


def masked_outputs(outputs: Mapping[str, object], names: Collection[object]) -> dict[str, Any]:
    """The outputs of a task without what the service may derive from its prompt: texts in unknown
    outputs, and the name unless it is one of the `names` that its manifest sets."""
    return {
        name: value if name in _SHOWN_OUTPUTS or value in names else _without_texts(value)
        for name, value in outputs.items()
    }


def _without_texts(value: object) -> Any:
    return map_texts(lambda _: STAND_IN, value)


def redact(task: R, redacted: Redacted | None = None) -> R:
    """Without its prompt, its entry's prompt, and the values that both are made from. The entry's
    inputs are shared by all tasks with the same `redacted`."""
    inputs = _redact_inputs(task.inputs)
    if not isinstance(task, DesiredTask):
        generated = _redact_values(task.generated) if task.generated is not None else None
        return replace(task, inputs=inputs, generated=generated)
    if task.origin is None:
        return replace(task, inputs=inputs)
    origin = replace(
        task.origin,
        generated=_redact_values(task.origin.generated),
        template=(Redacted() if redacted is None else redacted).of(task.origin.template),
    )
    return replace(task, inputs=inputs, origin=origin)


def without_prompt(
    events: Iterable[Mapping[str, Any]], task: Record
) -> Iterator[Mapping[str, Any]]:
    """The events of a sensitive task, from the first on. The message that it was created with
    is a digest, also where it is repeated; what its agent says is needed to follow it."""
    prompt, is_begun = (task.inputs.get("message") or {}).get("content"), False
    for event in events:
        body: Any = event.get("eventBody")
        match body:
            case {"type": "user_message", **more} if not is_begun or more.get("content") == prompt:
                is_begun = is_begun or first_user_message([event]) is not None
                yield {**event, "eventBody": _redact_message(body)}
            case {"type": "set_task_name", "name": name} if name != task.inputs.get("name"):
                yield {**event, "eventBody": {**body, "name": _without_texts(name)}}
            case _:
                yield event


def _redact_values(generated: Generated) -> Generated:
    """Values are too short for digests, which could be guessed."""
    return replace(generated, values=dict.fromkeys(generated.values, STAND_IN))


def _redact_inputs(inputs: Inputs) -> Inputs:
    return {name: _redact_message(v) if name in HIDDEN else v for name, v in inputs.items()}


def _redact_message(message: object) -> object:
    if not isinstance(message, Mapping):
        return _digests(message)
    return {
        name: part if name in _SHOWN_OF_MESSAGE else _digests(part)
        for name, part in message.items()
    }


def _digests(value: object) -> object:
    """The value with digests in place of texts; existing digests are kept."""
    return map_texts(lambda text: text if _HIDDEN.fullmatch(text) else _digest(text), value)


def _digest(text: str) -> str:
    from hashlib import sha256

    hexadecimal = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"(sensitive) sha256:{hexadecimal[:_DIGITS]}"


def _name(task: DesiredTask | Record | None) -> object:
    return task.inputs.get("name") if task is not None else None
